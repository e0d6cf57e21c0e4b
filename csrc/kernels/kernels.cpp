// Compiled once per instruction set, into a namespace of its own: nothing here may be merged by the linker with what
// another object brought, or an AVX-512 copy of a shared function could run on a processor without it.
#include "kernels/definitions.hpp"
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
    &activations<T>[0],
    &losses<T>[0],
    &optimizers<T>[0],
    &online<T>[0],
};

}  // namespace

extern const KernelTable<float> float32_kernels;
extern const KernelTable<double> float64_kernels;
constexpr KernelTable<float> float32_kernels = table<float>;
constexpr KernelTable<double> float64_kernels = table<double>;

}  // namespace backpropc::BPC_ISA
