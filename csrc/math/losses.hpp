// The losses E, and their gradients ∇ₐE: a loss owns BP1.
//
// Adding one is one struct here and its name in the list at the end. The struct says by its base how the outputs of one
// sample are combined, and has
//   description        its names, formula, source and parameters
//   targets            what a target may be
//   value(a, t)        what one output adds to E
//   gradient(a, t)     ∂value/∂a
// and, where E and δ = ∂E/∂z can be had from z without the overflow of the two-step form, the activation before them:
//   Output             that activation
//   value_of_z(z, t), delta_of_z(a, t)                          for an element-wise Output
//   value_of_row(z, t, n), delta_of_row(a, t, delta, scale, n)  for a RowFunction
// Where the description has parameters, `const V* p` follows value's and gradient's arguments.
#pragma once

#include "core/definition.hpp"
#include "kernels/elementary.hpp"
#include "kernels/loops.hpp"
#include "math/activations.hpp"
#include "math/targets.hpp"

namespace backpropc::BPC_ISA {

struct NoOutput {};

struct SumOverOutputs {
  static constexpr bool mean_over_outputs = false;
  using Output = NoOutput;
};
struct MeanOverOutputs {
  static constexpr bool mean_over_outputs = true;
  using Output = NoOutput;
};

// t ln a, where 0 ln 0 = 0.
template <class V>
BPC_INLINE V t_log_a(V t, V a) {
  return t == V{} ? V{} : t * log(a);
}

// t / a, where 0 / 0 = 0.
template <class V>
BPC_INLINE V t_over_a(V t, V a) {
  return t == V{} ? V{} : t / a;
}

struct HalfSquaredError : SumOverOutputs {
  static constexpr Description description =
      describe("half_squared_error").with_formula("1/2 sum_j (a_j - t_j)^2").from("the lecture, overall structure");
  static constexpr Targets targets = Targets::real;

  template <class V>
  static V value(V a, V t) {
    const V d = a - t;
    return constant<V>(0.5) * d * d;
  }
  template <class V>
  static V gradient(V a, V t) {
    return a - t;
  }
};

struct MeanSquaredError : MeanOverOutputs {
  static constexpr Description description = describe("mean_squared_error")
                                                 .with_formula("mean_j (a_j - t_j)^2")
                                                 .from("Rumelhart, Hinton, Williams 1986, up to the factor");
  static constexpr Targets targets = Targets::real;

  template <class V>
  static V value(V a, V t) {
    const V d = a - t;
    return d * d;
  }
  template <class V>
  static V gradient(V a, V t) {
    return constant<V>(2) * (a - t);
  }
};

struct MeanAbsoluteError : MeanOverOutputs {
  static constexpr Description description =
      describe("mean_absolute_error").with_formula("mean_j |a_j - t_j|").from("Laplace 1774; its derivative at 0 is 0");
  static constexpr Targets targets = Targets::real;

  template <class V>
  static V value(V a, V t) {
    return abs(a - t);
  }
  template <class V>
  static V gradient(V a, V t) {
    const V d = a - t;
    return d > V{} ? constant<V>(1) : (d < V{} ? constant<V>(-1) : d);
  }
};

struct Huber : MeanOverOutputs {
  static constexpr Description description =
      describe("huber")
          .with_formula("mean_j of 1/2 d^2 where |d| <= delta, else delta (|d| - 1/2 delta), d = a_j - t_j")
          .from("Huber 1964, Robust estimation of a location parameter")
          .takes("delta", above_zero, 1.0);
  static constexpr Targets targets = Targets::real;

  template <class V>
  static V value(V a, V t, const V* p) {
    const V d = abs(a - t), half = constant<V>(0.5);
    return d <= p[0] ? half * d * d : p[0] * (d - half * p[0]);
  }
  template <class V>
  static V gradient(V a, V t, const V* p) {
    return max(-p[0], min(p[0], a - t));
  }
};

struct BinaryCrossEntropy : SumOverOutputs {
  static constexpr Description description = describe("binary_cross_entropy")
                                                 .with_formula("-sum_j (t_j ln a_j + (1 - t_j) ln(1 - a_j))")
                                                 .from("Bishop 1995, Neural Networks for Pattern Recognition, 6.7");
  static constexpr Targets targets = Targets::probabilities;

