// How an activation, loss, optimizer or initializer describes itself: its names, its formula, its parameters. Everything
// that lists them (the Python names, the messages, the documentation, the tests) reads these descriptions.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <type_traits>

namespace backpropc {

// The definitions of one family, in the order in which they are listed.
template <class... Definitions>
struct List {
  static constexpr std::size_t size = sizeof...(Definitions);
};

namespace detail {
template <class D, class... Ds>
constexpr std::size_t position(List<Ds...>) {
  std::size_t i = 0, found = sizeof...(Ds);
  ((found = std::is_same_v<D, Ds> ? i : found, ++i), ...);
  return found;
}
}  // namespace detail

// Where D stands in the list.
template <class D, class L>
inline constexpr int index_in = static_cast<int>(detail::position<D>(L{}));

inline constexpr std::size_t max_parameters = 8;
inline constexpr std::size_t max_choices = 4;
// The values of a definition's parameters, in the order of its description.
using ParameterValues = std::array<double, max_parameters>;

struct Interval {
  double low, high;
  bool low_included, high_included;
};
inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr Interval any_number{-infinity, infinity, false, false};
inline constexpr Interval at_least_zero{0.0, infinity, true, false};
inline constexpr Interval above_zero{0.0, infinity, false, false};
inline constexpr Interval from_zero_below_one{0.0, 1.0, true, false};
inline constexpr Interval above_zero_below_one{0.0, 1.0, false, false};
inline constexpr Interval at_least_one{1.0, infinity, true, false};

struct Parameter {
  const char* name = nullptr;
  double value = 0.0;  // the default, where there is one
  bool required = false;
  bool is_flag = false;  // true or false, kept as 1 or 0
  Interval allowed = any_number;
  std::array<const char*, max_choices> choices{};  // names one of which is chosen, kept as its position
  std::size_t n_choices = 0;
};

struct Relation {
  const char *first = nullptr, *second = nullptr, *kind = nullptr;
};

struct Description {
  const char* name;
  const char* alias = nullptr;
  const char* formula = "";
  const char* source = "";
  std::array<Parameter, max_parameters> parameters{};
  std::size_t n_parameters = 0;
  std::array<Relation, 2> relations{};
  std::size_t n_relations = 0;

  constexpr Description also_called(const char* text) const {
    Description d = *this;
    d.alias = text;
    return d;
  }
  constexpr Description with_formula(const char* text) const {
    Description d = *this;
    d.formula = text;
    return d;
  }
  constexpr Description from(const char* text) const {
    Description d = *this;
    d.source = text;
    return d;
  }
  constexpr Description takes(const char* parameter, Interval allowed) const {
    return with({parameter, 0.0, true, false, allowed});
  }
  constexpr Description takes(const char* parameter, Interval allowed, double by_default) const {
    return with({parameter, by_default, false, false, allowed});
  }
  constexpr Description takes_flag(const char* parameter, bool by_default) const {
    return with({parameter, by_default ? 1.0 : 0.0, false, true, any_number});
  }
  constexpr Description takes_choice(const char* parameter, std::initializer_list<const char*> names,
                                     std::string_view by_default) const {
    Parameter p{parameter};
    for (const char* choice : names) {
      if (choice == by_default) p.value = static_cast<double>(p.n_choices);
      p.choices[p.n_choices++] = choice;
    }
    return with(p);
  }
  // What must hold between two of its parameters: first ≤ second; or, where the flag `first` is true, second > 0.
  constexpr Description keeps_at_most(const char* first, const char* second) const {
    return relate({first, second, "at_most"});
  }
  constexpr Description needs(const char* first, const char* second) const { return relate({first, second, "needs"}); }

 private:
  constexpr Description with(Parameter p) const {
    Description d = *this;
    d.parameters[d.n_parameters++] = p;
    return d;
  }
  constexpr Description relate(Relation r) const {
    Description d = *this;
    d.relations[d.n_relations++] = r;
    return d;
  }
};

constexpr Description describe(const char* name) { return Description{name}; }

}  // namespace backpropc
