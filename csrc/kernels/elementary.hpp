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

// What a format gives to the algorithms.
template <class V>
struct Format {
  static constexpr int fraction_bits = is_single<V> ? 23 : 52;
  static constexpr int bias = is_single<V> ? 127 : 1023;
  // Added to a number of less than 2^21 it leaves the nearest integer in the low bits of the sum.
  static constexpr double shifter = is_single<V> ? 0x1.8p23 : 0x1.8p52;
  static constexpr double smallest_normal = is_single<V> ? 0x1p-126 : 0x1p-1022;
  // ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
  static constexpr double ln2_high = is_single<V> ? 0x1.62e4p-1 : 0x1.62e42fefa3800p-1;
  static constexpr double ln2_low = is_single<V> ? 0x1.7f7d1cp-20 : 0x1.ef35793c76730p-45;
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

// 2^n from the sum z = shifter + bias + n.
template <class V>
BPC_INLINE V power_of_two(V z) {
  return from_bits<V>(unsigned_bits(z) << Format<V>::fraction_bits);
}

// (e^r − 1 − r) / r² for |r| <= ln 2 / 2, r2 = r²; relative to e^r − 1 within 2^-29.5 and 2^-54.7.
template <class V>
BPC_INLINE V exp_tail(V r, V r2) {
  if constexpr (is_single<V>)
    return polynomial(r, r2, 0x1.000000p-1, 0x1.555556p-3, 0x1.5554a6p-5, 0x1.111084p-7, 0x1.6da734p-10, 0x1.a17e28p-13);
  else
    return polynomial(r, r2, 0x1.0000000000005p-1, 0x1.5555555555539p-3, 0x1.55555555522b8p-5, 0x1.1111111118fb5p-7,
                      0x1.6c16c17edb885p-10, 0x1.a01a0175101a5p-13, 0x1.a019a76f98a5fp-16, 0x1.71de8813d0d7dp-19,
                      0x1.28a1dfb5c723bp-22, 0x1.ae6b8fecdf57ep-26);
}

// factor · x = n ln 2 + r with |r| <= ln 2 / 2, for a factor of ±1 or ±2; the integer n stands in z = shifter + offset + n.
template <class V>
struct Reduced {
  V z, n, r, r_error;  // r + r_error is the remainder, nearly without error

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

// y with the sign of x, for a y that is zero, NaN, positive or of that sign already.
template <class V>
BPC_INLINE V with_sign_of(V x, V y) {
  constexpr auto sign = UIntElement<V>(1) << (8 * sizeof(Element<V>) - 1);
  return from_bits<V>((unsigned_bits(x) & sign) | unsigned_bits(y));
}

}  // namespace detail

// e^x. x = n ln 2 + r; e^r by a polynomial of degree 7 (float64: 11); 2^n in two factors, so that neither over- nor underflows
// before the product does.
template <class V>
BPC_INLINE V exp(V x) {
  using F = detail::Format<V>;
  x = min(constant<V>(detail::is_single<V> ? 89 : 710), max(constant<V>(detail::is_single<V> ? -104 : -746), x));
  const detail::Reduced<V> a(x, 2 * F::bias);
  const auto n = unsigned_bits(a.z), half = n >> 1;
  const V s1 = from_bits<V>(half << F::fraction_bits);
  const V s2 = from_bits<V>((n - half) << F::fraction_bits);
  const V q = fma(detail::exp_tail(a.r, a.r * a.r), a.r, constant<V>(1));
  return fma(s1 * a.r, q, s1) * s2;
}

// e^x − 1. As exp, but with e^r − 1 in two parts, because −1 may cancel most of 2^n e^r.
template <class V>
BPC_INLINE V expm1(V x) {
  using F = detail::Format<V>;
  const V sign = x;
  x = min(constant<V>(detail::is_single<V> ? 89 : 710), max(constant<V>(detail::is_single<V> ? -18 : -38), x));
  const detail::Reduced<V> a(x, F::bias);
  // 2^1024 is no number: where it is needed, twice 2^1023.
  const auto too_large = a.n > constant<V>(F::bias);
  const V twice = too_large ? constant<V>(2) : constant<V>(1);
  const V s = detail::power_of_two(too_large ? a.z - constant<V>(1) : a.z);
  const V r2 = a.r * a.r, v = detail::exp_tail(a.r, r2) * r2;
  const V t = a.r + v, t_error = ((a.r - t) + v) + a.r_error;
  const V one = constant<V>(1);
  const V base = s - one, base_error = (s - base) - one, sum = fma(s, t, base);
  const V rest = fma(s, t_error, fma(s, t, base - sum)) + base_error;
  return detail::with_sign_of(sign, (sum + rest) * twice);
}

namespace detail {

// ln(1 + f) − f for sqrt(1/2) <= 1 + f <= sqrt(2).
template <class V>
BPC_INLINE V log1p_tail(V f) {
  const V f2 = f * f;
  if constexpr (is_single<V>) {
    return f2 * polynomial(f, f2, -0x1p-1, 0x1.555544p-2, -0x1.00000ep-2, 0x1.99a584p-3, -0x1.555ad0p-3, 0x1.232cf4p-3,
                           -0x1.fc35a8p-4, 0x1.e77578p-4, -0x1.de41c2p-4, 0x1.1372cep-4);
  } else {
    // ln(1 + f) = 2 artanh s with s = f / (2 + f): a series in s² needs a third of the terms.
    const V s = f / (constant<V>(2) + f), z = s * s, half = f2 * constant<V>(0.5);
    const V p = z * polynomial(z, z * z, 0x1.5555555555592p-1, 0x1.999999997ff3ap-2, 0x1.24924941df02cp-2,
                               0x1.c71c52162e40cp-3, 0x1.74663c976f57fp-3, 0x1.39a1efb31518fp-3, 0x1.2f03891baf401p-3);
    return fma(s, half + p, -half);
  }
}

// x = 2^k (1 + f) for a normal x > 0, with sqrt(1/2) <= 1 + f < sqrt(2); gives the bits of 1 + f and k's.
template <class V>
struct Split {
  UInt<V> exponent;  // k + bias, at its place in a number
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

// k ln 2 + (f + tail), the large terms added without loss.
template <class V>
BPC_INLINE V log_sum(V k, V f, V tail) {
  using F = Format<V>;
  const V sum = fma(k, constant<V>(F::ln2_high), f);
  const V rest = fma(k, constant<V>(F::ln2_high), -sum) + f;
  return sum + (tail + fma(k, constant<V>(F::ln2_low), rest));
}

// The logarithm of x where x is not a positive number: −inf, NaN, inf, NaN for 0, x < 0, inf, NaN.
template <class V>
BPC_INLINE V log_at_edges(V x, V usual) {
  using Limits = std::numeric_limits<Element<V>>;
  const V inf = splat(Limits::infinity());
  const V beyond = x < V{} ? splat(Limits::quiet_NaN()) : x;
  const V edge = x == V{} ? -inf : beyond;
  return x > V{} ? (x < inf ? usual : edge) : edge;
}

}  // namespace detail

// ln x. x = 2^k (1 + f); ln(1 + f) by a polynomial of degree 10 (float64: of degree 15 in f / (2 + f)).
template <class V>
BPC_INLINE V log(V x) {
  using F = detail::Format<V>;
  const auto subnormal = x < constant<V>(F::smallest_normal);
  const V scale = constant<V>(double(std::uint64_t(1) << F::fraction_bits));
  const detail::Split<V> a(subnormal ? x * scale : x);
  const V k = subnormal ? a.k - constant<V>(F::fraction_bits) : a.k;
  return detail::log_at_edges(x, detail::log_sum(k, a.f, detail::log1p_tail(a.f)));
}

// ln(1 + x). As log, with k from the rounded 1 + x, but f = 2^-k (1 + x) − 1 from x itself and in two parts.
template <class V>
BPC_INLINE V log1p(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1);
  const V u = one + x;
  const detail::Split<V> a(u);
  // 2^-k in two factors, because 2^-128 is subnormal.
  constexpr auto largest = UIntElement<V>(2 * F::bias + 2) << F::fraction_bits;
  const V s = from_bits<V>(largest - a.exponent) * constant<V>(0.25);
  const V base = s - one, f = fma(s, x, base), f_error = fma(s, x, base - f);
  const V tail = fma(-f, f_error, f_error) + detail::log1p_tail(f);
  return detail::with_sign_of(x, detail::log_at_edges(u, detail::log_sum(a.k, f, tail)));
}

// 1 / (1 + e^-x), as h / (h + s e^r) with s = h 2^n and h so small that the quotient itself is the subnormal result. The
// divisor is a sum of two parts; one step of Newton's brings the second into the quotient and takes its rounding out. The
// parts are prepared while the polynomial and the division run, so that they cost no latency.
template <class V>
BPC_INLINE V logistic(V x) {
  using F = detail::Format<V>;
  constexpr int down = detail::is_single<V> ? 64 : 512;
  constexpr double h_value = detail::is_single<V> ? 0x1p-64 : 0x1p-512;
  const V h = constant<V>(h_value), one = constant<V>(1);
  const detail::Reduced<V> a(x, F::bias - down, -1);
  const V s = detail::power_of_two(a.z), r2 = a.r * a.r;

  const V large = max(h, s), small = min(h, s);
  const V start = fma(s, a.r, large + small);  // h + s (1 + r)
  const V start_error = fma(s, a.r, small - (start - large));
  const V q = detail::exp_tail(a.r, r2), s_r2 = s * r2;
  const V d = fma(s_r2, q, start);
  const V d_error = fma(s_r2, q, start - d) + start_error;

  const V y = h / d;
  const V remainder = fma(y, -d_error, fma(y, -d, h));
  const V result = fma(y * constant<V>(1 / h_value), remainder, y);
  const V upper = x > constant<V>(detail::is_single<V> ? 20 : 40) ? one : result;
  return x < constant<V>(detail::is_single<V> ? -104 : -746) ? V{} : upper;
}

// tanh x: near 0 an odd polynomial of degree 15 (float64: 23), elsewhere 1 − 2 / (e^2|x| + 1).
template <class V>
BPC_INLINE V tanh(V x) {
  using F = detail::Format<V>;
  const V magnitude = abs(x), one = constant<V>(1), two = constant<V>(2);
  const V a = min(constant<V>(detail::is_single<V> ? 10 : 20), magnitude);

  const detail::Reduced<V> e(a, F::bias, 2);
  const V s = detail::power_of_two(e.z);
  const V q = fma(detail::exp_tail(e.r, e.r * e.r), e.r, one);
  const V far = one - two / fma(s * e.r, q, s + one);

  const V u = a * a;
  V p;
  if constexpr (detail::is_single<V>)
    p = detail::horner(u, -0x1.55553cp-2, 0x1.110be4p-3, -0x1.b9622ep-5, 0x1.600994p-6, -0x1.0460c6p-7, 0x1.2da50ep-9,
                       -0x1.77dbe4p-12);
  else
    p = detail::horner(u, -0x1.555555555552dp-2, 0x1.111111110ce62p-3, -0x1.ba1ba1b63071bp-5, 0x1.664f47a5ec8cbp-6,
                       -0x1.226e19dcb6967p-7, 0x1.d6cf8e63abfa3p-9, -0x1.7d6c3c57a6793p-10, 0x1.337b0fda0dca1p-11,
                       -0x1.dfee90df8c3acp-13, 0x1.44ce6f580780fp-14, -0x1.0fe1c9c289771p-16);
  const V near = fma(a * u, p, a);
  return detail::with_sign_of(x, a < constant<V>(detail::is_single<V> ? 1 : 0.625) ? near : far);
}

// ln(1 + e^x) = max(x, 0) + ln(1 + e), e = e^-|x| in two parts. A result that may be subnormal is e itself, so that 2^n
// may be put in two factors, the second of them after the logarithm.
template <class V>
BPC_INLINE V softplus(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1), zero = V{};
  const detail::Reduced<V> a(max(constant<V>(detail::is_single<V> ? -104 : -746), -abs(x)), F::bias);
  const V r2 = a.r * a.r, v = detail::exp_tail(a.r, r2) * r2;
  const V t = a.r + v, t_error = ((a.r - t) + v) + a.r_error;
  const V bound = constant<V>(F::shifter + F::bias - (detail::is_single<V> ? 64 : 512));
  const V z1 = max(bound, a.z), s1 = detail::power_of_two(z1);
  const V s2 = detail::power_of_two(a.z - z1 + constant<V>(F::shifter + F::bias));
  const V e = fma(s1, t, s1), e_error = fma(s1, t_error, fma(s1, t, s1 - e));

