#include "training/regularization.hpp"

#include <algorithm>
#include <cmath>

#include "core/sums.hpp"
#include "network/dense.hpp"

namespace backpropc {

std::size_t parts_of_sum(std::size_t n) { return (n + sum_block - 1) / sum_block; }

namespace {

// Σ f(p[i]): the blocks are shared out among threads, and added in their order.
template <class T, class F>
double sum_of(std::size_t n, const T* p, Buffer<double>& parts, F f) {
  const std::size_t blocks = parts_of_sum(n);
  parts.reserve(blocks);
  for_each_block_of_rows(blocks, sum_block, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
      const T* const from = p + i * sum_block;
      parts[i] = sum_in_lanes(std::min(sum_block, n - i * sum_block),
                              [=](std::size_t j) { return f(static_cast<double>(from[j])); });
    }
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

template <class T>
bool clip(std::size_t n, T bound, T* gradient) {
  T check = 0;  // stays 0 where all are finite
  for (std::size_t i = 0; i < n; ++i) {
    const T g = gradient[i];
    check += g * T(0);
    gradient[i] = g > bound ? bound : g < -bound ? -bound : g;  // a NaN stays one
  }
  return check == T(0);
}

template <class T>
double sum_of_squares(std::size_t n, const T* p, Buffer<double>& parts) {
  return sum_of(n, p, parts, [](double v) { return v * v; });
}

// Each column's squares are added in ascending rows; threads share out the columns.
template <class T>
void hold_columns(std::size_t fan_in, std::size_t fan_out, double most, T* w, double* squares) {
  for_each_block_of_rows(fan_out, 2 * fan_in, [&](std::size_t first, std::size_t count) {
    const std::size_t end = first + count;
    std::fill(squares + first, squares + end, 0.0);
    for (std::size_t k = 0; k < fan_in; ++k)
      for (std::size_t j = first; j < end; ++j) {
        const auto v = static_cast<double>(w[k * fan_out + j]);
        squares[j] += v * v;
      }
    for (std::size_t j = first; j < end; ++j) {
      if (!(squares[j] > most * most)) continue;
      const T shrink = static_cast<T>(most / std::sqrt(squares[j]));
      for (std::size_t k = 0; k < fan_in; ++k) w[k * fan_out + j] *= shrink;
    }
  });
}

#define BPC_INSTANTIATE(T)                                                         \
  template void add_penalty_gradient(std::size_t, T, T, const T*, T*);             \
  template double penalty(std::size_t, double, double, const T*, Buffer<double>&); \
  template bool clip(std::size_t, T, T*);                                          \
  template double sum_of_squares(std::size_t, const T*, Buffer<double>&);          \
  template void hold_columns(std::size_t, std::size_t, double, T*, double*);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
