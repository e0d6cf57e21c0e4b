// The elementary functions by name and their values at the edges, for the programs that test them.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "kernels/elementary.hpp"
#include "kernels/loops.hpp"

namespace elementary {

namespace isa = backpropc::BPC_ISA;

#define ELEMENTARY_LIST(f) f(exp) f(expm1) f(log) f(log1p) f(tanh) f(logistic) f(softplus) f(erf)

template <class T>
struct Function {
  const char* name;
  void (*apply)(std::size_t n, const T* in, T* out);
};

template <class T>
inline constexpr Function<T> functions[] = {
#define ELEMENTARY_ENTRY(f) \
  {#f, [](std::size_t n, const T* in, T* out) { isa::map(n, out, [](isa::Vec<T> x) { return isa::f(x); }, in); }},
    ELEMENTARY_LIST(ELEMENTARY_ENTRY)
#undef ELEMENTARY_ENTRY
};

#define ELEMENTARY_TEXT(name) ELEMENTARY_QUOTED(name)
#define ELEMENTARY_QUOTED(name) #name
inline constexpr const char* isa_name = ELEMENTARY_TEXT(BPC_ISA);

// Equal to the bit, but for NaN, whose payload and sign are the processor's.
template <class T>
bool same(T a, T b) {
  return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0;
}

struct Edges {
  std::string name;
  double at_minus_inf, at_minus_0, at_0, at_inf;
};
inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline const Edges edges[] = {
    {"exp", 0.0, 1, 1, inf},        {"expm1", -1, -0.0, 0.0, inf},
    {"log", nan, -inf, -inf, inf},  {"tanh", -1, -0.0, 0.0, 1},
    {"log1p", nan, -0.0, 0.0, inf}, {"logistic", 0.0, 0.5, 0.5, 1},
    {"erf", -1, -0.0, 0.0, 1},      {"softplus", 0.0, 0.6931471805599453, 0.6931471805599453, inf},
};

template <class T>
bool edges_are_right(const Function<T>& f) {
  bool right = true;
  const auto expect = [&](double x, double y) {
    const T in = static_cast<T>(x);
    T out;
    f.apply(1, &in, &out);
    if (same(out, static_cast<T>(y))) return;
    std::printf("%s(%a) = %a, not %a\n", f.name, x, double(out), y);
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
