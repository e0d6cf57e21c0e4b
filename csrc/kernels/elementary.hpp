// The elementary functions behind the activations and losses, the same bits on every instruction set.
//
// They are built from + - * /, fma, comparison, selection and operations on bits, each exactly rounded or exact
// wherever it runs; there are no reciprocal estimates and no libm. The polynomials are minimax fits of our own.
// In all of them: NaN gives NaN, ±inf and ±0 are right, and subnormals go in and come out unflushed.
//
// The errors stated are the largest found, in units in the last place of the rounded exact result (a subnormal's place
// included): for float32 over all 2^32 inputs (tests/cpp/elementary_exhaustive.cpp), for float64 over a large sample
// (tests/cpp/elementary_float64.cpp).
#pragma once

#include <limits>

#include "kernels/simd.hpp"

namespace backpropc::BPC_ISA {

namespace detail {

template <class V>
inline constexpr bool is_single = sizeof(Element<V>) == 4;

// A constant that depends on the format: the first for float32, the second for float64.
template <class V>
BPC_INLINE V by_format(double single, double twice_as_wide) {
  return constant<V>(is_single<V> ? single : twice_as_wide);
}

template <class V>
struct Format {
  static constexpr int fraction_bits = is_single<V> ? 23 : 52;
  static constexpr int bias = is_single<V> ? 127 : 1023;
  static constexpr double smallest_normal = is_single<V> ? 0x1p-126 : 0x1p-1022;
  // Added to a number of less than 2^21 it leaves the nearest integer in the low bits of the sum.
  static constexpr double shifter = is_single<V> ? 0x1.8p23 : 0x1.8p52;
  // ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
  static constexpr double ln2_high = is_single<V> ? 0x1.62e4p-1 : 0x1.62e42fefa3800p-1;
  static constexpr double ln2_low = is_single<V> ? 0x1.7f7d1cp-20 : 0x1.ef35793c76730p-45;
  // ln 2 as a number of the format, and the rest of it.
  static constexpr double ln2 = is_single<V> ? 0x1.62e43p-1 : 0x1.62e42fefa39efp-1;
  static constexpr double ln2_rest = is_single<V> ? -0x1.05c61p-29 : 0x1.abc9e3b39803fp-56;
  static constexpr double log2_e = is_single<V> ? 0x1.715476p+0 : 0x1.71547652b82fep+0;
};

// c0 + c1 x + …, by Horner's rule on x² for pairs of terms: half as long a chain of dependent operations as on x.
template <class V>
BPC_INLINE V polynomial(V, V, double c0) {
  return constant<V>(c0);
}
template <class V, class... More>
BPC_INLINE V polynomial(V x, V x2, double c0, double c1, More... more) {
  const V pair = fma(constant<V>(c1), x, constant<V>(c0));
  if constexpr (sizeof...(more) == 0)
    return pair;
  else
    return fma(polynomial(x, x2, more...), x2, pair);
}

// The same by Horner's rule on x: fewer operations, where the chain does not matter.
template <class V, class... More>
BPC_INLINE V horner(V x, double c0, More... more) {
  if constexpr (sizeof...(more) == 0)
    return constant<V>(c0);
  else
    return fma(horner(x, more...), x, constant<V>(c0));
}

// A number and what its rounding left out.
template <class V>
struct TwoParts {
  V value, error;
};

// a b + c in two parts, for |a b| not much larger than |c|, or c = 0.
template <class V>
BPC_INLINE TwoParts<V> fma_in_two_parts(V a, V b, V c) {
  const V value = fma(a, b, c);
  return {value, fma(a, b, c - value)};
}

// y with the sign of x, for a y that is zero, NaN, positive or of that sign already.
template <class V>
BPC_INLINE V with_sign_of(V x, V y) {
  constexpr auto sign = UIntElement<V>(1) << (8 * sizeof(Element<V>) - 1);
  return from_bits<V>((unsigned_bits(x) & sign) | unsigned_bits(y));
}

// --- for the exponentials --------------------------------------------------------------------------------------------

// 2^n from the sum z = shifter + bias + n.
template <class V>
BPC_INLINE V power_of_two(V z) {
  return from_bits<V>(unsigned_bits(z) << Format<V>::fraction_bits);
}

// factor · x = n ln 2 + r with |r| <= ln 2 / 2, for a factor of ±1 or ±2; z is shifter + offset + n.
template <class V>
struct Reduced {
  V z, n, r, r_error;

