// Holds the products of every instruction set to their specification: each element is one chain of fused multiply-adds in
// ascending k, to the bit. That chain is also held to |C − Ĉ| <= γ_K |A||B|, and to the exact result for integers.
//
//   products [number of random shapes]
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "core/philox.hpp"
#include "kernels/table.hpp"
#include "math/activations.hpp"
#include "network/dense.hpp"
#include "parallel/pool.hpp"
#include "threads.hpp"

namespace {

using backpropc::InstructionSet;
using backpropc::Philox;
using backpropc::ProductKernels;

using Shape = backpropc::DenseShape;

enum class Kernel { forward, backward, gradient, gradient_added };
constexpr Kernel every_kernel[] = {Kernel::forward, Kernel::backward, Kernel::gradient, Kernel::gradient_added};

const char* name_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::forward: return "forward";
    case Kernel::backward: return "backward";
    case Kernel::gradient: return "gradient";
    case Kernel::gradient_added: return "gradient, added";
  }
  return "";
}

// --- operands ----------------------------------------------------------------------------------------------------------

// Any exponent that keeps products in range, and now and then a zero, a subnormal, an infinity or a NaN.
template <class T>
T wild(Philox& random) {
  using Limits = std::numeric_limits<T>;
  constexpr T special[] = {
      T(0), -T(0), Limits::denorm_min(), -Limits::min() / 2, Limits::infinity(), Limits::quiet_NaN()};
  if (random.next_below(2000) < std::size(special)) return special[random.next_below(std::size(special))];
  const int exponent = static_cast<int>(random.next_below(Limits::max_exponent / 2)) - Limits::max_exponent / 4;
  return static_cast<T>(std::ldexp(2 * random.next_uniform() - 1, exponent));
}

template <class T>
T tame(Philox& random) {
  return static_cast<T>(2 * random.next_uniform() - 1);
}

template <class T>
T small_integer(Philox& random) {
  return static_cast<T>(random.next_below(17)) - 8;
}

// An array behind a wall of NaN and before a page that nobody may touch: what is written before its beginning shows in the
// wall, what is read there in the result, and beyond its end both are a fault.
template <class T>
class Walled {
 public:
  explicit Walled(std::size_t size) : size_(size), bytes_(mapped_bytes(size)) {
    void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    memory_ = static_cast<char*>(memory);
    if (mprotect(memory_ + bytes_ - page(), page(), PROT_NONE) != 0) std::abort();
    std::fill_n(data() - wall, wall + size_, brick());
  }
  Walled(const Walled& other) : Walled(other.size_) { std::copy_n(other.data(), size_, data()); }
  Walled& operator=(const Walled&) = delete;
  ~Walled() { munmap(memory_, bytes_); }

  T* data() { return reinterpret_cast<T*>(memory_ + bytes_ - page()) - size_; }
  const T* data() const { return reinterpret_cast<const T*>(memory_ + bytes_ - page()) - size_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

  std::vector<T> values() const { return std::vector<T>(data(), data() + size_); }

  bool walls_stand() const {
    const T whole = brick();
    for (std::size_t i = 1; i <= wall; ++i)
      if (std::memcmp(data() - i, &whole, sizeof whole) != 0) return false;
    return true;
  }

 private:
  static constexpr std::size_t wall = 64;
  static T brick() { return std::numeric_limits<T>::quiet_NaN(); }
  static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
  static std::size_t mapped_bytes(std::size_t size) {
    return ((size + wall) * sizeof(T) + page() - 1) / page() * page() + page();
  }

  std::size_t size_, bytes_;
  char* memory_;
};

// Random values, drawn once: an array is a stretch of them.
template <class T>
class Values {
 public:
  Values(T (*value)(Philox&), Philox& random) : random_(random) {
    for (std::size_t i = 0; i < period; ++i) values_.push_back(value(random));
  }

  Walled<T> array(std::size_t size) const {
    Walled<T> array(size);
    const std::size_t at = random_.next_below(period);
    for (std::size_t i = 0; i < size; ++i) array[i] = values_[(at + i) % period];
    return array;
  }

 private:
  static constexpr std::size_t period = 65521;  // a prime, so that no row is the one above
  Philox& random_;
  std::vector<T> values_;
};

template <class T>
struct Operands {
  Walled<T> x, w, b, delta, dw, db;

