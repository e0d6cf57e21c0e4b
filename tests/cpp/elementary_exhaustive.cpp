// Compares every float32 elementary function with libm's float64 one over all 2^32 inputs, for the instruction set this
// is compiled for, and fails where one is off by more than 1 ULP or an edge case is wrong.
//
//   elementary_exhaustive [function ...] [stride]
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "elementary_list.hpp"

namespace {

constexpr double allowed = 1.0;

double logistic(double x) { return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return x > 100 ? x : std::log1p(std::exp(x)); }

struct Reference {
  std::string name;
  double (*exact)(double);
};
const Reference references[] = {
    {"exp", std::exp},   {"expm1", std::expm1},  {"log", std::log},      {"log1p", std::log1p},
    {"tanh", std::tanh}, {"logistic", logistic}, {"softplus", softplus}, {"erf", std::erf},
};

float from_pattern(std::uint32_t u) {
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
std::uint32_t pattern(float x) {
  std::uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}

// |y − exact| in units of the last place of the rounded exact value.
double ulps(float y, double exact) {
  const float rounded = static_cast<float>(exact);
  if (std::isnan(rounded) || std::isnan(y) || std::isinf(rounded) || std::isinf(y))
    return elementary::same(y, rounded) ? 0 : HUGE_VAL;
  if (y == 0 && exact == 0) return elementary::same(y, rounded) ? 0 : HUGE_VAL;
  const int exponent = std::max(1, static_cast<int>(pattern(rounded) >> 23 & 255));
  return std::fabs(y - exact) * std::ldexp(1.0, 150 - exponent);
}

struct Worst {
  double error = 0;
  std::uint32_t at = 0;
  void take(double e, std::uint32_t u) {
    if (e > error) error = e, at = u;
  }
};

Worst over_all_inputs(const elementary::Function<float>& f, const Reference& reference, std::uint64_t stride) {
  constexpr std::uint64_t block = 4096;
  constexpr std::uint64_t all = std::uint64_t(1) << 32;
  std::atomic<std::uint64_t> next{0};
  std::mutex joining;
  Worst total;
  const auto work = [&] {
    Worst worst;
    std::vector<float> in(block), out(block);
    for (std::uint64_t begin; (begin = next.fetch_add(block * stride)) < all;) {
      std::size_t n = 0;
      for (std::uint64_t u = begin; n < block && u < all; u += stride)
        in[n++] = from_pattern(static_cast<std::uint32_t>(u));
      f.apply(n, in.data(), out.data());
      for (std::size_t i = 0; i < n; ++i) worst.take(ulps(out[i], reference.exact(in[i])), pattern(in[i]));
    }
    const std::lock_guard<std::mutex> lock(joining);
    total.take(worst.error, worst.at);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return total;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> wanted;
  std::uint64_t stride = 1;
  for (int i = 1; i < count; ++i) {
    if (const std::uint64_t number = std::strtoull(arguments[i], nullptr, 10))
      stride = number;
    else
      wanted.push_back(arguments[i]);
  }
  bool right = true;
  for (const auto& f : elementary::functions<float>) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), f.name) == wanted.end()) continue;
    const auto named = [&](const Reference& r) { return r.name == f.name; };
    const Worst worst = over_all_inputs(f, *std::find_if(std::begin(references), std::end(references), named), stride);
    const float x = from_pattern(worst.at);
    std::printf("%-8s float32 %-8s max error %.4f ULP at %a (%.9g)\n", elementary::isa_name, f.name, worst.error, x, x);
    std::fflush(stdout);
    right = elementary::edges_are_right(f) && worst.error <= allowed && right;
  }
  return right ? 0 : 1;
}