  BPC_INLINE Reduced(V x, double offset, double factor = 1) {
    using F = Format<V>;
    const V shifter = constant<V>(F::shifter + offset);
    z = fma(x, constant<V>(factor * F::log2_e), shifter);
    n = z - shifter;
    const V high = fma(n, constant<V>(-F::ln2_high), x * constant<V>(factor));
    r = fma(n, constant<V>(-F::ln2_low), high);
    r_error = fma(n, constant<V>(-F::ln2_low), high - r);
  }
};

// (e^r − 1 − r) / r² for |r| <= ln 2 / 2, r2 = r²; relative to e^r − 1 within 2^-29.5 (float64: 2^-54.7).
template <class V>
BPC_INLINE V exp_tail(V r, V r2) {
  if constexpr (is_single<V>)
    return polynomial(r, r2, 0x1p-1, 0x1.555556p-3, 0x1.5554a6p-5, 0x1.111084p-7, 0x1.6da734p-10, 0x1.a17e28p-13);
  else
    return polynomial(r, r2, 0x1.0000000000005p-1, 0x1.5555555555539p-3, 0x1.55555555522b8p-5, 0x1.1111111118fb5p-7,
                      0x1.6c16c17edb885p-10, 0x1.a01a0175101a5p-13, 0x1.a019a76f98a5fp-16, 0x1.71de8813d0d7dp-19,
                      0x1.28a1dfb5c723bp-22, 0x1.ae6b8fecdf57ep-26);
}

// (e^r − 1) / r
template <class V>
BPC_INLINE V exp_slope(V r) {
  return fma(exp_tail(r, r * r), r, constant<V>(1));
}

// e^r − 1
template <class V>
BPC_INLINE TwoParts<V> expm1_of_remainder(const Reduced<V>& x) {
  const V r2 = x.r * x.r, rest = exp_tail(x.r, r2) * r2, value = x.r + rest;
  return {value, ((x.r - value) + rest) + x.r_error};
}

}  // namespace detail

// e^x = 2^n e^r, e^r by a polynomial of degree 7 (float64: 11). 2^n comes in two factors, so that nothing over- or
// underflows before the product does. Error 0.88 ULP (float64: 0.90).
template <class V>
BPC_INLINE V exp(V x) {
  using F = detail::Format<V>;
  x = min(detail::by_format<V>(89, 710), max(detail::by_format<V>(-104, -746), x));
  const detail::Reduced<V> a(x, 2 * F::bias);
  const auto n = unsigned_bits(a.z), half = n >> 1;
  const V s1 = from_bits<V>(half << F::fraction_bits);
  const V s2 = from_bits<V>((n - half) << F::fraction_bits);
  return fma(s1 * a.r, detail::exp_slope(a.r), s1) * s2;
}

// e^x − 1 = (2^n − 1) + 2^n (e^r − 1), the polynomial as in exp, the sum in two parts because its terms may cancel.
// Error 0.92 ULP (float64: 1.02).
template <class V>
BPC_INLINE V expm1(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1);
  const V bounded = min(detail::by_format<V>(89, 710), max(detail::by_format<V>(-18, -38), x));
  const detail::Reduced<V> a(bounded, F::bias);
  const detail::TwoParts<V> t = detail::expm1_of_remainder(a);
  // The largest n is one too many for 2^n to be a number: there it is twice 2^(n − 1).
  const auto too_many = a.n > constant<V>(F::bias);
  const V s = detail::power_of_two(too_many ? a.z - one : a.z);
  const V base = s - one, base_error = (s - base) - one;
  const detail::TwoParts<V> sum = detail::fma_in_two_parts(s, t.value, base);
  const V result = sum.value + (fma(s, t.error, sum.error) + base_error);
  return detail::with_sign_of(x, result * (too_many ? constant<V>(2) : one));
}

