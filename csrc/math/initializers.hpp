// The initial parameters: each a function of one uniform random number and the layer's fans.
//
// Adding one is one struct here and its name in the list at the end. The struct has
//   description         its name, formula, source and parameters
//   value(u, fan, p)    a parameter, from the random number u
#pragma once

#include <cmath>
#include <cstdint>

#include "core/definition.hpp"

namespace backpropc {

struct Fan {
  double in, out;
};

// 53 random bits as a number that a distribution can be had from, on every machine the same.
class UniformDraw {
 public:
  explicit UniformDraw(std::uint64_t raw) : raw_(raw) {}
  // In [low, high), as numpy.random.Generator.uniform.
  double between(double low, double high) const {
    return low + (high - low) * (static_cast<double>(raw_ >> 11) * 0x1p-53);
  }
  // The standard normal number below which a share u of (0, 1) lies.
  double normal() const;

 private:
  std::uint64_t raw_;
};

// Inverse of the standard normal distribution function (Wichura 1988, Algorithm AS 241, PPND16), for 0 < p < 1.
double normal_quantile(double p);

struct GlorotUniform {
  static constexpr Description description = describe("glorot_uniform")
                                                 .with_formula("uniform in ±sqrt(6 / (fan_in + fan_out))")
                                                 .from("Glorot, Bengio 2010, equation 16");
  static double value(UniformDraw u, Fan fan, const ParameterValues&) {
    const double limit = std::sqrt(6.0 / (fan.in + fan.out));
    return u.between(-limit, limit);
  }
};

struct GlorotNormal {
  static constexpr Description description = describe("glorot_normal")
                                                 .with_formula("normal, variance 2 / (fan_in + fan_out)")
                                                 .from("Glorot, Bengio 2010, equation 12");
  static double value(UniformDraw u, Fan fan, const ParameterValues&) {
    return std::sqrt(2.0 / (fan.in + fan.out)) * u.normal();
  }
};

struct HeUniform {
  static constexpr Description description =
      describe("he_uniform").with_formula("uniform in ±sqrt(6 / fan_in)").from("He, Zhang, Ren, Sun 2015, equation 10");
  static double value(UniformDraw u, Fan fan, const ParameterValues&) {
    const double limit = std::sqrt(6.0 / fan.in);
    return u.between(-limit, limit);
  }
};

struct HeNormal {
  static constexpr Description description =
      describe("he_normal").with_formula("normal, variance 2 / fan_in").from("He, Zhang, Ren, Sun 2015, equation 10");
  static double value(UniformDraw u, Fan fan, const ParameterValues&) { return std::sqrt(2.0 / fan.in) * u.normal(); }
};

struct LecunNormal {
  static constexpr Description description = describe("lecun_normal")
                                                 .with_formula("normal, variance 1 / fan_in")
                                                 .from("LeCun, Bottou, Orr, Müller 1998, equation 16");
  static double value(UniformDraw u, Fan fan, const ParameterValues&) { return std::sqrt(1.0 / fan.in) * u.normal(); }
};

struct Uniform {
  static constexpr Description description = describe("uniform")
                                                 .with_formula("uniform in [low, high)")
                                                 .takes("low", any_number)
                                                 .takes("high", any_number)
                                                 .keeps_at_most("low", "high");
  static double value(UniformDraw u, Fan, const ParameterValues& p) { return u.between(p[0], p[1]); }
};

struct Normal {
  static constexpr Description description =
      describe("normal").with_formula("normal, standard deviation std").takes("std", at_least_zero);
  static double value(UniformDraw u, Fan, const ParameterValues& p) { return p[0] * u.normal(); }
};

struct Zeros {
  static constexpr Description description = describe("zeros").with_formula("0");
  static double value(UniformDraw, Fan, const ParameterValues&) { return 0.0; }
};

using Initializers = List<GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunNormal, Uniform, Normal, Zeros>;

// values[0 … n-1] from initializer `index` of the list, with the next n random numbers of the stream.
class Philox;
template <class T>
void initialize(int index, const ParameterValues& p, Fan fan, Philox& random, std::size_t n, T* values);

}  // namespace backpropc
