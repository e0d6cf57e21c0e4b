// The optimizers: how a parameter w moves by its gradient g.
//
// Adding one is one struct here and its name in the list at the end. The struct has
//   description              its name, formula, source and hyperparameters, the learning rate first
//   max_slots, slots(p)      how many numbers of state it keeps for each parameter, all 0 at first
//   Scalars<V>, scalars(p, now)   what is the same for all parameters in a step, worked out once
//   update(w, g, state, s)   the new w; state[0 … max_slots-1] changed in place (0 where not kept)
// and, where w −= rate·g is all there is to it, plain(p) true: the training loop then adds −rate·∂E/∂w straight into w.
#pragma once

#include <cmath>
#include <limits>

#include "core/definition.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace backpropc::BPC_ISA {

struct Optimizer {
  static bool plain(const ParameterValues&) { return false; }
};

// base^n by squaring: a fixed sequence of rounded products, where libm's pow differs from one system to the next.
static inline double power(double base, std::uint64_t n) {
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
          .takes_flag("nesterov", false)
          .needs("nesterov", "momentum");
  static constexpr int max_slots = 1;
  static int slots(const ParameterValues& p) { return p[1] == 0.0 ? 0 : 1; }
  static bool plain(const ParameterValues& p) { return p[1] == 0.0; }

  template <class V>
  struct Scalars {
    V minus_rate, momentum;
    bool nesterov;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress&) {
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
          .with_formula(
              "m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  "
              "w -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon); "
              "amsgrad: with the largest v so far in place of v;  epsilon_hat: with "
              "(sqrt(v) + epsilon) / sqrt(1 - beta2^step) for the divisor")
          .from(
              "Kingma, Ba 2015, Algorithm 1, as in PyTorch; epsilon_hat: the end of its section 2, as in TensorFlow "
              "and scikit-learn; amsgrad: Reddi, Kale, Kumar 2018")
          .takes("learning_rate", at_least_zero, 1e-3)
          .takes("beta1", from_zero_below_one, 0.9)
          .takes("beta2", from_zero_below_one, 0.999)
          .takes("epsilon", at_least_zero, 1e-8)
          .takes_flag("amsgrad", false)
          .takes_flag("epsilon_hat", false);
  static constexpr int max_slots = 3;
  static int slots(const ParameterValues& p) { return p[4] != 0.0 ? 3 : 2; }

  // The corrections for the averages' start at 0 are in `minus_rate` and `unbias`.
  template <class V>
  struct Scalars {
    V minus_rate, new_in_m, beta2, new_in_v, unbias, epsilon;
    bool amsgrad;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress& now) {
    return scalars<V>(p, now, p[5] != 0.0);
  }
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress& now, bool epsilon_hat) {
    const double seen = 1.0 - power(p[2], now.step);  // the share of the whole in v's average
    const double rate = p[0] / (1.0 - power(p[1], now.step));
    return {constant<V>(epsilon_hat ? -rate * std::sqrt(seen) : -rate),
            constant<V>(1.0 - p[1]),
            constant<V>(p[2]),
            constant<V>(1.0 - p[2]),
            constant<V>(epsilon_hat ? 1.0 : 1.0 / seen),
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

struct AdamW : Optimizer {
  static constexpr Description description =
      describe("AdamW")
          .with_formula("w -= learning_rate weight_decay w, then a step of Adam; biases decay like weights")
          .from("Loshchilov, Hutter 2019, Algorithm 2, as in PyTorch")
          .takes("learning_rate", at_least_zero, 1e-3)
          .takes("beta1", from_zero_below_one, 0.9)
          .takes("beta2", from_zero_below_one, 0.999)
          .takes("epsilon", at_least_zero, 1e-8)
          .takes_flag("amsgrad", false)
          .takes("weight_decay", at_least_zero, 1e-2);
  static constexpr int max_slots = Adam::max_slots;
  static int slots(const ParameterValues& p) { return Adam::slots(p); }

  template <class V>
  struct Scalars {
    Adam::Scalars<V> adam;
    V kept;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress& now) {
    return {Adam::scalars<V>(p, now, false), constant<V>(1.0 - p[0] * p[5])};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    return Adam::update(w * s.kept, g, state, s.adam);
  }
};

struct RMSprop : Optimizer {
  static constexpr Description description =
      describe("RMSprop")
          .with_formula("v = rho v + (1 - rho) g^2;  u = momentum u + g / (sqrt(v) + epsilon);  w -= learning_rate u")
          .from("Tieleman, Hinton 2012, Lecture 6.5 of Neural Networks for Machine Learning, as in PyTorch")
          .takes("learning_rate", at_least_zero, 1e-3)
          .takes("rho", from_zero_below_one, 0.9)
          .takes("epsilon", at_least_zero, 1e-8)
          .takes("momentum", from_zero_below_one, 0.0);
  static constexpr int max_slots = 2;
  static int slots(const ParameterValues& p) { return p[3] == 0.0 ? 1 : 2; }

  template <class V>
  struct Scalars {
    V minus_rate, rho, new_in_v, epsilon, momentum;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress&) {
    return {constant<V>(-p[0]), constant<V>(p[1]), constant<V>(1.0 - p[1]), positive<V>(p[2]), constant<V>(p[3])};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    V &v = state[0], &u = state[1];
    v = fma(s.rho, v, s.new_in_v * g * g);
    u = fma(s.momentum, u, g / (sqrt(v) + s.epsilon));
    return fma(s.minus_rate, u, w);
  }
};

struct Adagrad : Optimizer {
  static constexpr Description description =
      describe("Adagrad")
          .with_formula("v = v + g^2;  w -= learning_rate g / (sqrt(v) + epsilon)")
          .from("Duchi, Hazan, Singer 2011, the diagonal form, as in PyTorch")
          .takes("learning_rate", at_least_zero, 1e-2)
          .takes("epsilon", at_least_zero, 1e-10);
  static constexpr int max_slots = 1;
  static int slots(const ParameterValues&) { return 1; }

  template <class V>
  struct Scalars {
    V minus_rate, epsilon;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress&) {
    return {constant<V>(-p[0]), positive<V>(p[1])};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    V& v = state[0];
    v = fma(g, g, v);
    return w + (s.minus_rate * g) / (sqrt(v) + s.epsilon);
  }
};

// The step sizes grow where the sign of the gradient stays, and shrink where it turns. What is done at a turn tells the
// variants apart: rprop- goes on with the smaller step, irprop- waits a step, rprop+ takes the last step back, irprop+
// does so only if the loss grew. A turn then counts as no sign, so that the next step changes no size.
struct Rprop : Optimizer {
  static constexpr Description description =
      describe("Rprop")
          .with_formula(
              "w -= size sign(g);  size times increase (up to max_step) where sign(g) is that of the step "
              "before, times decrease (down to min_step) where it has turned")
          .from("Riedmiller, Braun 1993 (rprop+); Riedmiller 1994 (rprop-); Igel, Hüsken 2000 (irprop+, irprop-)")
          .takes("initial_step", above_zero, 0.1)
          .takes("increase", at_least_one, 1.2)
          .takes("decrease", above_zero_below_one, 0.5)
          .takes("min_step", above_zero, 1e-6)
          .takes("max_step", above_zero, 50.0)
          .takes_choice("variant", {"rprop+", "rprop-", "irprop+", "irprop-"}, "irprop+")
          .keeps_at_most("min_step", "max_step");
  static constexpr int max_slots = 2;
  static int slots(const ParameterValues&) { return 2; }

  template <class V>
  struct Scalars {
    V initial, increase, decrease, smallest, largest;
    V taken_back;  // how much of the last step a turn takes back: 0 or 1
    V after_turn;  // how much of a turned sign is followed and kept: 0 or 1
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress& now) {
    const bool rprop_plus = p[5] == 0.0, rprop_minus = p[5] == 1.0, irprop_plus = p[5] == 2.0;
    return {positive<V>(p[0]),
            constant<V>(p[1]),
            constant<V>(p[2]),
            positive<V>(p[3]),
            constant<V>(p[4]),
            constant<V>(rprop_plus || (irprop_plus && now.loss > now.former_loss) ? 1 : 0),
            constant<V>(rprop_minus ? 1 : 0)};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    V &sign = state[0], &size = state[1];
    const V zero{}, former_size = size == zero ? s.initial : size;
    const V new_sign = g > zero ? constant<V>(1) : (g < zero ? constant<V>(-1) : zero);
    const V agreement = sign * new_sign;
    const V smaller = agreement < zero ? max(former_size * s.decrease, s.smallest) : former_size;
    size = agreement > zero ? min(former_size * s.increase, s.largest) : smaller;
    const V back = agreement < zero ? s.taken_back * sign : zero;
    sign = agreement < zero ? s.after_turn * new_sign : new_sign;
    return fma(-sign, size, fma(back, former_size, w));
  }
};

// A parabola through the slopes at the last two places of w leads to its minimum, as if each weight were alone. The first
// steps, and those along a slope that has not turned, have gradient descent in them; none is more than mu times the last.
struct Quickprop : Optimizer {
  static constexpr Description description =
      describe("Quickprop")
          .with_formula(
              "s = g + weight_decay w;  step = last_step s / (last_s - s), at most mu last_step; "
              "minus learning_rate s where s has not turned;  w += step")
          .from(
              "Fahlman 1988, An empirical study of learning speed in back-propagation networks; the defaults are those "
              "of his program of that year, whose E is the sum over the samples where ours is the mean")
          .takes("learning_rate", at_least_zero, 0.55)
          .takes("mu", above_zero, 1.75)
          .takes("weight_decay", at_least_zero, 1e-4);
  static constexpr int max_slots = 2;
  static int slots(const ParameterValues&) { return 2; }

  template <class V>
  struct Scalars {
    V minus_rate, mu, shrink, decay;
  };
  template <class V>
  static Scalars<V> scalars(const ParameterValues& p, const Progress&) {
    return {constant<V>(-p[0]), constant<V>(p[1]), constant<V>(p[1] / (1.0 + p[1])), constant<V>(p[2])};
  }

  template <class V>
  static V update(V w, V g, V* state, const Scalars<V>& s) {
    V &last_slope = state[0], &step = state[1];
    const V zero{}, slope = fma(s.decay, w, g);
    // How steeply E falls, now and at the last place, in the direction of the last step.
    const V fall = step > zero ? -slope : slope, last_fall = step > zero ? -last_slope : last_slope;
    const V growth = fall > s.shrink * last_fall ? s.mu : slope / (last_slope - slope);
    const V descent = s.minus_rate * slope;
    step = step == zero ? descent : fma(growth, step, fall > zero ? descent : zero);
    last_slope = slope;
    return w + step;
  }
};

using Optimizers = List<SGD, RMSprop, Adagrad, Adam, AdamW, Rprop, Quickprop>;

}  // namespace backpropc::BPC_ISA