  Operands(const Shape& s, const Values<T>& values)
      : x(values.array(s.n * s.fan_in)),
        w(values.array(s.fan_in * s.fan_out)),
        b(values.array(s.fan_out)),
        delta(values.array(s.n * s.fan_out)),
        dw(values.array(s.fan_in * s.fan_out)),
        db(values.array(s.fan_out)) {}
};

// --- the specification -------------------------------------------------------------------------------------------------

// C = start + A·B, with A(i, k) = a[i·a_row + k·a_column], likewise B(k, j), and start a matrix, a row or zero.
template <class T>
struct Product {
  std::size_t rows, columns, depth;
  const T* a;
  std::size_t a_row, a_column;
  const T* b;
  std::size_t b_row, b_column;
  const T* start;
  std::size_t start_row;

  T a_at(std::size_t i, std::size_t k) const { return a[i * a_row + k * a_column]; }
  T b_at(std::size_t k, std::size_t j) const { return b[k * b_row + j * b_column]; }
  T start_at(std::size_t i, std::size_t j) const { return start == nullptr ? T(0) : start[i * start_row + j]; }

  T chain(std::size_t i, std::size_t j) const {
    T c = start_at(i, j);
    for (std::size_t k = 0; k < depth; ++k) c = std::fma(a_at(i, k), b_at(k, j), c);
    return c;
  }
};

template <class T>
Product<T> product(Kernel kernel, const Shape& s, const Operands<T>& o) {
  switch (kernel) {
    case Kernel::forward:
      return {s.n, s.fan_out, s.fan_in, o.x.data(), s.fan_in, 1, o.w.data(), s.fan_out, 1, o.b.data(), 0};
    case Kernel::backward:
      return {s.n, s.fan_in, s.fan_out, o.delta.data(), s.fan_out, 1, o.w.data(), 1, s.fan_out, nullptr, 0};
    default:
      return {s.fan_in, s.fan_out,      s.n,       o.x.data(), 1,
              s.fan_in, o.delta.data(), s.fan_out, 1,          kernel == Kernel::gradient ? nullptr : o.dw.data(),
              s.fan_out};
  }
}

// What a kernel writes: C, and db after dw.
template <class T>
std::vector<T> specified(Kernel kernel, const Shape& s, const Operands<T>& o) {
  const Product<T> p = product(kernel, s, o);
  std::vector<T> c;
  for (std::size_t i = 0; i < p.rows; ++i)
    for (std::size_t j = 0; j < p.columns; ++j) c.push_back(p.chain(i, j));
  if (kernel != Kernel::gradient && kernel != Kernel::gradient_added) return c;
  for (std::size_t j = 0; j < s.fan_out; ++j) {
    T sum = kernel == Kernel::gradient ? T(0) : o.db[j];
    for (std::size_t i = 0; i < s.n; ++i) sum += o.delta[i * s.fan_out + j];
    c.push_back(sum);
  }
  return c;
}

// --- is a kernel right? --------------------------------------------------------------------------------------------------

template <class T>
bool same(T a, T b) {
  return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0;
}

template <class T>
constexpr const char* dtype() {
  return sizeof(T) == sizeof(float) ? "float32" : "float64";
}

bool complain(const std::string& what, Kernel kernel, const Shape& s, const char* type) {
  std::printf("%s: %s %s, n %zu, fan_in %zu, fan_out %zu\n", what.c_str(), type, name_of(kernel), s.n, s.fan_in,
              s.fan_out);
  return false;
}

// A result in one part, or cut in two each way at a third.
std::vector<backpropc::Part> parts_of(std::size_t rows, std::size_t columns) {
  if ((rows + columns) % 2 == 0) return {{0, rows, 0, columns}};
  const std::size_t r = rows / 3, c = columns / 3;
  return {{0, r, 0, c}, {r, rows - r, 0, c}, {0, r, c, columns - c}, {r, rows - r, c, columns - c}};
}

// What a product writes, in copies of its own.
template <class T>
struct Results {
  Walled<T> z, dx, dw, db;

  Results(const Shape& s, const Operands<T>& o) : z(s.n * s.fan_out), dx(s.n * s.fan_in), dw(o.dw), db(o.db) {}