  template <class V>
  static V value(V a, V t) {
    const V one = constant<V>(1);
    return -(t_log_a(t, a) + (t == one ? V{} : (one - t) * log1p(-a)));
  }
  template <class V>
  static V gradient(V a, V t) {
    const V one = constant<V>(1);
    return t_over_a(one - t, one - a) - t_over_a(t, a);
  }

  // −t ln σ(z) − (1 − t) ln(1 − σ(z)) = max(z, 0) − t z + ln(1 + e^−|z|). With z's larger part drawn into one product
  // the terms cannot both be huge and cancel.
  using Output = Logistic;
  template <class V>
  static V value_of_z(V z, V t) {
    const V far = z > V{} ? constant<V>(1) - t : t;  // the share of the probability on the side z speaks against
    return (far == V{} ? V{} : far * abs(z)) + log1p(exp(-abs(z)));
  }
  template <class V>
  static V delta_of_z(V a, V t) {
    return a - t;
  }
};

struct SoftmaxCrossEntropy : SumOverOutputs {
  static constexpr Description description =
      describe("softmax_cross_entropy").with_formula("-sum_j t_j ln a_j").from("Bridle 1990; Bishop 1995, 6.9");
  static constexpr Targets targets = Targets::distribution;

  template <class V>
  static V value(V a, V t) {
    return -t_log_a(t, a);
  }
  template <class V>
  static V gradient(V a, V t) {
    return -t_over_a(t, a);
  }

  // −ln aⱼ = ln Σₖ exp(zₖ − m) + (m − zⱼ), m the largest z: neither overflows, nor is aⱼ = 0 asked for its logarithm.
  using Output = Softmax;
  template <class Z, class Row>
  static auto value_of_row(Z z, Row t, std::size_t n) {
    using T = NumberOf<Z>;
    using V = Vec<T>;
    const V largest = spread<V>(maximum(n, z));
    const V log_total = log(spread<V>(sum<T>(n, [=](V zj) { return exp(zj - largest); }, z)));
    return sum<T>(n, [=](V zj, V tj) { return tj == V{} ? V{} : tj * (log_total + (largest - zj)); }, z, t);
  }
  // The scale is a number, or one for each network.
  template <class In, class Out, class Scale>
  static void delta_of_row(In a, In t, Out delta, Scale scale, std::size_t n) {
    using T = NumberOf<Out>;
    using V = Vec<T>;
    const V s = spread<V>(scale), mass = spread<V>(sum<T>(n, [](V tj) { return tj; }, t));  // 1, up to rounding
    map(n, delta, [=](V aj, V tj) { return s * fma(mass, aj, -tj); }, a, t);
  }
};

struct Poisson : MeanOverOutputs {
  static constexpr Description description =
      describe("poisson")
          .with_formula("mean_j (a_j - t_j + t_j ln(t_j / a_j))")
          .from("McCullagh, Nelder 1989, Generalized Linear Models, half the deviance of 2.3");
  static constexpr Targets targets = Targets::not_negative;

  // t ln(t/a) = −t ln(1 + (a − t)/t), which keeps the digits of a small difference. The quotient is bounded because t
  // may be so small that it overflows; then the term is nothing beside a. Where a is small beside t, a − t has none of its
  // digits left.
  template <class V>
  static V value(V a, V t) {
    const V d = a - t, bounded = min(splat(std::numeric_limits<Element<V>>::max()), d / t);
    const V log_ratio = d < constant<V>(-0.5) * t ? log(a) - log(t) : log1p(bounded);
    return t == V{} ? a : d - t * log_ratio;
  }
  template <class V>
  static V gradient(V a, V t) {
    return constant<V>(1) - t_over_a(t, a);
  }

  // With a = e^z and d = z − ln t it is t (e^d − 1 − d): the first form where that is exact and may not overflow.
  using Output = Exp;
  template <class V>
  static V value_of_z(V z, V t) {
    const V d = z - log(t), one = constant<V>(1);
    const V close = t * (expm1(d) - d), apart = exp(z) - fma(t, d, t);
    return t == V{} ? exp(z) : (abs(d) < one ? close : apart);
  }
  template <class V>
  static V delta_of_z(V a, V t) {
    return a - t;
  }
};

using Losses = List<HalfSquaredError, MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropy,
                    SoftmaxCrossEntropy, Poisson>;

}  // namespace backpropc::BPC_ISA
