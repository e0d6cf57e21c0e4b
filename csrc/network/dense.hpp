// The products of one dense layer, shared out among threads: each part of a result is one task. Parts are of outputs, never
// of a sum, so that their number changes no bit.
#pragma once

#include <algorithm>
#include <memory>

#include "core/buffer.hpp"
#include "kernels/table.hpp"
#include "network/custom.hpp"
#include "parallel/pool.hpp"

namespace backpropc {

// A definition chosen out of its list, with the values of its parameters; or one of the caller's own, which is in no list.
struct Choice {
  int index = 0;
  ParameterValues parameters{};
  std::shared_ptr<const Custom> custom{};
};

// Below about so many multiply-adds (a few microseconds) a task is not worth another thread's waking.
inline constexpr std::size_t work_worth_a_task = 100'000;

// Into how many tasks to split this much work, if at most `most`.
inline std::size_t tasks_for(std::size_t work, std::size_t most) {
  return std::clamp<std::size_t>(work / work_worth_a_task, 1, most);
}

// What a product packs its operands into, for each of the tasks that may run at a time.
template <class T>
class Scratch {
 public:
  // For products of at most so many rows and k.
  Scratch(std::size_t rows, std::size_t depth)
      : tasks_(most_tasks()), size_(product_scratch(rows, depth)), memory_(tasks_ * size_, Uninitialized()) {}

  std::size_t tasks() const { return tasks_; }
  // Whether it was made for another number of threads.
  bool outdated() const { return tasks_ != most_tasks(); }
  T* of(std::size_t task) { return memory_.data() + task * size_; }