  // 1 + e = 2^k (1 + f), k = 0 or 1
  const auto twice = e > constant<V>(0x1.a8p-2);
  const V k = twice ? one : zero, scale = twice ? constant<V>(0.5) : one, base = twice ? constant<V>(-0.5) : zero;
  const V f = fma(scale, e, base), f_error = fma(scale, e_error, fma(scale, e, base - f));
  const V tail = fma(-f, f_error, f_error) + detail::log1p_tail(f);

  const V ln2 = constant<V>(F::ln2_high), rest2 = constant<V>(F::ln2_low);
  const V positive = max(x, zero), k_ln2 = k * ln2;
  const V start = positive + k_ln2, start_error = positive - (start - k_ln2);
  const V sum = start + f, sum_error = f - (sum - start);
  const V result = (sum + (sum_error + fma(k, rest2, start_error + tail))) * s2;
  return x > constant<V>(40) ? x : result;
}

// The error function: near 0 an odd polynomial of degree 13 (float64: 25), elsewhere 1 − e^g with a polynomial g for
// ln(1 − erf |x|), of degree 6 (float64: 18).
template <class V>
BPC_INLINE V erf(V x) {
  using F = detail::Format<V>;
  const V one = constant<V>(1);
  const V a = min(constant<V>(detail::is_single<V> ? 4 : 6), abs(x));
  const V u = a * a;
  V p, g, g0;
  if constexpr (detail::is_single<V>) {
    p = detail::horner(u, 0x1.06eba8p-3, -0x1.81273ep-2, 0x1.ce2cfap-4, -0x1.b7f91ap-6, 0x1.54058cp-8, -0x1.a3f5b8p-11,
                       0x1.496bfap-14);
    g = detail::horner(a, -0x1.2088e8p+0, -0x1.46baf6p-1, -0x1.a652eap-4, 0x1.65cac4p-6, -0x1.8259c0p-9, 0x1.86db56p-13);
    g0 = constant<V>(-0x1.662b00p-12);
  } else {
    p = detail::horner(u, 0x1.06eba8214db69p-3, -0x1.812746b0379e6p-2, 0x1.ce2f21a042b20p-4, -0x1.b82ce3128499cp-6,
                       0x1.565bcd0db02c7p-8, -0x1.c02db3d8ecdbep-11, 0x1.f9a321a116d34p-14, -0x1.f4d1df38db4aep-17,
                       0x1.b9def1995c1e6p-20, -0x1.5f1d36a3432d6p-23, 0x1.f7a4112daf135p-27, -0x1.386abe81bc097p-30,
                       0x1.0579a69d4bb26p-34);
    g = detail::polynomial(a, u, -0x1.20dd562ec143dp+0, -0x1.45f42b572c708p-1, -0x1.a4da4d770bcd5p-4,
                           0x1.389394a8526a7p-6, 0x1.261d93418d4cap-12, -0x1.cfbbc88479595p-10, 0x1.50290d9c86861p-11,
                           -0x1.7803490950817p-15, -0x1.27227155c401fp-14, 0x1.79cbe47a05fcep-15, -0x1.150df5da39502p-16,
                           0x1.2261061ea298dp-18, -0x1.c8a45f6f61cd5p-21, 0x1.0df2082b443d3p-23, -0x1.d434142097cfap-27,
                           0x1.19f05711601c3p-30, -0x1.a5dbe3f60a9b9p-35, 0x1.2770647e88f27p-40);
    g0 = constant<V>(-0x1.81badeca92ab8p-23);
  }
  const V near = fma(a, p, a);

  const V exponent = fma(a, g, g0), exponent_error = fma(a, g, g0 - exponent);
  const detail::Reduced<V> e(exponent, F::bias);
  const V s = detail::power_of_two(e.z), r = e.r + exponent_error;
  const V q = fma(detail::exp_tail(r, r * r), r, one);
  const V far = fma(-(s * r), q, one - s);
  return detail::with_sign_of(x, a < one ? near : far);
}

}  // namespace backpropc::BPC_ISA
