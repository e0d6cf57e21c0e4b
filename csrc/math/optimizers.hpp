// The optimizers: how a parameter w moves by its gradient g.
//
// Adding one is one struct here and its name in the list at the end. The struct has
//   description              its name, formula, source and hyperparameters, the learning rate first
//   max_slots, slots(p)      how many numbers of state it keeps for each parameter, all 0 at first
//   Scalars<V>, scalars(p, step)   what is the same for all parameters in step 1, 2, …, worked out once
//   update(w, g, state, s)   the new w; state[0 … max_slots-1] changed in place (0 where not kept)
// and, where w −= rate·g is all there is to it, plain(p) true: the training loop then adds −rate·∂E/∂w straight into w.
#pragma once

#include "core/definition.hpp"
#include "kernels/simd.hpp"

namespace backpropc::BPC_ISA {

struct Optimizer {
  static bool plain(const ParameterValues&) { return false; }
};

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

using Optimizers = List<SGD>;

}  // namespace backpropc::BPC_ISA
