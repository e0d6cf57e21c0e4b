// a·b + c with one rounding, to nearest, by integers: for a C library whose own fma rounds twice, as MinGW's does. It needs
// no more than a compiler with integers of 128 bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace backpropc::portable {

__extension__ using Wide = unsigned __int128;

// |x| = digits · 2^exponent, with 53 bits of digits.
struct Decomposed {
  explicit Decomposed(double x) : digits(static_cast<Wide>(std::ldexp(std::frexp(std::fabs(x), &exponent), 53))) {
    exponent -= 53;
  }
  int exponent = 0;
  Wide digits;
};

// What is shifted out leaves a 1 in the last place, where it was not 0: below a half and above it stay apart.
inline Wide shift_right_and_jam(Wide x, int n) {
  if (n > 127) return x != 0;
  return x >> n | ((x & ((Wide{1} << n) - 1)) != 0);
}

inline int length_of(Wide x) {
  const auto high = static_cast<std::uint64_t>(x >> 64), low = static_cast<std::uint64_t>(x);
  return high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll(low);
}

// x · 2^exponent in T's precision; x is not 0 and below 2^127.
template <class T>
T rounded(Wide x, int exponent) {
  using Limits = std::numeric_limits<T>;
  constexpr int least_exponent = Limits::min_exponent - Limits::digits;
  const int excess = std::max(length_of(x) - Limits::digits, least_exponent - exponent);
  if (excess > 0) {
    const Wide jammed = shift_right_and_jam(x << 1, excess - 1);  // two places more than there shall be
    const unsigned last = static_cast<unsigned>(jammed & 7);
    x = (jammed >> 2) + (last == 3 || last > 5);
    exponent += excess;
  }
  return static_cast<T>(std::ldexp(static_cast<double>(x), exponent));
}

template <class T>
T exact_fma(T a, T b, T c) {
  const double x = a, y = b, z = c;
  if (!std::isfinite(x) || !std::isfinite(y) || a == 0 || b == 0) return a * b + c;
  if (!std::isfinite(z)) return c;  // a product of finite numbers may be rounded to infinity
  if (c == 0) return a * b;         // and not + c: a product that is rounded to -0 would lose its sign
  const Decomposed p(x), q(y), r(z);
  // Both with their first bit at place 124 or 125; then the smaller one moves to the other's exponent.
  Wide product = (p.digits * q.digits) << 20, addend = r.digits << 72;
  int exponent = p.exponent + q.exponent - 20;
  const int ahead = r.exponent - 72 - exponent;
  if (ahead > 0) {
    product = shift_right_and_jam(product, ahead);
    exponent += ahead;
  } else {
    addend = shift_right_and_jam(addend, -ahead);
  }
  const bool product_negative = std::signbit(x) != std::signbit(y);
  if (product_negative == std::signbit(z))
    return product_negative ? -rounded<T>(product + addend, exponent) : rounded<T>(product + addend, exponent);
  if (product == addend) return 0;
  const bool negative = product > addend ? product_negative : !product_negative;
  const T size = rounded<T>(product > addend ? product - addend : addend - product, exponent);
  return negative ? -size : size;
}

}  // namespace backpropc::portable
