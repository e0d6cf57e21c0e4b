// What is done to weights and gradients beside the optimizer's step: penalties, bounds. Element by element, or sums in one
// fixed order, so that neither threads nor the instruction set change a bit.
#pragma once

#include <cstddef>
#include <vector>

#include "core/buffer.hpp"
#include "core/definition.hpp"

namespace backpropc {

// A vector has one number for each layer, or none; a bound is infinite where there is none. What is off costs nothing.
struct Regularization {
  std::vector<double> l1, l2;    // E becomes E + Σ l1·|w| + ½·l2·w², over the weights, not the biases
  std::vector<double> dropout;   // the rate for what a layer reads
  double clip_value = infinity;  // of each element of the gradient, which has the penalties' in it
  double clip_norm = infinity;   // of the gradient of all layers that learn, after that
  double max_norm = infinity;    // of the weights that lead to one unit, after the step
  bool by_batch = false;         // whether l1 and l2 are divided by what the batch weighs, Σ wᵢ

  bool drops_out() const { return !dropout.empty(); }
  bool clips() const { return clip_value < infinity || clip_norm < infinity; }
  bool penalizes() const { return !l1.empty() || !l2.empty(); }
  double l1_of(std::size_t layer) const { return l1.empty() ? 0.0 : l1[layer]; }
  double l2_of(std::size_t layer) const { return l2.empty() ? 0.0 : l2[layer]; }
};

// gradient += l1·sign(w) + l2·w, for n weights; sign(0) is 0.
template <class T>
void add_penalty_gradient(std::size_t n, T l1, T l2, const T* w, T* gradient);

// What the sums below, over n parameters, take of their scratch.
std::size_t parts_of_sum(std::size_t n);

// l1·Σ|w| + ½·l2·Σw²; `parts` is scratch.
template <class T>
double penalty(std::size_t n, double l1, double l2, const T* w, Buffer<double>& parts);

// Each of n elements into [−bound, bound]; whether all were finite.
template <class T>
bool clip(std::size_t n, T bound, T* gradient);

template <class T>
double sum_of_squares(std::size_t n, const T* p, Buffer<double>& parts);

// Shrinks each column of w (fan_in, fan_out), which leads to one unit, to a norm of at most `most`; `squares` has room for a
// row.
template <class T>
void hold_columns(std::size_t fan_in, std::size_t fan_out, double most, T* w, double* squares);

}  // namespace backpropc
