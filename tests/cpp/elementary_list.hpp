// The elementary functions by name, for the programs that test them.
#pragma once

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

}  // namespace elementary
