// Prints what a call of the pool costs beyond its tasks: the time of empty calls in a row, with one task for each
// thread, and of a call that finds the workers asleep. Nothing is asserted of it.
//
//   pool_latency [threads]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "parallel/pool.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void call(std::size_t threads) {
  backpropc::parallel_for(threads, [](std::size_t) noexcept {});
}

double in_a_row(std::size_t threads) {
  constexpr int calls = 1000;
  std::vector<double> times;
  for (int round = 0; round < 51; ++round) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < calls; ++i) call(threads);
    times.push_back(microseconds_since(start) / calls);
  }
  return median(times);
}

double after_sleep(std::size_t threads) {
  std::vector<double> times;
  for (int round = 0; round < 51; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const Clock::time_point start = Clock::now();
    call(threads);
    times.push_back(microseconds_since(start));
  }
  return median(times);
}

// The same, where every thread must come before the call ends: the time of fork and join, not of the caller alone.
double with_all(std::size_t threads) {
  std::vector<double> times;
  for (int round = 0; round < 5001; ++round) {
    std::atomic<std::size_t> arrived{0};
    const Clock::time_point start = Clock::now();
    backpropc::parallel_for(threads, [&](std::size_t) noexcept {
      ++arrived;
      while (arrived.load() < threads) std::this_thread::yield();
    });
    times.push_back(microseconds_since(start));
  }
  return median(times);
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t threads = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 2;
  backpropc::set_num_threads(threads);
  call(threads);
  std::printf("%zu threads, median: %.2f µs for an empty call, %.2f µs where every thread must come, ", threads,
              in_a_row(threads), with_all(threads));
  std::printf("%.2f µs for an empty call that finds the workers asleep\n", after_sleep(threads));
}
