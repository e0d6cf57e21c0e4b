// The activations σ and their derivatives.
//
// Adding one is one struct here and its name in the list at the end. The struct says by its base how its derivative is
// written, and has
//   description                              its names, formula, source and parameters
//   value(z)                                 a = σ(z), on a vector V of any instruction set
//   derivative(a)   (DerivativeFromA)        σ'(z) in terms of a = σ(z): z need not be kept
//   derivative(z, a)   (DerivativeFromZ)     σ'(z)
//   forward(z, a, n), backward(da, z, a, delta, n)   (RowFunction)   for a σ whose outputs depend on the whole row
// Where the description has parameters, `const V* p` (for a RowFunction `const T* p`) follows as the last argument: their
// values in that order.
#pragma once

#include "core/definition.hpp"
#include "kernels/elementary.hpp"
#include "kernels/loops.hpp"

namespace backpropc::BPC_ISA {

struct DerivativeFromA {
  static constexpr bool by_row = false;
  static constexpr bool needs_z = false;
};
struct DerivativeFromZ {
  static constexpr bool by_row = false;
  static constexpr bool needs_z = true;
};
struct RowFunction {
  static constexpr bool by_row = true;
  static constexpr bool needs_z = false;
};

struct Identity : DerivativeFromA {
  static constexpr Description description = describe("identity").with_formula("z").from("a linear unit");

  template <class V>
  static V value(V z) {
    return z;
  }
  template <class V>
  static V derivative(V) {
    return constant<V>(1);
  }
};

struct Logistic : DerivativeFromA {
  static constexpr Description description = describe("logistic")
                                                 .also_called("sigmoid")
                                                 .with_formula("1 / (1 + exp(-z))")
                                                 .from("the lecture, derivatives of common activation functions");

  template <class V>
  static V value(V z) {
    return logistic(z);
  }
  template <class V>
  static V derivative(V a) {
    return a * (constant<V>(1) - a);
  }
};

struct Tanh : DerivativeFromA {
  static constexpr Description description =
      describe("tanh").with_formula("tanh(z)").from("LeCun, Bottou, Orr, Müller 1998, Efficient BackProp");

  template <class V>
  static V value(V z) {
    return tanh(z);
  }
  template <class V>
  static V derivative(V a) {
    return fma(-a, a, constant<V>(1));
  }
};

struct Relu : DerivativeFromA {
  static constexpr Description description =
      describe("relu").with_formula("max(z, 0)").from("the lecture, rectified linear; its derivative at 0 is 0");

  template <class V>
  static V value(V z) {
    return z <= V{} ? V{} : z;  // in this order a NaN stays one
  }
  template <class V>
  static V derivative(V a) {
    return a > V{} ? constant<V>(1) : V{};
  }
};

// Every output depends on every z of the row, so BP1 takes the whole Jacobian: δ = a ⊙ (da − Σⱼ daⱼ aⱼ).
struct Softmax : RowFunction {
  static constexpr Description description =
      describe("softmax")
          .with_formula("exp(z) / sum(exp(z)) over the row")
          .from("Bridle 1990, Probabilistic interpretation of feedforward classification network outputs");

  template <class T>
  static void forward(const T* z, T* a, std::size_t n) {
    using V = Vec<T>;
    const V largest = splat(maximum(n, z));  // so that no exponential overflows
    map(n, a, [=](V zj) { return exp(zj - largest); }, z);
    const V total = splat(sum<T>(n, [](V ej) { return ej; }, a));
    map(n, a, [=](V ej) { return ej / total; }, a);
  }

  template <class T>
  static void backward(const T* da, const T*, const T* a, T* delta, std::size_t n) {
    using V = Vec<T>;
    const V mean = splat(sum<T>(n, [](V g, V aj) { return g * aj; }, da, a));
    map(n, delta, [=](V g, V aj) { return aj * (g - mean); }, da, a);
  }
};

using Activations = List<Identity, Logistic, Tanh, Relu, Softmax>;

}  // namespace backpropc::BPC_ISA
