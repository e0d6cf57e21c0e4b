// Prints for every elementary function and dtype the SHA-256 of its results on a fixed set of inputs. All instruction
// sets and compilers must give the lines of elementary_digests.txt; given that file, this program fails if one does not.
//
//   elementary_digest [file]
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <vector>

#include "elementary_list.hpp"
#include "sha256.hpp"

namespace {

constexpr std::size_t patterns = 1 << 16;

template <class T>
void add_special_values(std::vector<T>& in) {
  using Limits = std::numeric_limits<T>;
  for (const T v : {Limits::denorm_min(), Limits::min(), Limits::epsilon(), Limits::max(), Limits::infinity()})
    in.insert(in.end(), {v, -v});
  const double near_seams[] = {0,     0.3466, 0.5,  0.625, 0.7071, 0.8814, 1,      1.4142, 2,     3,
                               3.83,  4,      5.86, 6,     9.01,   10,     17.33,  18,     20,    36.74,
                               37.43, 38,     40,   44.36, 87.34,  88.72,  103.97, 104,    708.4, 709.78};
  for (const double seam : near_seams)
    for (int i = -64; i <= 64; ++i) {
      const double v = seam * (1 + i * 0x1p-15);  // on both sides of a seam that is named by four digits
      in.insert(in.end(), {static_cast<T>(v), static_cast<T>(-v)});
    }
  in.insert(in.end(), {T(745.13), T(-745.13), T(746), T(-746), Limits::quiet_NaN()});
}

// Bit patterns at a fixed distance over the whole range, then as many inputs of common size.
std::vector<float> inputs(float) {
  std::vector<float> in;
  for (std::size_t i = 0; i < patterns; ++i) {
    const std::uint32_t u = static_cast<std::uint32_t>(i) * 65536u + 32749u;
    float x;
    std::memcpy(&x, &u, sizeof x);
    in.push_back(x);
  }
  for (std::size_t i = 0; i < patterns; ++i) in.push_back((static_cast<float>(i) - 32768) / 1024);
  add_special_values(in);
  return in;
}

std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// Random bit patterns, then as many random inputs of common size.
std::vector<double> inputs(double) {
  std::vector<double> in;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < patterns; ++i) {
    const std::uint64_t u = splitmix64(state);
    double x;
    std::memcpy(&x, &u, sizeof x);
    in.push_back(x);
  }
  for (std::size_t i = 0; i < patterns; ++i) in.push_back(double(splitmix64(state) >> 11) * 0x1p-53 * 64 - 32);
  add_special_values(in);
  return in;
}

template <class T>
void digest(const elementary::Implementation& isa, const char* dtype, std::ostream& lines) {
  const std::vector<T> in = inputs(T());
  std::vector<T> out(in.size());
  for (std::size_t i = 0; i < elementary::n_functions; ++i) {
    const elementary::Function<T>& f = isa.functions<T>()[i];
    f.apply(in.size(), in.data(), out.data());
    for (T& y : out)
      if (y != y) y = std::numeric_limits<T>::quiet_NaN();  // the payload and sign of a NaN are the processor's
    lines << dtype << ' ' << f.name << ' ' << sha256::hex(out.data(), out.size() * sizeof(T)) << '\n';
  }
}

std::string digests(const elementary::Implementation& isa) {
  std::ostringstream lines;
  digest<float>(isa, "float32", lines);
  digest<double>(isa, "float64", lines);
  return lines.str();
}

}  // namespace

int main(int count, char** arguments) {
  std::string expected = digests(elementary::portable::implementation);
  std::cout << expected;
  if (count > 1) {
    std::ostringstream recorded;
    recorded << std::ifstream(arguments[1]).rdbuf();
    expected = recorded.str();
  }
  bool right = true;
  for (const elementary::Implementation* isa : elementary::implementations()) {
    const bool same = digests(*isa) == expected;
    std::cout << isa->name << (same ? ": the same\n" : ": DIFFERENT\n");
    right = same && right;
  }
  return right ? 0 : 1;
}
