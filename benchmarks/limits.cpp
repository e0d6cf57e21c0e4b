// What the machine can do at most, on one core: fused multiply-adds a second, and bytes read a second from each level of
// memory. Compiled once for each instruction set; prints one line of JSON.
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
using Vector __attribute__((vector_size(vector_bytes), may_alias)) = T;

// Uses v, as far as the compiler knows.
template <class V>
inline void keep(V v) {
#if defined(__x86_64__)
  __asm__ volatile("" : : "v"(v));
#else
  __asm__ volatile("" : : "w"(v));
#endif
}

// Only the total is kept: a chain whose address an asm takes would live in memory.
template <class V, std::size_t N>
inline void keep_total(const V (&sum)[N]) {
  V total = sum[0];
#pragma GCC unroll 64
  for (std::size_t c = 1; c < N; ++c) total += sum[c];
  keep(total);
}

// The thread's own time, so that a limit does not sink when something else runs.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Work>
double best_seconds(Work work) {
  double best = 1e300;
  for (int round = 0; round < 30; ++round) {
    const double start = now();
    work();
    best = std::min(best, now() - start);
  }
  return best;
}

// Independent chains enough to hide the latency: two units of four or five cycles ask for ten, and all fit in 16 registers.
template <class T>
double fma_gflops() {
  using V = Vector<T>;
  constexpr std::size_t chains = 12;
  constexpr long turns = 1 << 20;
  const volatile T half = T(0.5), one = T(1);
  const V factor = V{} + half, term = V{} + one;
  const double seconds = best_seconds([&] {
    V sum[chains];
#pragma GCC unroll 64
    for (std::size_t c = 0; c < chains; ++c) sum[c] = V{} + static_cast<T>(c);
    for (long turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 64
      for (std::size_t c = 0; c < chains; ++c) sum[c] = sum[c] * factor + term;
    }
    keep_total(sum);
  });
  constexpr double lanes = vector_bytes / sizeof(T);
  return 2.0 * lanes * chains * turns / seconds * 1e-9;
}

double read_gigabytes(std::size_t bytes) {
  using V = Vector<float>;
  constexpr std::size_t chains = 8, chunk = chains * vector_bytes;
  bytes -= bytes % chunk;
  const std::unique_ptr<char[]> memory(new char[bytes + vector_bytes]);
  std::memset(memory.get(), 0, bytes + vector_bytes);
  void* start = memory.get();
  std::size_t space = bytes + vector_bytes;
  const V* data = static_cast<const V*>(std::align(vector_bytes, bytes, start, space));
  const std::size_t passes = std::max<std::size_t>(1, (std::size_t{1} << 27) / bytes);
  const double seconds = best_seconds([&] {
    V sum[chains] = {};
    for (std::size_t pass = 0; pass < passes; ++pass) {
      for (std::size_t i = 0; i < bytes / vector_bytes; i += chains) {
#pragma GCC unroll 64
        for (std::size_t c = 0; c < chains; ++c) sum[c] += data[i + c];
      }
    }
    keep_total(sum);
  });
  return static_cast<double>(bytes) * static_cast<double>(passes) / seconds * 1e-9;
}

}  // namespace

// The sizes of L1, L2 and L3 in bytes: virtual machines tell the C library wrong ones.
int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: limits L1 L2 L3 (their sizes in bytes)\n");
    return 2;
  }
  std::size_t size[3];
  for (int level = 0; level < 3; ++level) size[level] = std::strtoull(argv[level + 1], nullptr, 10);
  const std::size_t beyond = std::max<std::size_t>(4 * size[2], 128 << 20);
  std::printf("{\"fma\": {\"float32\": %.2f, \"float64\": %.2f}, ", fma_gflops<float>(), fma_gflops<double>());
  std::printf("\"read\": {\"L1\": %.2f, \"L2\": %.2f, \"L3\": %.2f, \"DRAM\": %.2f}}\n", read_gigabytes(size[0] / 2),
              read_gigabytes(size[1] / 2), read_gigabytes(size[2] / 2), read_gigabytes(beyond));
}