// 1 / (1 + e^-x), as h / (h + s e^r) with s = h 2^n and an h so small that the quotient can be the subnormal result.
// What ln 2 and the sums leave out of the divisor comes in by a step of Newton's, which takes the quotient's rounding out
// too; all it needs is worked out while the division runs, because networks wait for this function more than for any
// other. Error 0.81 ULP (float64: 0.80).
template <class V>
BPC_INLINE V logistic(V x) {
  using F = detail::Format<V>;
  constexpr int shift = detail::is_single<V> ? 64 : 512;
  constexpr double h_value = detail::is_single<V> ? 0x1p-64 : 0x1p-512;
  const V h = constant<V>(h_value), shifter = constant<V>(F::shifter + F::bias - shift);
  const V z = fma(x, constant<V>(-F::log2_e), shifter), n = z - shifter;
  const V r = fma(n, constant<V>(-F::ln2), -x);  // exact, for n ln 2 is as long as a number, and x no shorter
  const V s = detail::power_of_two(z);

  const V large = max(h, s), small = min(h, s);
  const V start = fma(s, r, large + small);  // h + s (1 + r)
  const V start_error = fma(s, r, small - (start - large));
  const V r2 = r * r;
  const detail::TwoParts<V> d = detail::fma_in_two_parts(s * r2, detail::exp_tail(r, r2), start);
  const V error = fma(n * constant<V>(-F::ln2_rest), d.value - h, d.error + start_error);

  const V y = h / d.value;
  const V remainder = fma(y, -error, fma(y, -d.value, h));
  const V result = fma(y * constant<V>(1 / h_value), remainder, y);
  const V upper = x > detail::by_format<V>(20, 40) ? constant<V>(1) : result;
  return x < detail::by_format<V>(-104, -746) ? V{} : upper;
}

namespace detail {

// (tanh a − a) / a³ as a function of a², for a <= 1 (float64: a <= 5/8)
template <class V>
BPC_INLINE V tanh_tail(V a2) {
  if constexpr (is_single<V>)
    return horner(a2, -0x1.55553cp-2, 0x1.110be4p-3, -0x1.b9622ep-5, 0x1.600994p-6, -0x1.0460c6p-7, 0x1.2da50ep-9,
                  -0x1.77dbe4p-12);
  else
    return horner(a2, -0x1.555555555552dp-2, 0x1.111111110ce62p-3, -0x1.ba1ba1b63071bp-5, 0x1.664f47a5ec8cbp-6,
                  -0x1.226e19dcb6967p-7, 0x1.d6cf8e63abfa3p-9, -0x1.7d6c3c57a6793p-10, 0x1.337b0fda0dca1p-11,
                  -0x1.dfee90df8c3acp-13, 0x1.44ce6f580780fp-14, -0x1.0fe1c9c289771p-16);
}

}  // namespace detail

// tanh x: near 0 an odd polynomial of degree 15 (float64: 23), elsewhere 1 − 2 / (e^2|x| + 1), where the errors of the
// quotient weigh little. Error 0.95 ULP (float64: 1.16).
template <class V>
BPC_INLINE V tanh(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1);
  const V a = min(detail::by_format<V>(10, 20), abs(x));
  const detail::Reduced<V> e(a, F::bias, 2);
  const V s = detail::power_of_two(e.z);
  const V far = one - constant<V>(2) / fma(s * e.r, detail::exp_slope(e.r), s + one);
  const V a2 = a * a;
  const V near = fma(a * a2, detail::tanh_tail(a2), a);
  return detail::with_sign_of(x, a < detail::by_format<V>(1, 0.625) ? near : far);
}

namespace detail {

// --- for the logarithms ----------------------------------------------------------------------------------------------

// ln(1 + f) − f + more, for sqrt(1/2) <= 1 + f <= sqrt(2); relative to ln(1 + f) within 2^-29.6 (float64: 2^-59.5).
template <class V>
BPC_INLINE V log1p_tail(V f, V more) {
  const V f2 = f * f;
  if constexpr (is_single<V>) {
    const V p = polynomial(f, f2, -0x1p-1, 0x1.555544p-2, -0x1.00000ep-2, 0x1.99a584p-3, -0x1.555ad0p-3, 0x1.232cf4p-3,
                           -0x1.fc35a8p-4, 0x1.e77578p-4, -0x1.de41c2p-4, 0x1.1372cep-4);
    return fma(f2, p, more);
  } else {
    // ln(1 + f) = 2 artanh s with s = f / (2 + f): a series in s² needs a third of the terms.
    const V s = f / (constant<V>(2) + f), s2 = s * s, half = f2 * constant<V>(0.5);
    const V p = s2 * polynomial(s2, s2 * s2, 0x1.5555555555592p-1, 0x1.999999997ff3ap-2, 0x1.24924941df02cp-2,
                                0x1.c71c52162e40cp-3, 0x1.74663c976f57fp-3, 0x1.39a1efb31518fp-3, 0x1.2f03891baf401p-3);
    return fma(s, half + p, more - half);
  }
}

// What f.error adds to ln(1 + f.value), nearly.
template <class V>
BPC_INLINE V log1p_error(const TwoParts<V>& f) {
  return fma(-f.value, f.error, f.error);
}

// x = 2^k (1 + f) for a normal x > 0, with sqrt(1/2) <= 1 + f < sqrt(2).
template <class V>
struct Split {
  UInt<V> exponent;  // k + bias, at its place among the bits of a number
  V f, k;

