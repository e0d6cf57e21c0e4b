// Compares every float64 elementary function with libquadmath's on a large seeded sample and in the neighbourhood of
// every boundary, and demands the same bits of every instruction set of this machine. Fails where one is off by more than
// 1.5 ULP, differs or is wrong at an edge.
//
//   elementary_float64 [function ...] [number of inputs for each region]
#include <quadmath.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "elementary_list.hpp"

namespace {

using Quad = __float128;
constexpr double allowed = 1.5;

struct Reference {
  std::string name;
  Quad (*exact)(Quad);
  double lowest, highest;     // beyond these the function is constant, or not a number
  std::vector<double> seams;  // where the method, or the result's kind, changes
};
Quad logistic(Quad x) { return 1 / (1 + expq(-x)); }
Quad softplus(Quad x) { return x > 100 ? x : log1pq(expq(x)); }

constexpr double asinh_1 = 0.881373587019543;  // where 1 + e^-|x| is sqrt(2)
const Reference references[] = {
    {"exp", expq, -746, 710, {709.782712893384, -708.3964185322641, -745.1332191019411}},
    {"expm1", expm1q, -40, 710, {709.782712893384, -37.42994775023705}},
    {"log", logq, 0, 1e308, {std::sqrt(0.5), std::sqrt(2.0), 1, 2.2250738585072014e-308}},
    {"log1p", log1pq, -1, 1e308, {std::sqrt(0.5) - 1, std::sqrt(2.0) - 1, 0x1p53, 0x1p54, 0x1.6a09e667f3bcdp1023}},
    {"tanh", tanhq, -20, 20, {0.625, -0.625, 19.06}},
    {"logistic", logistic, -746, 40, {36.04, 36.74, 40, -36.74, -708.3964185322641, -745.1}},
    {"softplus", softplus, -746, 50, {40, -asinh_1, asinh_1, -708.4, -745.1}},
    {"erf", erfq, -6, 6, {1, -1, 5.86, 6}},
};

std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
double uniform(std::uint64_t& state, double low, double high) {
  return low + double(splitmix64(state) >> 11) * 0x1p-53 * (high - low);
}

std::vector<double> sample(const Reference& r, std::size_t n) {
  std::uint64_t state = 1;
  std::vector<double> in;
  for (std::size_t i = 0; i < n / 4; ++i) {  // any bits at all
    const std::uint64_t u = splitmix64(state);
    double x;
    std::memcpy(&x, &u, sizeof x);
    in.push_back(x);
  }
  for (std::size_t i = 0; i < n; ++i) {
    in.push_back(uniform(state, std::max(r.lowest, -1e3), std::min(r.highest, 1e3)));
    in.push_back(uniform(state, std::max(r.lowest, -3.0), std::min(r.highest, 3.0)));
    const double small = std::exp2(uniform(state, -60, 6));
    in.push_back(splitmix64(state) & 1 ? small : -small);
  }
  for (std::size_t i = 0; i < n / 4; ++i) in.push_back(1 + uniform(state, -1, 1) * std::exp2(uniform(state, -50, -1)));
  for (const double seam : r.seams) {
    double up = seam, down = seam;
    for (std::size_t i = 0; i < n / 64; ++i) {
      in.insert(in.end(), {up, down, seam * (1 + uniform(state, -1e-3, 1e-3))});
      up = std::nextafter(up, elementary::inf);
      down = std::nextafter(down, -elementary::inf);
    }
  }
  for (int k = -1080; k < 1080; ++k)  // where exp's reduction changes its n, and that of tanh, which takes e^2x
    for (int i = -20; i <= 20; ++i) {
      const double seam = (k + 0.5) * 0.6931471805599453 * (1 + i * 0x1p-52);
      in.insert(in.end(), {seam, seam / 2});
    }
  return in;
}

// |y − exact| in units of the last place of the rounded exact value.
double ulps(double y, Quad exact) {
  const double rounded = static_cast<double>(exact);
  if (std::isnan(rounded) || std::isnan(y) || std::isinf(rounded) || std::isinf(y))
    return elementary::same(y, rounded) ? 0 : HUGE_VAL;
  if (y == 0 && exact == 0) return elementary::same(y, rounded) ? 0 : HUGE_VAL;
  const int exponent = rounded == 0 ? -1074 : std::max(std::ilogb(rounded) - 52, -1074);
  return static_cast<double>(ldexpq(fabsq(y - exact), -exponent));
}

struct Worst {
  double error = 0, at = 0;
  void take(double e, double x) {
    if (e > error) error = e, at = x;
  }
};

Worst over(const std::vector<double>& in, const std::vector<double>& out, const Reference& reference) {
  const std::size_t parts = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst> worst(parts);
  std::vector<std::thread> threads;
  for (std::size_t part = 0; part < parts; ++part)
    threads.emplace_back([&, part] {
      for (std::size_t i = part; i < in.size(); i += parts)
        worst[part].take(ulps(out[i], reference.exact(in[i])), in[i]);
    });
  for (std::thread& thread : threads) thread.join();
  return *std::max_element(worst.begin(), worst.end(),
                           [](const Worst& a, const Worst& b) { return a.error < b.error; });
}

std::size_t differences(const std::vector<double>& a, const std::vector<double>& b) {
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) different += !elementary::same(a[i], b[i]);
  return different;
}

bool is_right(std::size_t function, std::size_t n) {
  const std::string name = elementary::portable::implementation.float64[function].name;
  const auto reference =
      std::find_if(std::begin(references), std::end(references), [&](const Reference& r) { return r.name == name; });
  const std::vector<double> in = sample(*reference, n);
  std::vector<double> want(in.size()), got(in.size());
  elementary::portable::implementation.float64[function].apply(in.size(), in.data(), want.data());
  const Worst worst = over(in, want, *reference);
  bool right = worst.error <= allowed;
  std::size_t different = 0;
  for (const elementary::Implementation* isa : elementary::implementations()) {
    isa->float64[function].apply(in.size(), in.data(), got.data());
    different += differences(want, got);
    right = elementary::edges_are_right(isa->name, isa->float64[function]) && right;
  }
  std::printf("%-8s %10zu inputs, max error %.4f ULP at %a (%.17g), %zu results differ\n", name.c_str(), in.size(),
              worst.error, worst.at, worst.at, different);
  std::fflush(stdout);
  return right && different == 0;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> wanted;
  std::size_t n = 200000;
  for (int i = 1; i < count; ++i) {
    if (const std::size_t number = std::strtoull(arguments[i], nullptr, 10))
      n = number;
    else
      wanted.push_back(arguments[i]);
  }
  std::printf("float64, bits compared:");
  for (const elementary::Implementation* isa : elementary::implementations()) std::printf(" %s", isa->name);
  std::printf("\n");
  bool right = true;
  for (std::size_t f = 0; f < elementary::n_functions; ++f) {
    const char* const name = elementary::portable::implementation.float64[f].name;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end())
      right = is_right(f, n) && right;
  }
  return right ? 0 : 1;
}
