// What the planted changes call: each waits until its number is chosen. Included before everything else in a build for
// mutation testing; csrc knows nothing of it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

#define BPC_AT_ONCE __attribute__((always_inline)) inline

extern "C" {
// The number of the mutant that lives: 0 for none, −1 for none while those that are reached are written down.
[[gnu::visibility("default")]] inline int backpropc_mutant = [] {
  const char* chosen = std::getenv("BACKPROPC_MUTANT");
  return chosen != nullptr ? std::atoi(chosen) : 0;
}();
[[gnu::visibility("default")]] inline int backpropc_mutants_reached[20000] = {};
}

namespace mutation {

// At the end of a process that no one else asks.
struct Told {
  ~Told() {
    const char* path = std::getenv("BACKPROPC_MUTANTS_REACHED");
    std::FILE* file = backpropc_mutant < 0 && path != nullptr ? std::fopen(path, "a") : nullptr;
    if (file == nullptr) return;
    for (int id = 1; id < 20000; ++id)
      if (backpropc_mutants_reached[id] != 0) std::fprintf(file, "%d\n", id);
    std::fclose(file);
  }
};
inline Told told;

template <int id>
BPC_AT_ONCE bool on() {
  if (__builtin_expect(backpropc_mutant < 0, 0)) backpropc_mutants_reached[id] = 1;
  return __builtin_expect(backpropc_mutant == id, 0);
}

// `a + b` is planted as `a + Swap<id>{} + b`: the precedence stays what it was.
template <int id>
struct Swap {};

#define BPC_SWAP(Name, op, other)                                                                          \
  template <int id, class L>                                                                               \
  struct Name {                                                                                            \
    const L& left;                                                                                         \
  };                                                                                                       \
  template <int id, class L>                                                                               \
  BPC_AT_ONCE Name<id, L> operator op(const L& left, Swap<id>) {                                           \
    return {left};                                                                                         \
  }                                                                                                        \
  template <int id, class L, class R>                                                                      \
  BPC_AT_ONCE auto operator op(Name<id, L> half, const R& right)                                           \
      ->std::enable_if_t<sizeof(half.left other right) != 0, std::decay_t<decltype(half.left op right)>> { \
    if (on<id>()) return half.left other right;                                                            \
    return half.left op right;                                                                             \
  }

BPC_SWAP(Plus, +, -)
BPC_SWAP(Minus, -, +)
BPC_SWAP(Times, *, /)
BPC_SWAP(Over, /, *)
BPC_SWAP(Modulo, %, /)
BPC_SWAP(Less, <, <=)
BPC_SWAP(LessOrEqual, <=, <)
BPC_SWAP(Greater, >, >=)
BPC_SWAP(GreaterOrEqual, >=, >)
BPC_SWAP(Equal, ==, !=)
BPC_SWAP(Unequal, !=, ==)
BPC_SWAP(LeftShift, <<, >>)
BPC_SWAP(RightShift, >>, <<)
BPC_SWAP(BitAnd, &, |)
BPC_SWAP(BitOr, |, &)
BPC_SWAP(BitXor, ^, &)
#undef BPC_SWAP

// `-a` is planted as `Negative<id>{} ->* a`, which binds more tightly than any operator between two operands.
template <int id>
struct Negative {};
template <int id, class R>
BPC_AT_ONCE auto operator->*(Negative<id>, const R& right) -> std::decay_t<decltype(-right)> {
  if (on<id>()) return right;
  return -right;
}

template <int id, class R>
BPC_AT_ONCE R opposite(const R& right) {
  if (on<id>()) return -right;
  return right;
}

template <int id, class T>
BPC_AT_ONCE T number(T value) {
  if (!on<id>()) return value;
  if constexpr (std::is_floating_point_v<T>)
    return value == 0 ? T(1) : value * T(1.0009765625);
  else
    return static_cast<T>(value + 1);
}

template <int id, class Left, class Right>
BPC_AT_ONCE bool both(const Left& left, Right right) {
  return on<id>() ? left || right() : left && right();
}
template <int id, class Left, class Right>
BPC_AT_ONCE bool either(const Left& left, Right right) {
  return on<id>() ? left && right() : left || right();
}

}  // namespace mutation