  bool walls_stand() const { return z.walls_stand() && dx.walls_stand() && dw.walls_stand() && db.walls_stand(); }
  std::vector<T> of(Kernel kernel) const {
    if (kernel == Kernel::forward) return z.values();
    if (kernel == Kernel::backward) return dx.values();
    std::vector<T> both = dw.values();
    for (std::size_t j = 0; j < db.size(); ++j) both.push_back(db[j]);
    return both;
  }
};

template <class T>
bool follows_the_chain(const std::string& who, Kernel kernel, const Shape& s, const Results<T>& results,
                       const std::vector<T>& want) {
  if (!results.walls_stand()) return complain(who + " writes beyond its output", kernel, s, dtype<T>());
  const std::vector<T> got = results.of(kernel);
  for (std::size_t i = 0; i < want.size(); ++i)
    if (!same(got[i], want[i])) {
      std::printf("element %zu is %a, not %a; ", i, double(got[i]), double(want[i]));
      return complain(who + " differs from the chain", kernel, s, dtype<T>());
    }
  return true;
}

// The kernels of one instruction set, in parts, with a scratch that may hold anything.
template <class T>
bool kernel_follows_the_chain(const InstructionSet& isa, Kernel kernel, const Shape& s, const Operands<T>& o,
                              const std::vector<T>& want) {
  const ProductKernels<T>& kernels = isa.kernels<T>().product;
  const bool forward = kernel == Kernel::forward, backward = kernel == Kernel::backward;
  const bool add = kernel == Kernel::gradient_added;
  const std::size_t longest = std::max({s.n, s.fan_in, s.fan_out});
  Walled<T> scratch(backpropc::product_scratch(longest, longest));
  Results<T> r(s, o);
  for (const backpropc::Part& part : parts_of(forward || backward ? s.n : s.fan_in, backward ? s.fan_in : s.fan_out))
    if (forward)
      kernels.forward(s, part, o.x.data(), o.w.data(), o.b.data(), r.z.data(), scratch.data());
    else if (backward)
      kernels.backward(s, part, o.delta.data(), o.w.data(), r.dx.data(), scratch.data());
    else
      kernels.gradient(s, part, o.x.data(), o.delta.data(), r.dw.data(), add, scratch.data());
  if (!forward && !backward) kernels.bias_gradient(s, o.delta.data(), r.db.data(), add);
  if (!scratch.walls_stand()) return complain(std::string(isa.name) + " leaves its scratch", kernel, s, dtype<T>());
  return follows_the_chain(isa.name, kernel, s, r, want);
}

template <class T>
bool kernels_follow_the_chain(const Shape& s, const Operands<T>& o) {
  bool right = true;
  for (const Kernel kernel : every_kernel) {
    const std::vector<T> want = specified(kernel, s, o);
    for (const InstructionSet* isa : backpropc::available_instruction_sets())
      right = kernel_follows_the_chain(*isa, kernel, s, o, want) && right;
  }
  return right;
}

// The products of a layer, whose parts any thread may take, by the instruction set and the threads in use.
template <class T>
bool layer_follows_the_chain(const std::string& who, Kernel kernel, const Shape& s, const Operands<T>& o,
                             const std::vector<T>& want) {
  using namespace backpropc;
  const Choice identity{index_in<portable::Identity, portable::Activations>, {}};
  Scratch<T> scratch = scratch_for<T>(s);
  Results<T> r(s, o);
  if (kernel == Kernel::forward)
    dense_forward(s, o.x.data(), o.w.data(), o.b.data(), identity, r.z.data(), r.z.data(), scratch);
  else if (kernel == Kernel::backward)
    dense_input_gradient(s, o.delta.data(), o.w.data(), r.dx.data(), scratch);
  else
    dense_gradient(s, o.x.data(), o.delta.data(), r.dw.data(), r.db.data(), kernel == Kernel::gradient_added, scratch);
  return follows_the_chain(who, kernel, s, r, want);
}

template <class T>
bool layers_follow_the_chain(const Shape& s, const Operands<T>& o) {
  std::vector<std::vector<T>> want;
  for (const Kernel kernel : every_kernel) want.push_back(specified(kernel, s, o));
  bool right = true;
  for (const std::size_t n : threads::counts) {
    backpropc::set_num_threads(n);
    for (const InstructionSet* isa : backpropc::available_instruction_sets()) {
      backpropc::set_instruction_set(isa->name);
      for (std::size_t k = 0; k < want.size(); ++k)
        right = layer_follows_the_chain(isa->name + (" by " + std::to_string(n)) + " threads", every_kernel[k], s, o,
                                        want[k]) &&
                right;
    }
  }
  return right;
}

// --- is the chain right? -------------------------------------------------------------------------------------------------

// Σ in twice the precision of float64 (Ogita, Rump, Oishi 2005, "Accurate sum and dot product", Dot2).
struct DoubledSum {
  double value = 0, error = 0;

