// The optimizers: how a parameter w moves by its gradient g.
//
// Adding one is one struct here and its name in the list at the end. The struct has
//   description              its name, formula, source and hyperparameters, the learning rate first
//   max_slots, slots(p)      how many numbers of state it keeps for each parameter, all 0 at first
//   Scalars<V>, scalars(p, step)   what is the same for all parameters in step 1, 2, …, worked out once
//   update(w, g, state, s)   the new w; state[0 … max_slots-1] changed in place (0 where not kept)
// and, where w −= rate·g is all there is to it, plain(p) true: the training loop then adds −rate·∂E/∂w straight into w.
#pragma once

#include <limits>

#include "core/definition.hpp"
#include "kernels/simd.hpp"

namespace backpropc::BPC_ISA {

struct Optimizer {
  static bool plain(const ParameterValues&) { return false; }
};

// base^n by squaring: a fixed sequence of rounded products, where libm's pow differs from one system to the next.
inline static double power(double base, std::uint64_t n) {
  double result = 1.0;
  for (; n > 0; n /= 2, base *= base)
    if (n % 2 == 1) result *= base;
  return result;
}

// ε in V, but never 0: a parameter without a gradient would then move by 0/0.
template <class V>
BPC_INLINE V positive(double epsilon) {
  return max(constant<V>(epsilon), splat(std::numeric_limits<Element<V>>::min()));
}

struct SGD : Optimizer {
  static constexpr Description description =
      describe("SGD")
          .with_formula("v = momentum v + g;  w -= learning_rate v  (nesterov: w -= learning_rate (g + momentum v))")
          .from("the lecture, updating; Sutskever, Martens, Dahl, Hinton 2013 for the momentum, as in PyTorch")
          .takes("learning_rate", at_least_zero)
          .takes("momentum", from_zero_below_one, 0.0)
          .takes_flag("nesterov", false);
  static constexpr int max_slots = 1;
  static int slots(const ParameterValues& p) { return p[1] == 0.0 ? 0 : 1; }
  static bool plain(const ParameterValues& p) { return p[1] == 0.0; }

  template <class V>
  struct Scalars {
    V minus_rate, momentum;
    bool nesterov;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, std::uint64_t) {
    return {constant<V>(-p[0]), constant<V>(p[1]), p[2] != 0.0};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    state[0] = fma(s.momentum, state[0], g);
    const V v = s.nesterov ? fma(s.momentum, state[0], g) : state[0];
    return fma(s.minus_rate, v, w);
  }
};

struct Adam : Optimizer {
  static constexpr Description description =
      describe("Adam")
          .with_formula("m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  "
                        "w -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon); "
                        "amsgrad: with the largest v so far in place of v")
          .from("Kingma, Ba 2015, Algorithm 1; amsgrad: Reddi, Kale, Kumar 2018, as in PyTorch")
          .takes("learning_rate", at_least_zero, 1e-3)
          .takes("beta1", from_zero_below_one, 0.9)
          .takes("beta2", from_zero_below_one, 0.999)
          .takes("epsilon", at_least_zero, 1e-8)
          .takes_flag("amsgrad", false);
  static constexpr int max_slots = 3;
  static int slots(const ParameterValues& p) { return p[4] != 0.0 ? 3 : 2; }

  // The corrections for the averages' start at 0 are in `minus_rate` and `unbias`.
  template <class V>
  struct Scalars {
    V minus_rate, new_in_m, beta2, new_in_v, unbias, epsilon;
    bool amsgrad;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, std::uint64_t step) {
    return {constant<V>(-p[0] / (1.0 - power(p[1], step))),
            constant<V>(1.0 - p[1]),
            constant<V>(p[2]),
            constant<V>(1.0 - p[2]),
            constant<V>(1.0 / (1.0 - power(p[2], step))),
            positive<V>(p[3]),
            p[4] != 0.0};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    V &m = state[0], &v = state[1], &largest = state[2];
    m = fma(s.new_in_m, g - m, m);
    v = fma(s.beta2, v, s.new_in_v * g * g);
    if (s.amsgrad) largest = max(largest, v);
    const V scale = sqrt((s.amsgrad ? largest : v) * s.unbias) + s.epsilon;
    return w + (s.minus_rate * m) / scale;
  }
};

using Optimizers = List<SGD, Adam>;

}  // namespace backpropc::BPC_ISA
