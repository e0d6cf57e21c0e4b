// The bar for per-sample updates: a two-layer logistic network whose sizes the compiler knows, trained online on ½ squared
// error, with every parameter in a register. It does what one would write by hand for this one network and no other:
// -O3 -march=native -ffast-math, exp as a polynomial of full accuracy, sums in whatever order is quickest.
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr int padded(int n) { return n <= 1 ? 1 : 2 * padded((n + 1) / 2); }

template <class T, int N>
using Vector __attribute__((vector_size(sizeof(T) * padded(N)))) = T;

template <class T>
struct Format;
template <>
struct Format<float> {
  using Integer = std::int32_t;
  static constexpr int degree = 6;
  static constexpr int mantissa_bits = 23;
  static constexpr float largest = 87.0f;
  static constexpr float rounder = 0x1.8p23f;
  static constexpr float ln2_high = 0x1.62e4p-1f;
  static constexpr float ln2_low = 0x1.7f7d1cp-20f;
};
template <>
struct Format<double> {
  using Integer = std::int64_t;
  static constexpr int degree = 12;
  static constexpr int mantissa_bits = 52;
  static constexpr double largest = 708.0;
  static constexpr double rounder = 0x1.8p52;
  static constexpr double ln2_high = 0x1.62e42fefap-1;
  static constexpr double ln2_low = 0x1.cf79abc9e3b39p-40;
};

constexpr double factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }

// Σ rᵏ/k!, k = First … First + Count − 1, over rᶠⁱʳˢᵗ, by halves (Estrin): the shortest chain. square[i] is r to the 2ⁱ.
template <int First, int Count, class T, class V>
inline V series(const V* square) {
  constexpr int half = padded(Count) / 2;
  constexpr int level = half <= 1 ? 0 : half <= 2 ? 1 : half <= 4 ? 2 : 3;
  if constexpr (Count == 1) {
    return V{} + T(1 / factorial(First));
  } else {
    return series<First, half, T>(square) + square[level] * series<First + half, Count - half, T>(square);
  }
}

template <class T, class V>
inline V exp_of(V z) {
  using F = Format<T>;
  using I __attribute__((vector_size(sizeof(V)))) = typename F::Integer;
  const V low = V{} - F::largest, high = V{} + F::largest;
  z = z < low ? low : z;
  z = z > high ? high : z;
  // -ffast-math may cancel (x + c) − c, so the integer is taken from the bits of x + c.
  const V shifted = z * T(1.442695040888963407) + F::rounder;
  I bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const V bias = V{} + F::rounder;
  I bias_bits;
  std::memcpy(&bias_bits, &bias, sizeof bits);
  const I n = bits - bias_bits;
  const V k = __builtin_convertvector(n, V);
  const V r = (z - k * F::ln2_high) - k * F::ln2_low;
  const V r2 = r * r, r4 = r2 * r2;
  const V square[4] = {r, r2, r4, r4 * r4};
  const V mantissa = series<0, F::degree + 1, T>(square);
  I result;
  std::memcpy(&result, &mantissa, sizeof result);
  result += n << F::mantissa_bits;
  V e;
  std::memcpy(&e, &result, sizeof e);
  return e;
}

template <class T, class V>
inline V logistic(V z) {
  return T(1) / (T(1) + exp_of<T>(-z));
}

template <class T, int FanIn, int Hidden, int FanOut>
class Network {
  using H = Vector<T, Hidden>;
  using O = Vector<T, FanOut>;

 public:
  // Parameters layer by layer, w (fan_in, fan_out) then b.
  explicit Network(const T* p) {
    for (H& row : w1_) p = load<Hidden>(row, p);
    p = load<Hidden>(b1_, p);
    for (O& row : w2_) p = load<FanOut>(row, p);
    load<FanOut>(b2_, p);
  }

  void store(T* p) const {
    for (const H& row : w1_) p = put<Hidden>(row, p);
    p = put<Hidden>(b1_, p);
    for (const O& row : w2_) p = put<FanOut>(row, p);
    put<FanOut>(b2_, p);
  }

  // One update, and E before it.
  inline T update(const T* x, const T* target, T learning_rate) {
    H z1 = b1_;
    for (int j = 0; j < FanIn; ++j) z1 += x[j] * w1_[j];
    const H a1 = logistic<T>(z1);
    O z2 = b2_;
    for (int j = 0; j < Hidden; ++j) z2 += a1[j] * w2_[j];
    const O a2 = logistic<T>(z2);

    O t{};
    load<FanOut>(t, target);
    const O error = a2 - t;
    const O delta2 = error * a2 * (T(1) - a2);
    H da1{};
    for (int j = 0; j < Hidden; ++j) da1[j] = sum(delta2 * w2_[j]);
    const H delta1 = da1 * a1 * (T(1) - a1);

    const O step2 = learning_rate * delta2;
    for (int j = 0; j < Hidden; ++j) w2_[j] -= a1[j] * step2;
    b2_ -= step2;
    const H step1 = learning_rate * delta1;
    for (int j = 0; j < FanIn; ++j) w1_[j] -= x[j] * step1;
    b1_ -= step1;
    return T(0.5) * sum(error * error);
  }

 private:
  template <int N, class V>
  static const T* load(V& v, const T* p) {
    std::memcpy(&v, p, N * sizeof(T));
    return p + N;
  }
  template <int N, class V>
  static T* put(const V& v, T* p) {
    std::memcpy(p, &v, N * sizeof(T));
    return p + N;
  }
  static T sum(O v) {
    T total = 0;
    for (int j = 0; j < FanOut; ++j) total += v[j];
    return total;
  }

  H w1_[FanIn] = {}, b1_ = {};
  O w2_[Hidden] = {}, b2_ = {};
};

template <class T>
T train(const T* x, const T* t, std::ptrdiff_t rows, std::ptrdiff_t epochs, T learning_rate, T* parameters) {
  constexpr int fan_in = 8, hidden = 3, fan_out = 8;
  Network<T, fan_in, hidden, fan_out> net(parameters);
  T loss = 0;
  for (std::ptrdiff_t epoch = 0; epoch < epochs; ++epoch) {
    loss = 0;
    for (std::ptrdiff_t i = 0; i < rows; ++i) loss += net.update(x + i * fan_in, t + i * fan_out, learning_rate);
  }
  net.store(parameters);
  return loss / static_cast<T>(rows);
}

}  // namespace

extern "C" float train_float32(const float* x, const float* t, std::ptrdiff_t rows, std::ptrdiff_t epochs, float rate,
                               float* parameters) {
  return train(x, t, rows, epochs, rate, parameters);
}

extern "C" double train_float64(const double* x, const double* t, std::ptrdiff_t rows, std::ptrdiff_t epochs,
                                double rate, double* parameters) {
  return train(x, t, rows, epochs, rate, parameters);
}
