// From the lists in math/ to tables of functions on arrays: for each definition the loop that its expression stands in.
#pragma once

#include <array>

#include "kernels/loops.hpp"
#include "kernels/table.hpp"
#include "math/activations.hpp"
#include "math/losses.hpp"
#include "math/optimizers.hpp"

namespace backpropc::BPC_ISA {

// The values of D's parameters in type E (a vector, or a number), for a D that takes any.
template <class D, class E>
struct Arguments {
  static constexpr std::size_t size = D::description.n_parameters;
  E value[size > 0 ? size : 1];

  explicit Arguments(const ParameterValues& p) {
    for (std::size_t i = 0; i < size; ++i) {
      if constexpr (std::is_arithmetic_v<E>)
        value[i] = static_cast<E>(p[i]);
      else
        value[i] = constant<E>(p[i]);
    }
  }
};

// Calls f(arguments…), or f(arguments…, parameters) where the definition D takes any.
#define BPC_CALL(D, function, parameters, ...)             \
  [&] {                                                    \
    if constexpr (D::description.n_parameters > 0)         \
      return D::function(__VA_ARGS__, (parameters).value); \
    else                                                   \
      return D::function(__VA_ARGS__);                     \
  }()

// --- activations ------------------------------------------------------------------------------------------------------------

template <class T, class A>
void activate(std::size_t rows, std::size_t columns, const T* z, T* a, const ParameterValues& p) {
  if constexpr (A::by_row) {
    const Arguments<A, T> args(p);
    for (std::size_t i = 0; i < rows; ++i) BPC_CALL(A, forward, args, z + i * columns, a + i * columns, columns);
  } else {
    const Arguments<A, Vec<T>> args(p);
    map(rows * columns, a, [&](Vec<T> v) { return BPC_CALL(A, value, args, v); }, z);
  }
}

template <class T, class A>
void activation_backward(std::size_t rows, std::size_t columns, const T* da, const T* z, const T* a, T* delta,
                         const ParameterValues& p) {
  using V = Vec<T>;
  if constexpr (A::by_row) {
    const Arguments<A, T> args(p);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t at = i * columns;
      BPC_CALL(A, backward, args, da + at, z ? z + at : nullptr, a + at, delta + at, columns);
    }
  } else if constexpr (A::needs_z) {
    const Arguments<A, V> args(p);
    map(rows * columns, delta, [&](V g, V zv, V av) { return g * BPC_CALL(A, derivative, args, zv, av); }, da, z, a);
  } else {
    const Arguments<A, V> args(p);
    map(rows * columns, delta, [&](V g, V av) { return g * BPC_CALL(A, derivative, args, av); }, da, a);
  }
}

template <class T, class A>
void activation_derivative(std::size_t n, const T* z, const T* a, T* d, const ParameterValues& p) {
  using V = Vec<T>;
  const Arguments<A, V> args(p);
  if constexpr (A::needs_z)
    map(n, d, [&](V zv, V av) { return BPC_CALL(A, derivative, args, zv, av); }, z, a);
  else
    map(n, d, [&](V av) { return BPC_CALL(A, derivative, args, av); }, a);
}

template <class T, class A>
constexpr ActivationKernels<T> activation_kernels() {
  ActivationKernels<T> k{activate<T, A>, activation_backward<T, A>, nullptr, A::needs_z, A::by_row};
  if constexpr (!A::by_row) k.derivative = activation_derivative<T, A>;
  return k;
}

// --- losses -----------------------------------------------------------------------------------------------------------------

template <class L>
inline constexpr bool has_form_of_z = !std::is_same_v<typename L::Output, NoOutput>;

// Calls f(row, offset, scale of its gradient) for every sample.
template <class T, class F>
BPC_INLINE void for_each_sample(const LossPass<T>& pass, F f) {
  for (std::size_t i = 0; i < pass.rows; ++i)
    f(i, i * pass.columns, pass.weight ? pass.weight[i] * pass.scale : pass.scale);
}

template <class T, class L>
void loss_of_a(const LossPass<T>& pass) {
  using V = Vec<T>;
  const Arguments<L, V> args(*pass.parameters);
  const std::size_t m = pass.columns;
  const T outputs = L::mean_over_outputs ? static_cast<T>(m) : T(1);
  for_each_sample(pass, [&](std::size_t i, std::size_t at, T scale) {
    const T *a = pass.a + at, *t = pass.t + at;
    if (pass.loss)
      pass.loss[i] = sum<T>(m, [&](V av, V tv) { return BPC_CALL(L, value, args, av, tv); }, a, t) / outputs;
    if (pass.gradient) {
      const V s = splat(scale / outputs);
      map(m, pass.gradient + at, [&](V av, V tv) { return s * BPC_CALL(L, gradient, args, av, tv); }, a, t);
    }
  });
}

