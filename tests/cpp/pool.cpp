// The pool runs every task once, whatever the number of threads, whoever else calls, resizes or forks meanwhile.
#include "parallel/pool.hpp"

#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "core/float_mode.hpp"
#if !defined(_WIN32)
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#endif

// The run time of ThreadSanitizer cannot start threads in a forked child, and that of AddressSanitizer may have left a
// lock of its allocator locked there.
#if defined(__has_feature)
#define BPC_HAS_FEATURE(name) __has_feature(name)
#else
#define BPC_HAS_FEATURE(name) 0
#endif
#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) && \
    !BPC_HAS_FEATURE(thread_sanitizer) && !BPC_HAS_FEATURE(address_sanitizer)
#define BPC_TESTS_FORKS
#endif

namespace {

using backpropc::parallel_for;
using backpropc::set_num_threads;

// Whether a call runs each task once. The counts are plain numbers: under ThreadSanitizer also that the caller may read
// them without more ado.
bool runs_each_once(std::size_t n_tasks) {
  std::vector<int> times(n_tasks);
  parallel_for(n_tasks, [&](std::size_t task) noexcept { ++times[task]; });
  return times == std::vector<int>(n_tasks, 1);
}

void test_sizes() {
  for (const std::size_t threads : {1, 2, 3, 7, 2, 1}) {
    set_num_threads(threads);
    check::equal(backpropc::num_threads(), threads, "number of threads");
    for (const std::size_t n_tasks : {0, 1, 2, 3, 6, 7, 8, 100, 1000, 4099})
      check::that(runs_each_once(n_tasks), "each task ran once");
  }
}

void test_limits() {
  for (const std::size_t wrong : {std::size_t{0}, backpropc::max_threads + 1}) {
    bool refused = false;
    try {
      set_num_threads(wrong);
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    check::that(refused, "a wrong number of threads is refused");
  }
}

// A chain of calls, each reading what the one before wrote.
void test_many_calls() {
  for (const std::size_t threads : {2, 3, 7}) {
    set_num_threads(threads);
    std::vector<std::uint64_t> values(5, 1), sums(5);
    std::uint64_t expected = 1;
    for (int round = 0; round < 5000; ++round) {
      parallel_for(values.size(), [&](std::size_t i) noexcept {
        sums[i] = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
      });
      values = sums;
      expected *= 5;
    }
    check::that(values == std::vector<std::uint64_t>(5, expected), "every call saw the results of the one before");
  }
}

void test_nested_calls() {
  set_num_threads(3);
  std::vector<std::vector<int>> times(20, std::vector<int>(10));
  parallel_for(times.size(), [&](std::size_t outer) noexcept {
    parallel_for(times[outer].size(), [&](std::size_t inner) noexcept { ++times[outer][inner]; });
  });
  check::that(times == std::vector<std::vector<int>>(20, std::vector<int>(10, 1)), "nested calls ran each task once");
}

// Whether `threads` threads work at one call at the same time: each task waits for as many others.
bool works_with(std::size_t threads) {
  set_num_threads(threads);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::atomic<std::size_t> arrived{0};
  parallel_for(threads, [&](std::size_t) noexcept {
    ++arrived;
    while (arrived < threads && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    if (arrived < threads) arrived = 2 * threads;
  });
  return arrived == threads;
}

void test_workers_take_part() {
  for (const std::size_t threads : {2, 3, 7}) check::that(works_with(threads), "all threads work at the same time");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  check::that(works_with(7), "workers wake up from their sleep");
}

void test_callers_at_once() {
  set_num_threads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) wrong += !runs_each_once(17);
    });
  for (std::thread& caller : callers) caller.join();
  check::equal(wrong.load(), 0, "calls that went wrong beside others");
}

void test_resize_under_load() {
  std::atomic<bool> ended{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 2; ++caller)
    callers.emplace_back([&] {
      while (!ended) wrong += !runs_each_once(17);
    });
  for (std::size_t round = 0; round < 300; ++round) {
    set_num_threads(1 + round % 7);
    wrong += !runs_each_once(9);
  }
  ended = true;
  for (std::thread& caller : callers) caller.join();
  check::equal(wrong.load(), 0, "calls that went wrong while the number changed");
}

// Half the smallest normal number is kept, and a third is rounded to nearest, not up.
bool has_standard_mode() {
  const volatile double smallest = std::numeric_limits<double>::min(), half = 0.5, one = 1, three = 3;
  const volatile double subnormal = smallest * half, third = one / three;
  return subnormal != 0 && third == 0x1.5555555555555p-2;
}

