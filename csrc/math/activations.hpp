// The activations σ and their derivatives.
//
// Adding one is one struct here and its name in the list at the end. The struct says by its base how its derivative is
// written, and has
//   description                              its names, formula, source and parameters
//   value(z)                                 a = σ(z), on a vector V of any instruction set
//   derivative(a)   (DerivativeFromA)        σ'(z) in terms of a = σ(z): z need not be kept
//   derivative(z, a)   (DerivativeFromZ)     σ'(z)
//   forward(z, a, n), backward(da, z, a, delta, n)   (RowFunction)   for a σ whose outputs depend on the whole row; the
//                                            rows are arrays, or one of each of several networks
// Where the description has parameters, `const V* p` (for a RowFunction `const T* p`) follows as the last argument: their
// values in that order.
#pragma once

#include "core/definition.hpp"
#include "kernels/elementary.hpp"
#include "kernels/loops.hpp"
#include "math/normal.hpp"

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

struct Exp : DerivativeFromA {
  static constexpr Description description = describe("exp").with_formula("exp(z)").from(
      "McCullagh, Nelder 1989, Generalized Linear Models, the log link of 6.2");

  template <class V>
  static V value(V z) {
    return exp(z);
  }
  template <class V>
  static V derivative(V a) {
    return a;
  }
};

struct LeakyRelu : DerivativeFromA {
  static constexpr Description description = describe("leaky_relu")
                                                 .with_formula("z where z > 0, else slope z")
                                                 .from("Maas, Hannun, Ng 2013; its derivative at 0 is slope")
                                                 .takes("slope", at_least_zero, 0.01);

  template <class V>
  static V value(V z, const V* p) {
    return z > V{} ? z : p[0] * z;
  }
  template <class V>
  static V derivative(V a, const V* p) {
    return a > V{} ? constant<V>(1) : p[0];
  }
};

struct Elu : DerivativeFromA {
  static constexpr Description description = describe("elu")
                                                 .with_formula("z where z > 0, else alpha (exp(z) - 1)")
                                                 .from("Clevert, Unterthiner, Hochreiter 2016, equation 15")
                                                 .takes("alpha", at_least_zero, 1.0);

  template <class V>
  static V value(V z, const V* p) {
    return z > V{} ? z : p[0] * expm1(z);
  }
  template <class V>
  static V derivative(V a, const V* p) {
    return a > V{} ? constant<V>(1) : a + p[0];
  }
};

struct Selu : DerivativeFromA {
  static constexpr Description description = describe("selu")
                                                 .with_formula("1.0507 z where z > 0, else 1.0507 1.6733 (exp(z) - 1)")
                                                 .from("Klambauer, Unterthiner, Mayr, Hochreiter 2017, equation 2");
  static constexpr double scale = 1.0507009873554804934193349852946;
  static constexpr double scale_alpha = scale * 1.6732632423543772848170429916717;

  template <class V>
  static V value(V z) {
    return z > V{} ? constant<V>(scale) * z : constant<V>(scale_alpha) * expm1(z);
  }
  template <class V>
  static V derivative(V a) {
    return a > V{} ? constant<V>(scale) : a + constant<V>(scale_alpha);
  }
};

// z Φ(z) = max(z, 0) − |z| Φ(−|z|), so that no digits are lost on the side where it is small.
struct Gelu : DerivativeFromZ {
  static constexpr Description description =
      describe("gelu").with_formula("z (1 + erf(z / sqrt(2))) / 2").from("Hendrycks, Gimpel 2016, the exact form");

  template <class V>
  static V value(V z) {
    const NormalTail<V> n(z);
    return fma(-(n.t * n.ratio), n.decay, max(V{}, z));
  }
  template <class V>
  static V derivative(V z, V) {
    const NormalTail<V> n(z);
    const V q = n.decay * fma(constant<V>(-0.3989422804014327), n.t, n.ratio);  // Φ(−t) − t φ(t)
    return z > V{} ? constant<V>(1) - q : q;
  }
};

// e^−|z| as the square of h, for what is multiplied by z: h is far from underflow where the product no longer is, and
// |z| is bounded where that is 0.
template <class V>
struct HalfDecay {
  V t, h;

  BPC_INLINE explicit HalfDecay(V z) {
    t = min(detail::by_format<V>(120, 800), abs(z));
    h = exp(constant<V>(-0.5) * t);
  }
};

struct Silu : DerivativeFromZ {
  static constexpr Description description =
      describe("silu").with_formula("z / (1 + exp(-z))").from("Elfwing, Uchibe, Doya 2018, equation 2; swish");

