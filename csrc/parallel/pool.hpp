// The pool of threads: one loop whose turns are shared out among the caller and the workers.
//
//   parallel_for(n_tasks, [&](std::size_t task) noexcept { ... });
//
// Threads take the tasks in ascending order, each the next one that nobody has, so a task writes outputs of its own and
// the result depends neither on the number of threads nor on who was faster. Nothing is allocated in a call.
//
// - The calling thread works too, and waits only for workers that have begun: where the processors are busy with
//   something else it does everything itself.
// - The pool serves one call at a time. A call from within a task, or from another thread meanwhile, runs its tasks
//   itself, one after the other.
// - Workers are started by the first call that needs them, not before. They round to nearest and keep subnormals; the
//   caller's own mode is the caller's to set (core/float_mode.hpp).
// - After a fork, also one in the middle of another thread's call, the child starts workers of its own. A task must not
//   fork, and must not throw.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace backpropc {

constexpr std::size_t max_threads = 1024;

// How many threads a call may use, the caller's own included. At first what BACKPROPC_NUM_THREADS says, or else
// usable_processors(), and no more than OMP_NUM_THREADS says. Throws std::invalid_argument for an environment variable that is no such number.
std::size_t num_threads();

// For the whole process, from the next call on; one that is under way keeps its threads. Throws std::invalid_argument
// unless 1 <= n <= max_threads.
void set_num_threads(std::size_t n);

namespace detail {
using Task = void (*)(void* context, std::size_t task) noexcept;
// Whether the pool has run the tasks: not where it serves another call.
bool run_in_pool(std::size_t threads, std::size_t n_tasks, Task task, void* context) noexcept;
}  // namespace detail

// Calls f(0), ..., f(n_tasks - 1) and returns when all have been done.
template <class F>
void parallel_for(std::size_t n_tasks, F&& f) {
  static_assert(std::is_nothrow_invocable_v<F&, std::size_t>, "a task must be noexcept: no thread could catch for it");
  using Body = std::remove_reference_t<F>;
  if (n_tasks > 1) {
    const std::size_t threads = num_threads();
    const detail::Task task = [](void* context, std::size_t i) noexcept { (*static_cast<Body*>(context))(i); };
    void* const context = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
    if (threads > 1 && detail::run_in_pool(threads, n_tasks, task, context)) return;
  }
  for (std::size_t i = 0; i < n_tasks; ++i) f(i);
}

}  // namespace backpropc
