// The elementary functions by name, for the instruction set this is compiled for.
#include "elementary_list.hpp"
#include "kernels/elementary.hpp"
#include "kernels/loops.hpp"

#if !defined(ELEMENTARY_NAMESPACE)
#define ELEMENTARY_NAMESPACE BPC_ISA
#endif
#define ELEMENTARY_TEXT(name) ELEMENTARY_QUOTED(name)
#define ELEMENTARY_QUOTED(name) #name

namespace elementary::ELEMENTARY_NAMESPACE {

namespace {

namespace isa = backpropc::BPC_ISA;

template <class T>
constexpr Function<T> functions[n_functions] = {
#define ELEMENTARY_ENTRY(f) \
  {#f, [](std::size_t n, const T* in, T* out) { isa::map(n, out, [](isa::Vec<T> x) { return isa::f(x); }, in); }},
    ELEMENTARY_ENTRY(exp) ELEMENTARY_ENTRY(expm1) ELEMENTARY_ENTRY(log) ELEMENTARY_ENTRY(log1p) ELEMENTARY_ENTRY(tanh)
        ELEMENTARY_ENTRY(logistic) ELEMENTARY_ENTRY(softplus) ELEMENTARY_ENTRY(erf)
#undef ELEMENTARY_ENTRY
};

}  // namespace

constexpr Implementation implementation = {ELEMENTARY_TEXT(ELEMENTARY_NAMESPACE), functions<float>, functions<double>};

}  // namespace elementary::ELEMENTARY_NAMESPACE