  template <class V>
  static V value(V z) {
    const HalfDecay<V> e(z);
    const V one = constant<V>(1), r = fma(e.h, e.h, one);
    return z >= V{} ? z / r : ((-e.t * e.h) / r) * e.h;
  }
  // σ (1 + z (1 − σ)) with the logistic σ = 1/(1 + h²) where z > 0, else h²/(1 + h²).
  template <class V>
  static V derivative(V z, V) {
    const HalfDecay<V> e(z);
    const V one = constant<V>(1), r = one / fma(e.h, e.h, one);
    return z > V{} ? r * fma(e.t * e.h, e.h * r, one) : (e.h * r * fma(-e.t, r, one)) * e.h;
  }
};

struct Softplus : DerivativeFromA {
  static constexpr Description description =
      describe("softplus").with_formula("ln(1 + exp(z))").from("Dugas, Bengio, Bélisle, Nadeau, Garcia 2001");

  template <class V>
  static V value(V z) {
    return softplus(z);
  }
  template <class V>
  static V derivative(V a) {
    return -expm1(-a);  // the logistic function of z
  }
};

struct Softsign : DerivativeFromA {
  static constexpr Description description =
      describe("softsign").with_formula("z / (1 + |z|)").from("Bergstra, Desjardins, Lamblin, Bengio 2009");

  template <class V>
  static V value(V z) {
    const V size = min(splat(std::numeric_limits<Element<V>>::max()), abs(z));  // inf / inf is no number
    return detail::with_sign_of(z, size / (constant<V>(1) + size));
  }
  template <class V>
  static V derivative(V a) {
    const V s = constant<V>(1) - abs(a);
    return s * s;
  }
};

// tanh(ln(1 + e^z)) = n / (n + 2) with n = e^z (e^z + 2); where z > 0 with both multiplied by e^−2z.
struct Mish : DerivativeFromZ {
  static constexpr Description description =
      describe("mish").with_formula("z tanh(ln(1 + exp(z)))").from("Misra 2020, equation 1");

  template <class V>
  static V value(V z) {
    const HalfDecay<V> e(z);
    const V one = constant<V>(1), two = constant<V>(2), w = e.h * e.h;
    const V n = fma(two, w, one);
    return z >= V{} ? z * (n / fma(two * w, w, n)) : (-e.t * e.h) * ((w + two) / fma(w, w + two, two)) * e.h;
  }
  // e^z ω / (e^2z + 2 e^z + 2)², ω = 4(z + 1) + e^z (4z + 6) + 4 e^2z + e^3z, equation 2 of the paper.
  template <class V>
  static V derivative(V z, V) {
    const HalfDecay<V> e(z);
    const V one = constant<V>(1), two = constant<V>(2), four = constant<V>(4), w = e.h * e.h;
    const V bounded = z > V{} ? e.t : -e.t, z4 = four * bounded, c0 = z4 + four, c1 = z4 + constant<V>(6);
    const V up = fma(w, fma(w, fma(w, c0, c1), four), one), up_root = fma(two * w, w, fma(two, w, one));
    const V down = fma(w, fma(w, w + four, c1), c0), down_root = fma(w, w + two, two);
    return z > V{} ? up / (up_root * up_root) : (e.h * (down / (down_root * down_root))) * e.h;
  }
};

// Every output depends on every z of the row, so BP1 takes the whole Jacobian: δ = a ⊙ (da − Σⱼ daⱼ aⱼ).
struct Softmax : RowFunction {
  static constexpr Description description =
      describe("softmax")
          .with_formula("exp(z) / sum(exp(z)) over the row")
          .from("Bridle 1990, Probabilistic interpretation of feedforward classification network outputs");

  template <class In, class Out>
  static void forward(In z, Out a, std::size_t n) {
    using T = NumberOf<Out>;
    using V = Vec<T>;
    const V largest = spread<V>(maximum(n, z));  // so that no exponential overflows
    map(n, a, [=](V zj) { return exp(zj - largest); }, z);
    const V total = spread<V>(sum<T>(n, [](V ej) { return ej; }, a));
    map(n, a, [=](V ej) { return ej / total; }, a);
  }

  template <class Da, class In, class Out>
  static void backward(Da da, In, In a, Out delta, std::size_t n) {
    using T = NumberOf<Out>;
    using V = Vec<T>;
    const V mean = spread<V>(sum<T>(n, [](V g, V aj) { return g * aj; }, da, a));
    map(n, delta, [=](V g, V aj) { return aj * (g - mean); }, da, a);
  }
};

using Activations =
    List<Identity, Logistic, Tanh, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Softplus, Softsign, Mish, Exp, Softmax>;

}  // namespace backpropc::BPC_ISA