void test_float_mode_of_workers() {
  set_num_threads(4);  // no crew was of this number before: its threads inherit the mode set here
  const backpropc::FloatMode restores_the_mode;
  std::fesetround(FE_UPWARD);
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, subnormals are zeros
#endif
  check::that(!has_standard_mode(), "the caller's mode is another one");
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> wrong{0}, workers{0};
  for (int round = 0; round < 10000 && workers == 0; ++round)
    parallel_for(100, [&](std::size_t) noexcept {
      if (std::this_thread::get_id() == caller) return std::this_thread::yield();
      ++workers;
      wrong += !has_standard_mode();
    });
  check::that(!has_standard_mode(), "the caller keeps its mode");
  check::that(workers > 0, "a worker took part");
  check::equal(wrong.load(), 0, "tasks of workers in another mode");
}

#if !defined(_WIN32)

void test_signals_of_workers() {
  std::atomic<int> open_to_signals{0};
  const std::thread::id caller = std::this_thread::get_id();
  set_num_threads(3);
  parallel_for(1000, [&](std::size_t) noexcept {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    if (std::this_thread::get_id() == caller)
      open_to_signals += sigismember(&blocked, SIGINT);
    else
      open_to_signals += !sigismember(&blocked, SIGINT) || sigismember(&blocked, SIGSEGV);
  });
  check::equal(open_to_signals.load(), 0, "tasks with a wrong mask of signals");
}

#endif

#if defined(BPC_TESTS_FORKS)

// Whether the check holds in a forked child, which gets half a minute.
template <class Check>
bool holds_in_child(Check holds) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(holds() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void test_fork_between_calls() {
  check::that(works_with(3), "three threads work before the fork");
  const auto all_is_well = [] {
    return backpropc::num_threads() == 3 && works_with(3) && runs_each_once(100) && works_with(2) &&
           holds_in_child([] { return works_with(2); });
  };
  check::that(holds_in_child(all_is_well), "a child has a pool of its own, and so has its child");
  check::that(works_with(3), "the parent's pool works after a fork");
}

void test_fork_amid_calls() {
  set_num_threads(3);
  std::atomic<bool> ended{false};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 2; ++caller)
    callers.emplace_back([&] {
      for (std::size_t round = 0; !ended; ++round) {
        if (round % 10 == 0) set_num_threads(2 + round / 10 % 3);  // so that some forks find a crew in the making
        runs_each_once(17);
      }
    });
  for (int round = 0; round < 100; ++round)
    check::that(holds_in_child([] { return works_with(3) && runs_each_once(100) && works_with(2); }),
                "a child forked amid a call of another thread has a pool of its own");
  ended = true;
  for (std::thread& caller : callers) caller.join();
}

// A whole call stands still while another thread forks, so the child certainly finds it open.
void test_fork_within_a_call() {
  set_num_threads(2);
  std::atomic<bool> begun{false}, ended{false};
  std::thread caller([&] {
    parallel_for(2, [&](std::size_t) noexcept {
      begun = true;
      while (!ended) std::this_thread::yield();
    });
  });
  while (!begun) std::this_thread::yield();
  check::that(holds_in_child([] { return works_with(2) && works_with(3); }), "a child forked within a call works");
  check::that(runs_each_once(10), "a call beside one that stands still runs on its own");
  ended = true;
  caller.join();
}

// With address space for a few stacks only, a few of the threads can be started.
void test_fewer_threads_to_be_had() {
  const auto all_is_well = [] {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit usual;
    getrlimit(RLIMIT_AS, &usual);
    rlimit scarce = usual;
    scarce.rlim_cur = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + (std::size_t{40} << 20);
    setrlimit(RLIMIT_AS, &scarce);
    set_num_threads(200);
    const bool with_few = runs_each_once(1000) && runs_each_once(1000);
    setrlimit(RLIMIT_AS, &usual);
    return with_few && works_with(3);
  };
  check::that(holds_in_child(all_is_well), "a call does with fewer threads, and a later one has them again");
}

#endif

}  // namespace

int main() {
  test_sizes();
  test_limits();
  test_many_calls();
  test_nested_calls();
  test_workers_take_part();
  test_callers_at_once();
  test_resize_under_load();
  test_float_mode_of_workers();
#if !defined(_WIN32)
  test_signals_of_workers();
#endif
#if defined(BPC_TESTS_FORKS)
  test_fork_between_calls();
  test_fork_amid_calls();
  test_fork_within_a_call();
  test_fewer_threads_to_be_had();
#endif
  return check::result();
}