  void add(double v) {
    const double sum = value + v, part = sum - value;
    error += (value - (sum - part)) + (v - part);
    value = sum;
  }
  void add_product(double a, double b) {
    const double p = a * b;
    error += std::fma(a, b, -p);
    add(p);
  }
  double result() const { return value + error; }
};

// |C − Ĉ| <= γ_K (|start| + |A||B|) for every element, K roundings; against a sum of twice float64's precision.
template <class T>
bool chain_is_within_its_bound(const Shape& s, const Operands<T>& o) {
  constexpr double u = std::numeric_limits<T>::epsilon() / 2;
  for (const Kernel kernel : every_kernel) {
    const Product<T> p = product(kernel, s, o);
    const double K = static_cast<double>(p.depth), gamma = K * u / (1 - K * u);
    for (std::size_t i = 0; i < p.rows; ++i)
      for (std::size_t j = 0; j < p.columns; ++j) {
        DoubledSum exact;
        exact.add(p.start_at(i, j));
        double size = std::fabs(p.start_at(i, j));
        for (std::size_t k = 0; k < p.depth; ++k) {
          const double a = p.a_at(i, k), b = p.b_at(k, j);
          exact.add_product(a, b);
          size += std::fabs(a * b);
        }
        // The subtraction's second part keeps what the rounding of the exact value would hide in float64.
        const double error = std::fabs((p.chain(i, j) - exact.value) - exact.error);
        if (!(error <= gamma * size)) return complain("the chain exceeds its bound", kernel, s, dtype<T>());
      }
  }
  return true;
}

template <class T>
bool chain_is_exact_for_integers(const Shape& s, const Operands<T>& o) {
  for (const Kernel kernel : every_kernel) {
    const Product<T> p = product(kernel, s, o);
    for (std::size_t i = 0; i < p.rows; ++i)
      for (std::size_t j = 0; j < p.columns; ++j) {
        auto exact = static_cast<std::int64_t>(p.start_at(i, j));
        for (std::size_t k = 0; k < p.depth; ++k)
          exact += static_cast<std::int64_t>(p.a_at(i, k)) * static_cast<std::int64_t>(p.b_at(k, j));
        if (p.chain(i, j) != static_cast<T>(exact)) return complain("the chain is not exact", kernel, s, dtype<T>());
      }
  }
  return true;
}

// --- shapes ----------------------------------------------------------------------------------------------------------------

// Every tail of every tile: all heights to beyond the tallest tile, all widths to beyond the widest panel; or one shape in
// `stride` of them, where the program is slow: instrumented, or in an emulator.
std::vector<Shape> every_tail(std::size_t stride) {
  std::vector<Shape> shapes;
  for (std::size_t rows = 0; rows <= 17; ++rows)
    for (std::size_t columns = 0; columns <= backpropc::max_panel_width + 17; ++columns) {
      const std::size_t depth = (rows + columns) % 4;
      shapes.push_back({rows, depth, columns});  // forward
      shapes.push_back({rows, columns, depth});  // backward
      shapes.push_back({depth, rows, columns});  // gradient
    }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < shapes.size(); i += stride) shapes[kept++] = shapes[i];
  shapes.resize(kept);
  return shapes;
}

std::size_t random_length(Philox& random) {
  constexpr std::size_t edges[] = {8, 16, 32, 48, 64, 96, 128, 192};
  switch (random.next_below(4)) {
    case 0: return random.next_below(4);
    case 1: return edges[random.next_below(std::size(edges))] - 1 + random.next_below(3);
    default: return random.next_below(100);
  }
}

