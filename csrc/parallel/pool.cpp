// A call is a region: opened by the caller, entered by the workers that come in time, closed when no task is left, and
// over when all who entered have gone.
#include "parallel/pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/float_mode.hpp"
#include "parallel/processors.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#include <csignal>
#endif

namespace backpropc {

namespace {

using Clock = std::chrono::steady_clock;

// How long a thread that waits keeps looking before it sleeps: longer than what a step of training does between two
// regions, shorter than anyone would notice. Waking a sleeper takes as long as a small region.
constexpr std::chrono::microseconds patience{50};

void pause_processor() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A place to wait for something that atomics say. Their changes must be sequentially consistent and come before notify:
// either the waiting thread sees the change, or the notifying thread sees the sleeper.
class Gate {
 public:
  explicit Gate(Clock::duration spin) : spin_(spin) {}

  template <class Ready>
  void wait(const Ready& ready) {
    if (ready() || spin_until(ready)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, ready);
    sleepers_.fetch_sub(1);
  }

  void notify(std::size_t count) {
    const std::size_t sleepers = sleepers_.load();
    if (sleepers == 0) return;
    // Who has counted itself but does not sleep yet has the mutex until it does.
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    if (count >= sleepers) return wake_.notify_all();
    for (std::size_t i = 0; i < count; ++i) wake_.notify_one();
  }

 private:
  template <class Ready>
  bool spin_until(const Ready& ready) const {
    constexpr int looks_per_clock = 32;
    const Clock::time_point end = Clock::now() + spin_;
    do {
      for (int i = 0; i < looks_per_clock; ++i) {
        if (ready()) return true;
        pause_processor();
      }
    } while (Clock::now() < end);
    return false;
  }

  const Clock::duration spin_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<std::size_t> sleepers_{0};
};

// A new thread inherits the mask of signals. Those sent to the process are for the program's own threads, which may
// wait for one in a system call; those of a fault concern the thread itself.
class SignalsBlocked {
 public:
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

#if defined(_WIN32)
  SignalsBlocked() = default;
#else
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

// A caller's helpers, of a number fixed at birth.
class Crew {
 public:
  Crew(std::size_t threads, Clock::duration spin)
      : threads_(threads), work_(spin), done_(spin), workers_(start(threads - 1)) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    region_.store(stop);
    work_.notify(workers_.size());
    for (std::thread& worker : workers_) worker.join();
  }

  // What was asked for; the system may have granted fewer.
  std::size_t threads() const { return threads_; }

  void run(std::size_t n_tasks, detail::Task task, void* context) {
    n_tasks_ = n_tasks;
    task_ = task;
    context_ = context;
    next_task_.store(0, std::memory_order_relaxed);
    region_.store((region_.load(std::memory_order_relaxed) + next_region) | open);
    work_.notify(n_tasks - 1);
    take_tasks();
    region_.fetch_and(~open);
    done_.wait([this] { return (region_.load() & inside) == 0; });
  }

 private:
  // region_: its number, a bit for an open one, a bit for the end of all work, and how many workers are inside.
  static constexpr std::uint64_t next_region = std::uint64_t{1} << 32;
  static constexpr std::uint64_t open = std::uint64_t{1} << 31;
  static constexpr std::uint64_t stop = std::uint64_t{1} << 30;
  static constexpr std::uint64_t inside = stop - 1;

  // As many as the system grants.
  std::vector<std::thread> start(std::size_t count) {
    std::vector<std::thread> workers;
    workers.reserve(count);
    [[maybe_unused]] const SignalsBlocked blocked;
    try {
      while (workers.size() < count) workers.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      return workers;
    }
    return workers;
  }

  void work() {
    const FloatMode mode;  // nothing but tasks runs in this thread, so once is enough
    std::uint64_t last = 0;
    for (;;) {
      std::uint64_t region = 0;
      work_.wait([&] {
        region = region_.load();
        return (region & stop) != 0 || ((region & open) != 0 && region / next_region != last);
      });
      if ((region & stop) != 0) return;
      // To be counted first and read the region's members then: they stay as they are while anyone is inside.
      if (!region_.compare_exchange_strong(region, region + 1)) continue;
      last = region / next_region;
      take_tasks();
      if (((region_.fetch_sub(1) - 1) & (open | inside)) == 0) done_.notify(1);
    }
  }