  BPC_INLINE explicit Split(V x) {
    using F = Format<V>;
    using U = UIntElement<V>;
    constexpr U sqrt_half = static_cast<U>(is_single<V> ? 0x3f3504f3 : 0x3fe6a09e667f3bcd);
    constexpr U one = U(F::bias) << F::fraction_bits, fraction = (U(1) << F::fraction_bits) - 1;
    constexpr U counter = U(F::fraction_bits + F::bias) << F::fraction_bits;  // 2^fraction_bits
    const UInt<V> u = unsigned_bits(x) + (one - sqrt_half);
    exponent = u & ~fraction;
    f = from_bits<V>((u & fraction) + sqrt_half) - constant<V>(1);
    k = from_bits<V>((u >> F::fraction_bits) | counter) - constant<V>(double(U(1) << F::fraction_bits) + F::bias);
  }
};

// k ln 2 + ln(1 + f) + more, the large terms added without loss.
template <class V>
BPC_INLINE V log_sum(V k, V f, V more) {
  using F = Format<V>;
  const V sum = fma(k, constant<V>(F::ln2_high), f);
  const V rest = fma(k, constant<V>(F::ln2_high), -sum) + f;
  return sum + log1p_tail(f, fma(k, constant<V>(F::ln2_low), rest + more));
}

// ln x, which for an x that is no positive number is −inf (0), NaN (negative or NaN) or inf, and otherwise the usual.
template <class V>
BPC_INLINE V log_at_edges(V x, V usual) {
  using Limits = std::numeric_limits<Element<V>>;
  const V inf = splat(Limits::infinity());
  const V beyond = x < V{} ? splat(Limits::quiet_NaN()) : x;
  const V edge = x == V{} ? -inf : beyond;
  return x > V{} ? (x < inf ? usual : edge) : edge;
}

}  // namespace detail

// ln x = k ln 2 + ln(1 + f), the latter by a polynomial of degree 11 (float64: of degree 15 in f / (2 + f)).
// Error 0.90 ULP (float64: 0.86).
template <class V>
BPC_INLINE V log(V x) {
  using F = detail::Format<V>;
  const auto subnormal = x < constant<V>(F::smallest_normal);
  const V scale = detail::by_format<V>(0x1p23, 0x1p52);
  const detail::Split<V> a(subnormal ? x * scale : x);
  const V k = subnormal ? a.k - constant<V>(F::fraction_bits) : a.k;
  return detail::log_at_edges(x, detail::log_sum(k, a.f, V{}));
}

// ln(1 + x), as log with k from the rounded 1 + x, but f = 2^-k x + (2^-k − 1) from x itself and in two parts.
// Error 0.91 ULP (float64: 0.87).
template <class V>
BPC_INLINE V log1p(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1), u = one + x;
  const detail::Split<V> a(u);
  // 2^-k is 2^(2 − k) / 4, because the smallest is subnormal.
  constexpr auto largest = UIntElement<V>(2 * F::bias + 2) << F::fraction_bits;
  const V scale = from_bits<V>(largest - a.exponent) * constant<V>(0.25);
  const detail::TwoParts<V> f = detail::fma_in_two_parts(scale, x, scale - one);
  const V usual = detail::log_sum(a.k, f.value, detail::log1p_error(f));
  return detail::with_sign_of(x, detail::log_at_edges(u, usual));
}