// Beyond one block of k, of rows, of columns, in each direction.
std::vector<Shape> beyond_the_blocks(Philox& random) {
  std::vector<Shape> shapes;
  const std::size_t large[] = {backpropc::product_depth, 2 * backpropc::product_depth, backpropc::product_rows,
                               2 * backpropc::product_rows, 4 * backpropc::max_panel_width};
  for (const std::size_t length : large)
    for (std::size_t past = 0; past < 3; ++past) {
      const std::size_t one = 1 + random.next_below(12), other = 1 + random.next_below(24), at = length - 1 + past;
      shapes.push_back({at, one, other});
      shapes.push_back({one, at, other});
      shapes.push_back({one, other, at});
    }
  return shapes;
}

// Shared out by rows, by columns, and in more parts than there are threads.
std::vector<Shape> enough_for_threads() {
  return {{900, 19, 30}, {5, 60, 1501},  {5, 1501, 60},
          {60, 5, 1501}, {97, 101, 103}, {backpropc::product_rows + 3, backpropc::product_depth + 5, 131}};
}

// --- all of it -------------------------------------------------------------------------------------------------------------

template <class T>
class Checks {
 public:
  explicit Checks(Philox& random)
      : wild_(wild<T>, random), tame_(tame<T>, random), integers_(small_integer<T>, random) {}

  bool kernels_are_right(const Shape& s) const { return kernels_follow_the_chain(s, Operands<T>(s, wild_)); }
  bool threads_are_right(const Shape& s) const { return layers_follow_the_chain(s, Operands<T>(s, wild_)); }
  bool chain_is_right(const Shape& s) const {
    const Operands<T> mild(s, tame_);
    return chain_is_within_its_bound(s, mild) && chain_is_exact_for_integers(s, Operands<T>(s, integers_)) &&
           kernels_follow_the_chain(s, mild);
  }

 private:
  Values<T> wild_, tame_, integers_;
};

// The instruction sets that were compiled in: whether this processor has them is asked here, not of the dispatch.
struct Compiled {
  const char* name;
  bool supported;
};
std::vector<Compiled> compiled() {
  std::vector<Compiled> list = {{"portable", true}};
#if defined(BPC_HAVE_AVX2)
  list.push_back({"avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")});
#endif
#if defined(BPC_HAVE_AVX512)
  list.push_back({"avx512", __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                                __builtin_cpu_supports("avx512vl")});
#endif
#if defined(BPC_HAVE_NEON)
  list.push_back({"neon", true});
#endif
  return list;
}

bool none_was_skipped() {
  constexpr std::size_t per_isa = 2 * std::size(every_kernel);
  std::set<std::string> available;
  for (const InstructionSet* isa : backpropc::available_instruction_sets()) available.insert(isa->name);
  bool right = true;
  std::size_t checked = 0, all = 0;
  for (const Compiled& isa : compiled()) {
    all += per_isa;
    if (available.count(isa.name) > 0) {
      checked += per_isa;
      continue;
    }
    std::printf("%s skipped: %s\n", isa.name, isa.supported ? "FOR NO REASON" : "this processor lacks it");
    right = right && !isa.supported;
  }
  std::printf("checked %zu kernels of %zu\n", checked, all);
  return right && checked == per_isa * available.size();
}

}  // namespace

// products [RANDOM-SHAPES [STRIDE-OF-TAILS]]
int main(int count, char** arguments) {
  const std::size_t n_random = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 200;
  const std::size_t stride = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1;
  Philox random(4, backpropc::Stream::initial_parameters, 0);
  std::vector<Shape> any = beyond_the_blocks(random), shapes = every_tail(stride);
  for (std::size_t i = 0; i < n_random; ++i)
    any.push_back({random_length(random), random_length(random), random_length(random)});
  shapes.insert(shapes.end(), any.begin(), any.end());
  const Checks<float> single(random);
  const Checks<double> twice_as_wide(random);
  std::size_t wrong = 0;
  for (const Shape& s : shapes)
    if (wrong < 10) wrong += !(single.kernels_are_right(s) && twice_as_wide.kernels_are_right(s));
  for (const Shape& s : any)
    if (wrong < 10) wrong += !(single.chain_is_right(s) && twice_as_wide.chain_is_right(s));
  for (const Shape& s : enough_for_threads())
    if (wrong < 10) wrong += !(single.threads_are_right(s) && twice_as_wide.threads_are_right(s));
  std::printf("%zu shapes, %zu of them wrong\n", shapes.size(), wrong);
  return none_was_skipped() && wrong == 0 ? 0 : 1;
}
