// Activations and losses of the caller's own, which take the place of a definition's kernels.
#pragma once

#include <cstddef>

#include "core/buffer.hpp"
#include "kernels/table.hpp"

namespace backpropc {

// What one of the functions reads, both (rows, columns), and what it fills.
template <class T>
struct CustomCall {
  std::size_t rows, columns;
  const T* x;  // z of an activation, a of a loss
  const T* t;  // the targets of a loss, null for an activation
  T* out;      // may be x
};

// A pair of functions, which may throw. So they are called between the tasks of parallel_for, never in one, by the thread
// that began the pass, and before anything changes that a throw would leave half changed.
class Custom {
 public:
  virtual ~Custom() = default;
  // σ(z), (rows, columns); or E of each sample, (rows)
  virtual void value(const CustomCall<float>& call) const = 0;
  virtual void value(const CustomCall<double>& call) const = 0;
  // σ'(z), or ∇ₐE of each sample, (rows, columns)
  virtual void derivative(const CustomCall<float>& call) const = 0;
  virtual void derivative(const CustomCall<double>& call) const = 0;
};

// δ = da ⊙ σ'(z); delta may be da.
template <class T>
void custom_backward(const Custom& activation, std::size_t n, std::size_t columns, const T* da, const T* z, T* delta) {
  Buffer<T> derivative(n * columns, Uninitialized());
  activation.derivative(CustomCall<T>{n, columns, z, nullptr, derivative.data()});
  for (std::size_t i = 0; i < n * columns; ++i) delta[i] = da[i] * derivative[i];
}

// What LossKernels::of_a does.
template <class T>
void custom_loss(const Custom& loss, const LossPass<T>& pass) {
  if (pass.loss != nullptr) loss.value(CustomCall<T>{pass.rows, pass.columns, pass.a, pass.t, pass.loss});
  if (pass.gradient == nullptr) return;
  loss.derivative(CustomCall<T>{pass.rows, pass.columns, pass.a, pass.t, pass.gradient});
  for (std::size_t i = 0; i < pass.rows; ++i) {
    const T scale = pass.weight != nullptr ? pass.weight[i] * pass.scale : pass.scale;
    for (std::size_t j = 0; j < pass.columns; ++j) pass.gradient[i * pass.columns + j] *= scale;
  }
}

}  // namespace backpropc
