// exact_fma, which stands in for the C library's where that one rounds twice, gives the bits of one that rounds once: for
// numbers of all sizes, for those that nearly cancel, for products at the half of a last place, and for all special ones.
#if defined(__SIZEOF_INT128__) && !defined(__MINGW32__)

#include "kernels/exact_fma.hpp"

#include <cstring>
#include <iostream>
#include <random>
#include <type_traits>

namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
T from_bits(Bits<T> bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
bool same(T a, T b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}

template <class T>
bool holds(T a, T b, T c) {
  const T ours = backpropc::portable::exact_fma(a, b, c), theirs = std::fma(a, b, c);
  if (same(ours, theirs)) return true;
  std::cout << std::hexfloat << "fma(" << a << ", " << b << ", " << c << ") is " << theirs << ", not " << ours << '\n';
  return false;
}

template <class T>
bool specials_hold() {
  using Limits = std::numeric_limits<T>;
  const T of[] = {0,
                  1,
                  3,
                  Limits::min(),
                  Limits::denorm_min(),
                  Limits::max(),
                  Limits::infinity(),
                  T(1) / 3,
                  -0.,
                  -1.,
                  Limits::epsilon(),
                  -Limits::min(),
                  -Limits::denorm_min(),
                  -Limits::max(),
                  -Limits::infinity(),
                  Limits::quiet_NaN(),
                  Limits::min() - Limits::denorm_min(),
                  1 + Limits::epsilon(),
                  T(0.5)};
  bool good = true;
  for (const T a : of)
    for (const T b : of)
      for (const T c : of) good = holds(a, b, c) && good;
  return good;
}

template <class T>
bool random_ones_hold(int count) {
  std::mt19937_64 random(1);
  bool good = true;
  for (int i = 0; i < count && good; ++i) {
    // Any bits at all; with few digits; and an addend of the product's own size, or opposed to it and as near as it gets.
    const T a = from_bits<T>(static_cast<Bits<T>>(random())), b = from_bits<T>(static_cast<Bits<T>>(random()));
    const T c = from_bits<T>(static_cast<Bits<T>>(random()));
    const int spread = static_cast<int>(random() % 130) - 65;
    const T round_a = static_cast<T>(random() % 64 + 1), round_b = static_cast<T>(random() % 64 + 1);
    good = holds(a, b, c) && holds(a, b, -(a * b)) && holds(a, b, std::ldexp(a * b, spread)) &&
           holds(a, std::ldexp(round_b, -spread), c) && holds(round_a, b, std::ldexp(b, spread)) &&
           holds(std::ldexp(a, -500), round_b, std::ldexp(round_a, std::numeric_limits<T>::min_exponent - 20)) &&
           holds(std::ldexp(1 + 1 / round_a, std::numeric_limits<T>::min_exponent - 1), 1 / round_b, -c * 0);
  }
  return good;
}

}  // namespace

int main() {
  const bool good = specials_hold<float>() && specials_hold<double>() && random_ones_hold<float>(200000) &&
                    random_ones_hold<double>(200000);
  std::cout << (good ? "one rounding each\n" : "");
  return good ? 0 : 1;
}

#else

int main() { return 0; }

#endif