// ln(1 + e^x) = max(x, 0) + ln(1 + e) with e = e^-|x| in two parts, and 1 + e = 2^k (1 + f) with k = 0 or 1. Where the
// result may be subnormal it is e itself, and a factor of e's 2^n can wait until after the logarithm.
// Error 0.99 ULP (float64: 0.99).
template <class V>
BPC_INLINE V softplus(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1), zero = V{}, two_to_0 = constant<V>(F::shifter + F::bias);
  const detail::Reduced<V> a(max(detail::by_format<V>(-104, -746), -abs(x)), F::bias);
  const V z = max(two_to_0 - detail::by_format<V>(64, 512), a.z), s = detail::power_of_two(z);
  const V later = detail::power_of_two(a.z - z + two_to_0);
  const detail::TwoParts<V> t = detail::expm1_of_remainder(a);
  const detail::TwoParts<V> e = detail::fma_in_two_parts(s, t.value, s);
  const V e_error = fma(s, t.error, e.error);

  const auto halve = e.value > constant<V>(0x1.a8p-2);  // sqrt(2) − 1
  const V scale = halve ? constant<V>(0.5) : one;
  const detail::TwoParts<V> f0 = detail::fma_in_two_parts(scale, e.value, scale - one);
  const detail::TwoParts<V> f = {f0.value, fma(scale, e_error, f0.error)};

  const V k_ln2 = halve ? constant<V>(F::ln2_high) : zero, k_ln2_error = halve ? constant<V>(F::ln2_low) : zero;
  const V positive = max(x, zero);
  const V start = positive + k_ln2, start_error = positive - (start - k_ln2);
  const V sum = start + f.value, sum_error = f.value - (sum - start);
  const V rest = detail::log1p_tail(f.value, detail::log1p_error(f) + (sum_error + (start_error + k_ln2_error)));
  return x > constant<V>(40) ? x : (sum + rest) * later;
}

namespace detail {

// --- for the error function ------------------------------------------------------------------------------------------

// (erf a − a) / a as a function of a², for a <= 1
template <class V>
BPC_INLINE V erf_tail(V a2) {
  if constexpr (is_single<V>)
    return horner(a2, 0x1.06eba8p-3, -0x1.81273ep-2, 0x1.ce2cfap-4, -0x1.b7f91ap-6, 0x1.54058cp-8, -0x1.a3f5b8p-11,
                  0x1.496bfap-14);
  else
    return horner(a2, 0x1.06eba8214db69p-3, -0x1.812746b0379e6p-2, 0x1.ce2f21a042b20p-4, -0x1.b82ce3128499cp-6,
                  0x1.565bcd0db02c7p-8, -0x1.c02db3d8ecdbep-11, 0x1.f9a321a116d34p-14, -0x1.f4d1df38db4aep-17,
                  0x1.b9def1995c1e6p-20, -0x1.5f1d36a3432d6p-23, 0x1.f7a4112daf135p-27, -0x1.386abe81bc097p-30,
                  0x1.0579a69d4bb26p-34);
}

// ln(1 − erf a) for 0.95 <= a <= 4 (float64: 1 <= a <= 6)
template <class V>
BPC_INLINE TwoParts<V> log_erfc(V a, V a2) {
  V slope;
  if constexpr (is_single<V>)
    slope = polynomial(a, a2, -0x1.20e58cp+0, -0x1.458206p-1, -0x1.aef146p-4, 0x1.767ecep-6, -0x1.a411d6p-9,
                       0x1.be36dep-13);
  else
    slope = polynomial(a, a2, -0x1.20dd7412a172ap+0, -0x1.45f316fa51fb4p-1, -0x1.a4f305da94227p-4, 0x1.3957eac219615p-6,
                       0x1.bcabde76b64abp-13, -0x1.bbb4ef4b0ab63p-10, 0x1.2d493f8ed79d7p-11, 0x1.05efb3fdb1859p-20,
                       -0x1.9080aee0bf866p-14, 0x1.d616c8980f35dp-15, -0x1.55715dcd4a7a8p-16, 0x1.69671deb4c2bbp-18,
                       -0x1.2169d351e9c49p-20, 0x1.5e1971b6df4e4p-23, -0x1.377ded7db6cf5p-26, 0x1.8181487467481p-30,
                       -0x1.28a50fc69565dp-34, 0x1.ab86b05141942p-40);
  return fma_in_two_parts(a, slope, V{});
}

}  // namespace detail

// The error function: near 0 an odd polynomial of degree 13 (float64: 25), elsewhere 1 − e^g with g, a polynomial of
// degree 6 (float64: 18), for ln(1 − erf |x|). Error 0.97 ULP (float64: 0.97).
template <class V>
BPC_INLINE V erf(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1);
  const V a = min(detail::by_format<V>(4, 6), abs(x)), a2 = a * a;
  const V near = fma(a, detail::erf_tail(a2), a);

  const detail::TwoParts<V> g = detail::log_erfc(a, a2);
  const detail::Reduced<V> e(g.value, F::bias);
  const V s = detail::power_of_two(e.z), r = e.r + g.error;
  const V far = fma(-(s * r), detail::exp_slope(r), one - s);
  return detail::with_sign_of(x, a < detail::by_format<V>(0.953125, 1) ? near : far);
}

}  // namespace backpropc::BPC_ISA
