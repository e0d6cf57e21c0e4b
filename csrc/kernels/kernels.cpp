// Compiled once per instruction set, into a namespace of its own: nothing here may be merged by the linker with what
// another object brought, or an AVX-512 copy of a shared function could run on a processor without it.
#include "kernels/definitions.hpp"
#include "kernels/lanes.hpp"
#include "kernels/online.hpp"
#include "kernels/product.hpp"
#include "kernels/table.hpp"

namespace backpropc::BPC_ISA {

namespace {

template <class T>
void scale(std::size_t n, T s, T* y) {
  map(n, y, [=](Vec<T> v) { return splat(s) * v; }, y);
}

template <class T>
void add_scaled(std::size_t n, T s, const T* x, T* y) {
  map(n, y, [=](Vec<T> xv, Vec<T> yv) { return fma(splat(s), xv, yv); }, x, y);
}

template <class T>
void keep(std::size_t n, const std::uint32_t* bits, std::uint32_t threshold, T kept, T* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = bits[i] >= threshold ? kept : T(0);
}

template <class T>
void multiply(std::size_t n, const T* x, const T* mask, T* y) {
  map(n, y, [](Vec<T> xv, Vec<T> mv) { return xv * mv; }, x, mask);
}

// |v| orders as its bits do, and NaN comes after infinity.
template <class T>
T largest(std::size_t n, const T* p) {
  using V = Vec<T>;
  constexpr std::size_t step = lanes<T>, parts = 4;
  Int<V> most[parts] = {};
  const auto look = [&](std::size_t part, V v) {
    const Int<V> b = bits(abs(v));
    most[part] = b > most[part] ? b : most[part];
  };
  std::size_t i = 0;
  for (; i + parts * step <= n; i += parts * step) {
#pragma GCC unroll 4
    for (std::size_t part = 0; part < parts; ++part) look(part, load<V>(p + i + part * step));
  }
  for (; i + step <= n; i += step) look(0, load<V>(p + i));
  if (i < n) look(1, load_first<V>(p + i, n - i));
  for (std::size_t part = 1; part < parts; ++part) most[0] = most[part] > most[0] ? most[part] : most[0];
  IntElement<V> lane[step], result = 0;
  std::memcpy(lane, most, sizeof lane);
  for (const IntElement<V> b : lane) result = b > result ? b : result;
  T value;
  std::memcpy(&value, &result, sizeof value);
  return value < std::numeric_limits<T>::infinity() ? value : std::numeric_limits<T>::infinity();
}

template <class T>
constexpr auto activations = activation_table<T>(Activations{});
template <class T>
constexpr auto losses = loss_table<T>(Losses{});
template <class T>
constexpr auto optimizers = optimizer_table<T>(Optimizers{});
template <class T>
constexpr auto online = online_table<T>(Losses{});

template <class T>
constexpr KernelTable<T> table = {
    {forward_product<T>, backward_product<T>, gradient_product<T>, bias_gradient<T>},
    scale<T>,
    add_scaled<T>,
    keep<T>,
    multiply<T>,
    largest<T>,
    &activations<T>[0],
    &losses<T>[0],
    &optimizers<T>[0],
    &online<T>[0],
    &lane_kernels<T>,
};

}  // namespace

extern const KernelTable<float> float32_kernels;
extern const KernelTable<double> float64_kernels;
constexpr KernelTable<float> float32_kernels = table<float>;
constexpr KernelTable<double> float64_kernels = table<double>;

}  // namespace backpropc::BPC_ISA