 private:
  // More than threads, so that one that is held up does not hold up all.
  static std::size_t most_tasks() { return num_threads() == 1 ? 1 : 2 * num_threads(); }
  std::size_t tasks_, size_;
  Buffer<T> memory_;
};

// The largest of a layer's three products.
template <class T>
Scratch<T> scratch_for(const DenseShape& s) {
  const std::size_t longest = std::max({s.n, s.fan_in, s.fan_out});
  return Scratch<T>(longest, longest);
}

namespace detail {

// Calls f(part, task) for parts of a result of rows × columns, each element of which takes `depth` multiply-adds.
template <class F>
void for_each_part(std::size_t rows, std::size_t columns, std::size_t depth, std::size_t most_tasks, F f) {
  constexpr std::size_t panel = 48;  // columns, a multiple of every tile's
  const std::size_t tasks = tasks_for(rows * columns * depth, most_tasks), panels = (columns + panel - 1) / panel;
  // By columns where there are enough: parts side by side pack different operands.
  if (panels >= 2 * tasks)
    parallel_for(tasks, [&](std::size_t i) noexcept {
      const std::size_t from = i * panels / tasks * panel, to = std::min((i + 1) * panels / tasks * panel, columns);
      f(Part{0, rows, from, to - from}, i);
    });
  else
    parallel_for(tasks, [&](std::size_t i) noexcept {
      const std::size_t from = i * rows / tasks, to = (i + 1) * rows / tasks;
      f(Part{from, to - from, 0, columns}, i);
    });
}

// Calls f(first element, columns) for the stretches of a part that lie side by side in an array of so many columns: whole
// rows are one.
template <class F>
void for_each_stretch(const Part& part, std::size_t columns, F f) {
  if (part.columns == columns) return f(part.row * columns, part.rows * columns);
  for (std::size_t i = part.row; i < part.row + part.rows; ++i) f(i * columns + part.column, part.columns);
}

}  // namespace detail

// Calls f(first row, rows) for n rows, each of so much work, in parts.
template <class F>
void for_each_block_of_rows(std::size_t n, std::size_t work_of_row, F f) {
  const std::size_t tasks = std::min(tasks_for(n * work_of_row, 2 * num_threads()), std::max<std::size_t>(n, 1));
  parallel_for(tasks, [&](std::size_t i) noexcept {
    const std::size_t from = i * n / tasks;
    f(from, (i + 1) * n / tasks - from);
  });
}

namespace detail {

// The kernels of an activation that a product's tasks apply to their parts; null where it takes whole rows, or is the
// caller's own.
template <class T>
const ActivationKernels<T>* kernels_for_parts(const Choice& activation) {
  if (activation.custom != nullptr) return nullptr;
  const ActivationKernels<T>& sigma = kernels<T>().activations[activation.index];
  return sigma.by_row ? nullptr : &sigma;
}

}  // namespace detail

// a = σ(z) of n rows; a may be z.
template <class T>
void activate(std::size_t n, std::size_t columns, const T* z, T* a, const Choice& activation) {
  if (activation.custom != nullptr) return activation.custom->value(CustomCall<T>{n, columns, z, nullptr, a});
  const ActivationKernels<T>& sigma = kernels<T>().activations[activation.index];
  for_each_block_of_rows(n, 16 * columns, [&](std::size_t row, std::size_t rows) {
    sigma.forward(rows, columns, z + row * columns, a + row * columns, activation.parameters);
  });
}

// z = b + x·w, a = σ(z); a may be z.
template <class T>
void dense_forward(const DenseShape& s, const T* x, const T* w, const T* b, const Choice& activation, T* z, T* a,
                   Scratch<T>& scratch) {
  const KernelTable<T>& k = kernels<T>();
  const ActivationKernels<T>* const sigma = detail::kernels_for_parts<T>(activation);
  detail::for_each_part(s.n, s.fan_out, s.fan_in, scratch.tasks(), [&](const Part& part, std::size_t task) {
    k.product.forward(s, part, x, w, b, z, scratch.of(task));
    if (sigma == nullptr) return;
    detail::for_each_stretch(part, s.fan_out, [&](std::size_t at, std::size_t n) {
      sigma->forward(1, n, z + at, a + at, activation.parameters);
    });
  });
  if (sigma == nullptr) activate(s.n, s.fan_out, z, a, activation);
}

// δ = da ⊙ σ'(z), or the whole Jacobian of a row function; delta may be da.
template <class T>
void activation_backward(std::size_t n, std::size_t columns, const T* da, const T* z, const T* a, T* delta,
                         const Choice& activation) {
  if (activation.custom != nullptr) return custom_backward(*activation.custom, n, columns, da, z, delta);
  const ActivationKernels<T>& sigma = kernels<T>().activations[activation.index];
  for_each_block_of_rows(n, 4 * columns, [&](std::size_t row, std::size_t rows) {
    const std::size_t at = row * columns;
    sigma.backward(rows, columns, da + at, z == nullptr ? nullptr : z + at, a + at, delta + at, activation.parameters);
  });
}

// dx = δ·wᵀ
template <class T>
void dense_input_gradient(const DenseShape& s, const T* delta, const T* w, T* dx, Scratch<T>& scratch) {
  const KernelTable<T>& k = kernels<T>();
  detail::for_each_part(s.n, s.fan_in, s.fan_out, scratch.tasks(), [&](const Part& part, std::size_t task) {
    k.product.backward(s, part, delta, w, dx, scratch.of(task));
  });
}

// BP2: δ below = (δ·wᵀ) ⊙ σ'(z below), or with a mask of what the layer reads (δ·wᵀ) ⊙ mask ⊙ σ'(z below)
template <class T>
void dense_error_below(const DenseShape& s, const T* delta, const T* w, const T* mask, const Choice& below, const T* z,
                       const T* a, T* delta_below, Scratch<T>& scratch) {
  const KernelTable<T>& k = kernels<T>();
  const ActivationKernels<T>* const sigma = detail::kernels_for_parts<T>(below);
  detail::for_each_part(s.n, s.fan_in, s.fan_out, scratch.tasks(), [&](const Part& part, std::size_t task) {
    k.product.backward(s, part, delta, w, delta_below, scratch.of(task));
    detail::for_each_stretch(part, s.fan_in, [&](std::size_t at, std::size_t n) {
      T* const d = delta_below + at;
      if (mask != nullptr) k.multiply(n, d, mask + at, d);
      if (sigma != nullptr) sigma->backward(1, n, d, z == nullptr ? nullptr : z + at, a + at, d, below.parameters);
    });
  });
  if (sigma == nullptr) activation_backward(s.n, s.fan_in, delta_below, z, a, delta_below, below);
}

// dw = xᵀ·δ (BP4) and db = Σ δ (BP3), or added to what is there.
template <class T>
void dense_gradient(const DenseShape& s, const T* x, const T* delta, T* dw, T* db, bool add, Scratch<T>& scratch) {
  const KernelTable<T>& k = kernels<T>();
  k.product.bias_gradient(s, delta, db, add);
  detail::for_each_part(s.fan_in, s.fan_out, s.n, scratch.tasks(), [&](const Part& part, std::size_t task) {
    k.product.gradient(s, part, x, delta, dw, add, scratch.of(task));
  });
}

// The same a few rows of dw at a time, while they are in the cache: then(row, rows, task) may do with them what it likes.
template <class T, class Then>
void dense_gradient_by_rows(const DenseShape& s, const T* x, const T* delta, T* dw, T* db, Scratch<T>& scratch,
                            Then then) {
  constexpr std::size_t elements_at_a_time = 8192;
  const std::size_t rows_at_a_time = std::max<std::size_t>(elements_at_a_time / s.fan_out / 48 * 48, 48);
  const KernelTable<T>& k = kernels<T>();
  k.product.bias_gradient(s, delta, db, false);
  const std::size_t tasks = std::min(tasks_for(s.fan_in * s.fan_out * (s.n + 8), scratch.tasks()), s.fan_in);
  parallel_for(tasks, [&](std::size_t i) noexcept {
    const std::size_t end = (i + 1) * s.fan_in / tasks;
    for (std::size_t row = i * s.fan_in / tasks; row < end; row += rows_at_a_time) {
      const std::size_t rows = std::min(rows_at_a_time, end - row);
      k.product.gradient(s, {row, rows, 0, s.fan_out}, x, delta, dw, false, scratch.of(i));
      then(row, rows);
    }
  });
}

}  // namespace backpropc
