// Compares every float32 elementary function with libm's float64 one over all 2^32 inputs, and demands the same bits of
// every instruction set of this machine. Fails where one is off by more than 1 ULP, differs or is wrong at an edge.
//
//   elementary_exhaustive [function ...] [stride]
//
// With stride 1 (the default; minutes) the portable kernels take one block of inputs in 64, since on x86-64 each of their
// fused multiply-adds is a call; their source compiled with the instruction takes all.
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
constexpr std::size_t block = 4096;
constexpr std::uint64_t all = std::uint64_t(1) << 32;

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
double from_pattern(std::uint64_t u) {
  double x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}

// |y − exact| in units of the last place of the rounded exact value. Without branches, for 2^32 calls.
double ulps(float y, double exact) {
  const float rounded = static_cast<float>(exact);
  const std::uint32_t exponent = pattern(rounded) >> 23 & 255, exponent_of_y = pattern(y) >> 23 & 255;
  const double per_ulp = from_pattern(std::uint64_t(1023 + 150 - (exponent > 1 ? exponent : 1)) << 52);
  const double error = std::fabs(y - exact) * per_ulp;
  const bool equal = pattern(y) == pattern(rounded) || (y != y && exact != exact);
  const bool special = exponent == 255 || exponent_of_y == 255 || (y == 0 && exact == 0);
  return special ? (equal ? 0 : HUGE_VAL) : error;
}

struct Findings {
  double error = 0;
  std::uint32_t at = 0;
  std::uint64_t inputs = 0, differences = 0;

  void join(const Findings& other) {
    if (other.error > error) error = other.error, at = other.at;
    inputs += other.inputs;
    differences += other.differences;
  }
};

struct Competitor {
  const elementary::Implementation* isa;
  std::uint64_t one_block_in;
};

// The first has every block: its results are compared with the reference, those of the others with them.
std::vector<Competitor> competitors([[maybe_unused]] std::uint64_t stride) {
  const std::vector<const elementary::Implementation*> isas = elementary::implementations();
  std::vector<Competitor> found;
  for (const elementary::Implementation* isa : isas) found.push_back({isa, 1});
#if defined(HAVE_PORTABLE_FMA)
  if (__builtin_cpu_supports("fma")) {
    found.front().one_block_in = stride == 1 ? 64 : 1;
    found.push_back({&elementary::portable_fma::implementation, 1});
  }
#endif
  std::reverse(found.begin(), found.end());
  return found;
}

class Comparison {
 public:
  Comparison(std::size_t function, double (*exact)(double), std::uint64_t stride)
      : function_(function), exact_(exact), stride_(stride), competitors_(competitors(stride)) {}

  Findings over_all_inputs() {
    std::mutex joining;
    Findings total;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i)
      threads.emplace_back([&] {
        const Findings mine = over_my_share();
        const std::lock_guard<std::mutex> lock(joining);
        total.join(mine);
      });
    for (std::thread& thread : threads) thread.join();
    return total;
  }

 private:
  Findings over_my_share() {
    Findings found;
    std::vector<float> in(block), want(block), got(block);
    std::vector<double> exact(block);
    for (std::uint64_t number; (number = next_block_++) * block * stride_ < all;) {
      std::size_t n = 0;
      for (std::uint64_t u = number * block * stride_; n < block && u < all; u += stride_)
        in[n++] = from_pattern(static_cast<std::uint32_t>(u));
      found.inputs += n;
      apply(competitors_.front(), n, in, want);
      for (std::size_t i = 0; i < n; ++i) exact[i] = exact_(in[i]);
      for (std::size_t i = 0; i < n; ++i)
        if (const double error = ulps(want[i], exact[i]); error > found.error)
          found.error = error, found.at = pattern(in[i]);
      for (std::size_t c = 1; c < competitors_.size(); ++c) {
        if (number % competitors_[c].one_block_in != 0) continue;
        apply(competitors_[c], n, in, got);
        found.differences += differences(n, want, got);
      }
    }
    return found;
  }

  void apply(const Competitor& c, std::size_t n, const std::vector<float>& in, std::vector<float>& out) const {
    c.isa->float32[function_].apply(n, in.data(), out.data());
  }

  static std::uint64_t differences(std::size_t n, const std::vector<float>& a, const std::vector<float>& b) {
    if (std::memcmp(a.data(), b.data(), n * sizeof(float)) == 0) return 0;
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < n; ++i) different += !elementary::same(a[i], b[i]);
    return different;
  }

  const std::size_t function_;
  double (*const exact_)(double);
  const std::uint64_t stride_;
  const std::vector<Competitor> competitors_;
  std::atomic<std::uint64_t> next_block_{0};
};

void print_competitors(std::uint64_t stride) {
  std::printf("float32, one input in %llu; bits compared:", static_cast<unsigned long long>(stride));
  for (const Competitor& c : competitors(stride)) {
    std::printf(" %s", c.isa->name);
    if (c.one_block_in > 1) std::printf(" (one block in %llu)", static_cast<unsigned long long>(c.one_block_in));
  }
  std::printf("\n");
}

bool is_right(std::size_t function, std::uint64_t stride) {
  const std::string name = elementary::portable::implementation.float32[function].name;
  const auto reference =
      std::find_if(std::begin(references), std::end(references), [&](const Reference& r) { return r.name == name; });
  const Findings found = Comparison(function, reference->exact, stride).over_all_inputs();
  const float x = from_pattern(found.at);
  std::printf("%-8s %10llu inputs, max error %.4f ULP at %a (%.9g), %llu results differ\n", name.c_str(),
              static_cast<unsigned long long>(found.inputs), found.error, x, x,
              static_cast<unsigned long long>(found.differences));
  std::fflush(stdout);
  bool right = found.error <= allowed && found.differences == 0;
  for (const Competitor& c : competitors(stride))
    right = elementary::edges_are_right(c.isa->name, c.isa->float32[function]) && right;
  return right;
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
  print_competitors(stride);
  bool right = true;
  for (std::size_t f = 0; f < elementary::n_functions; ++f) {
    const char* const name = elementary::portable::implementation.float32[f].name;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end())
      right = is_right(f, stride) && right;
  }
  return right ? 0 : 1;
}
