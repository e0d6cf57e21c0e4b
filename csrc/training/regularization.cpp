#include "training/regularization.hpp"

#include <algorithm>
#include <cmath>

#include "network/dense.hpp"

namespace backpropc {

namespace {

constexpr std::size_t lanes = 8;
constexpr std::size_t block = 1 << 14;

// Lane i adds the elements i, i + 8, … in ascending order, then the lanes are folded by halves.
template <class T, class F>
double sum_of_block(std::size_t n, const T* p, F f) {
  double total[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) total[lane] += f(static_cast<double>(p[i + lane]));
  for (std::size_t lane = 0; i < n; ++lane, ++i) total[lane] += f(static_cast<double>(p[i]));
  for (std::size_t half = lanes / 2; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) total[lane] += total[lane + half];
  return total[0];
}

// Σ f(p[i]): the blocks are shared out among threads, and added in their order.
template <class T, class F>
double sum_of(std::size_t n, const T* p, Buffer<double>& parts, F f) {
  const std::size_t blocks = (n + block - 1) / block;
  parts.reserve(blocks);
  for_each_block_of_rows(blocks, block, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      parts[i] = sum_of_block(std::min(block, n - i * block), p + i * block, f);
  });
  double total = 0.0;
  for (std::size_t i = 0; i < blocks; ++i) total += parts[i];
  return total;
}

}  // namespace

template <class T>
void add_penalty_gradient(std::size_t n, T l1, T l2, const T* w, T* gradient) {
  for (std::size_t i = 0; i < n; ++i) gradient[i] += l2 * w[i] + l1 * (T(w[i] > 0) - T(w[i] < 0));
}

template <class T>
double penalty(std::size_t n, double l1, double l2, const T* w, Buffer<double>& parts) {
  return sum_of(n, w, parts, [=](double v) { return l1 * std::abs(v) + 0.5 * l2 * v * v; });
}

#define BPC_INSTANTIATE(T)                                                    \
  template void add_penalty_gradient(std::size_t, T, T, const T*, T*);        \
  template double penalty(std::size_t, double, double, const T*, Buffer<double>&);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
