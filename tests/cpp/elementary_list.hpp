// The elementary functions of every instruction set, and their values at the edges, for the programs that test them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/table.hpp"

namespace elementary {

template <class T>
struct Function {
  const char* name;
  void (*apply)(std::size_t n, const T* in, T* out);
};

inline constexpr std::size_t n_functions = 8;

struct Implementation {
  const char* name;  // of the instruction set
  const Function<float>* float32;
  const Function<double>* float64;

  template <class T>
  const Function<T>* functions() const {
    if constexpr (sizeof(T) == sizeof(float))
      return float32;
    else
      return float64;
  }
};

namespace portable {
extern const Implementation implementation;
}
namespace avx2 {
extern const Implementation implementation;
}
namespace avx512 {
extern const Implementation implementation;
}
namespace neon {
extern const Implementation implementation;
}
// The portable source again, with the instruction for each fma where the portable kernels call libm's: the same
// arithmetic at a tenth of the time.
namespace portable_fma {
extern const Implementation implementation;
}

// The ones that this processor can run, the portable first.
inline std::vector<const Implementation*> implementations() {
  const Implementation* const compiled[] = {
      &portable::implementation,
#if defined(BPC_HAVE_AVX2)
      &avx2::implementation,
#endif
#if defined(BPC_HAVE_AVX512)
      &avx512::implementation,
#endif
#if defined(BPC_HAVE_NEON)
      &neon::implementation,
#endif
  };
  std::vector<const Implementation*> found;
  for (const Implementation* i : compiled)
    for (const backpropc::InstructionSet* isa : backpropc::available_instruction_sets())
      if (std::string(isa->name) == i->name) found.push_back(i);
  return found;
}

// Equal to the bit, but for NaN, whose payload and sign are the processor's.
template <class T>
bool same(T a, T b) {
  return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0;
}

// Known while compiling: if set at the start, each instruction set that includes this would do it, also one that is not here.
struct Edges {
  std::string_view name;
  double at_minus_inf, at_minus_0, at_0, at_inf;
};
inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr Edges edges[] = {
    {"exp", 0.0, 1, 1, inf},        {"expm1", -1, -0.0, 0.0, inf},
    {"log", nan, -inf, -inf, inf},  {"tanh", -1, -0.0, 0.0, 1},
    {"log1p", nan, -0.0, 0.0, inf}, {"logistic", 0.0, 0.5, 0.5, 1},
    {"erf", -1, -0.0, 0.0, 1},      {"softplus", 0.0, 0.6931471805599453, 0.6931471805599453, inf},
};

template <class T>
bool edges_are_right(const char* isa, const Function<T>& f) {
  bool right = true;
  const auto expect = [&](double x, double y) {
    const T in = static_cast<T>(x);
    T out;
    f.apply(1, &in, &out);
    if (same(out, static_cast<T>(y))) return;
    std::printf("%s: %s(%a) = %a, not %a\n", isa, f.name, x, double(out), y);
    right = false;
  };
  for (const Edges& e : edges) {
    if (e.name != f.name) continue;
    expect(-inf, e.at_minus_inf);
    expect(-0.0, e.at_minus_0);
    expect(0.0, e.at_0);
    expect(inf, e.at_inf);
    expect(nan, nan);
  }
  if (std::string(f.name) == "log") expect(1, 0.0), expect(-1, nan);
  if (std::string(f.name) == "log1p") expect(-1, -inf), expect(-1.5, nan);
  return right;
}

}  // namespace elementary