template <class T, class L>
void loss_of_z(const LossPass<T>& pass) {
  using V = Vec<T>;
  const std::size_t m = pass.columns;
  const T outputs = L::mean_over_outputs ? static_cast<T>(m) : T(1);
  for_each_sample(pass, [&](std::size_t i, std::size_t at, T scale) {
    const T *z = pass.z + at, *a = pass.a ? pass.a + at : nullptr, *t = pass.t + at;
    if constexpr (L::Output::by_row) {
      if (pass.loss) pass.loss[i] = L::value_of_row(z, t, m);
      if (pass.gradient) L::delta_of_row(a, t, pass.gradient + at, scale, m);
    } else {
      if (pass.loss) pass.loss[i] = sum<T>(m, [](V zv, V tv) { return L::value_of_z(zv, tv); }, z, t) / outputs;
      if (pass.gradient) {
        const V s = splat(scale / outputs);
        map(m, pass.gradient + at, [=](V av, V tv) { return s * L::delta_of_z(av, tv); }, a, t);
      }
    }
  });
}

template <class T, class L>
constexpr LossKernels<T> loss_kernels() {
  LossKernels<T> k{loss_of_a<T, L>, nullptr, -1};
  if constexpr (has_form_of_z<L>) {
    k.of_z = loss_of_z<T, L>;
    k.output = index_in<typename L::Output, Activations>;
  }
  return k;
}

// --- optimizers -------------------------------------------------------------------------------------------------------------

// One vector of parameters, read and written by get and put; returns its gradient.
template <class T, class O, class Scalars, class Get, class Put>
BPC_INLINE Vec<T> update_vector(const OptimizerStep<T>& g, const Scalars& s, int slots, std::size_t i, Get get,
                                Put put) {
  constexpr int most = O::max_slots > 0 ? O::max_slots : 1;
  Vec<T> state[most] = {};
#pragma GCC unroll 8
  for (int slot = 0; slot < most; ++slot)
    if (slot < slots) state[slot] = get(g.state + std::size_t(slot) * g.slot_stride + i);
  const Vec<T> gradient = get(g.gradient + i);
  put(g.w + i, O::update(get(g.w + i), gradient, state, s));
#pragma GCC unroll 8
  for (int slot = 0; slot < most; ++slot)
    if (slot < slots) put(g.state + std::size_t(slot) * g.slot_stride + i, state[slot]);
  return gradient;
}

template <class T, class O>
bool optimizer_step(const OptimizerStep<T>& g) {
  using V = Vec<T>;
  constexpr std::size_t step = lanes<T>;
  const auto s = O::template scalars<V>(*g.parameters, g.now);
  const int slots = O::slots(*g.parameters);
  V check{};  // stays 0 in a lane whose gradients are finite, else it becomes NaN
  std::size_t i = 0;
  for (; i + step <= g.n; i += step)
    check = fma(update_vector<T, O>(
                    g, s, slots, i, [](const T* p) { return load<V>(p); }, [](T* p, V v) { store<V>(p, v); }),
                V{}, check);
  if (const std::size_t left = g.n - i; left > 0)
    check = fma(update_vector<T, O>(
                    g, s, slots, i, [=](const T* p) { return load_first<V>(p, left); },
                    [=](T* p, V v) { store_first<V>(p, v, left); }),
                V{}, check);
  return fold(check) == T(0);
}

template <class T, class O>
constexpr OptimizerKernels<T> optimizer_kernels() {
  return {optimizer_step<T, O>, O::slots, O::plain};
}

// --- the lists as tables ----------------------------------------------------------------------------------------------------

template <class T, class... A>
constexpr std::array<ActivationKernels<T>, sizeof...(A)> activation_table(List<A...>) {
  return {activation_kernels<T, A>()...};
}
template <class T, class... L>
constexpr std::array<LossKernels<T>, sizeof...(L)> loss_table(List<L...>) {
  return {loss_kernels<T, L>()...};
}
template <class T, class... O>
constexpr std::array<OptimizerKernels<T>, sizeof...(O)> optimizer_table(List<O...>) {
  return {optimizer_kernels<T, O>()...};
}

}  // namespace backpropc::BPC_ISA