  void take_tasks() {
    const auto next = [this] { return next_task_.fetch_add(1, std::memory_order_relaxed); };
    for (std::size_t task = next(); task < n_tasks_; task = next()) task_(context_, task);
  }

  // What is written by different threads at the same time is apart by two cache lines, since they are fetched in pairs.
  static constexpr std::size_t apart = 128;

  const std::size_t threads_;
  Gate work_;
  Gate done_;
  alignas(apart) std::atomic<std::uint64_t> region_{0};
  std::size_t n_tasks_ = 0;
  detail::Task task_ = nullptr;
  void* context_ = nullptr;
  alignas(apart) std::atomic<std::size_t> next_task_{0};
  alignas(apart) std::vector<std::thread> workers_;  // the last, for they use the others
};

// The pool. None of it is ever destroyed: at the end of the process threads may still be at work.
std::atomic<std::size_t> wanted{0};  // 0 before anyone has asked
std::atomic<bool> taken{false};
Crew* crew = nullptr;  // belongs to the thread that has taken the pool

#if !defined(_WIN32)
// A forked child has neither the workers nor the thread whose region they may have been in. What they left behind cannot
// be ended, nor its memory freed: a lock in it may be held for ever.
void abandon_crew() {
  crew = nullptr;
  taken.store(false);
}
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, abandon_crew);
#endif

// The crew for so many threads, or none where there is no memory for it.
Crew* crew_of(std::size_t threads) noexcept {
  if (crew != nullptr && crew->threads() == threads) return crew;
  delete crew;
  crew = nullptr;
  try {
    // A thread that spins without a processor of its own takes one away from those at work.
    crew = new Crew(threads, threads <= usable_processors() ? patience : patience.zero());
  } catch (const std::exception&) {
    return nullptr;
  }
  return crew;
}

// What OMP_NUM_THREADS asks of everyone, as joblib does in its worker processes: its first number, that of the outermost
// level. Where it holds none it is not ours to refuse.
std::size_t openmp_threads() {
  const char* value = std::getenv("OMP_NUM_THREADS");
  const unsigned long n = value == nullptr ? 0 : std::strtoul(value, nullptr, 10);
  return n == 0 ? max_threads : n;
}

std::size_t default_threads() {
  const char* value = std::getenv("BACKPROPC_NUM_THREADS");
  if (value == nullptr || *value == '\0') return std::min({usable_processors(), openmp_threads(), max_threads});
  const std::string text(value);
  const bool digits = text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t n = digits ? std::stoul(text) : 0;
  if (n < 1 || n > max_threads)
    throw std::invalid_argument("BACKPROPC_NUM_THREADS is '" + text + "'; it must be a whole number from 1 to " +
                                std::to_string(max_threads));
  return n;
}

}  // namespace

std::size_t num_threads() {
  std::size_t n = wanted.load(std::memory_order_relaxed);
  if (n != 0) return n;
  std::size_t unset = 0;
  n = default_threads();
  return wanted.compare_exchange_strong(unset, n) ? n : unset;
}

void set_num_threads(std::size_t n) {
  if (n < 1 || n > max_threads)
    throw std::invalid_argument("the number of threads is " + std::to_string(n) + "; it must be from 1 to " +
                                std::to_string(max_threads));
  wanted.store(n);
}

bool detail::run_in_pool(std::size_t threads, std::size_t n_tasks, Task task, void* context) noexcept {
  if (taken.exchange(true, std::memory_order_acquire)) return false;
  Crew* const helpers = crew_of(threads);
  if (helpers != nullptr) helpers->run(n_tasks, task, context);
  taken.store(false, std::memory_order_release);
  return helpers != nullptr;
}

}  // namespace backpropc
