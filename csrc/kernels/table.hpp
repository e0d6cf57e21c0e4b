// What the rest of the core calls: one table of functions for each instruction set and type, and the choice among them.
// All arrays are contiguous, rows first; an output may be one of the inputs of the same shape where a comment says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/definition.hpp"

namespace backpropc {

// A product is taken in blocks of at most this many k and rows, whose packed copies the scratch holds: a panel of B, of at
// most so many columns, and a block of A.
inline constexpr std::size_t product_depth = 400;
inline constexpr std::size_t product_rows = 256;
inline constexpr std::size_t max_panel_width = 128;

// How much scratch a product of so many rows and k needs, whatever its columns.
constexpr std::size_t product_scratch(std::size_t rows, std::size_t depth) {
  const std::size_t block = 2 * (rows < product_rows ? rows : product_rows) + 16;
  return (depth < product_depth ? depth : product_depth) * (max_panel_width + block);
}

struct DenseShape {
  std::size_t n, fan_in, fan_out;
};

// The part of a product's result that a call computes.
struct Part {
  std::size_t row, rows, column, columns;
};

template <class T>
struct ProductKernels {
  // z (n, fan_out) = b + x·w
  void (*forward)(const DenseShape& s, const Part& of_z, const T* x, const T* w, const T* b, T* z, T* scratch);
  // dx (n, fan_in) = δ·wᵀ (BP2)
  void (*backward)(const DenseShape& s, const Part& of_dx, const T* delta, const T* w, T* dx, T* scratch);
  // dw (fan_in, fan_out) = xᵀ·δ (BP4), or added to what is there
  void (*gradient)(const DenseShape& s, const Part& of_dw, const T* x, const T* delta, T* dw, bool add, T* scratch);
  // db (fan_out) = Σ δ (BP3), or added to what is there
  void (*bias_gradient)(const DenseShape& s, const T* delta, T* db, bool add);
};

template <class T>
struct ActivationKernels {
  // a = σ(z); a may be z
  void (*forward)(std::size_t rows, std::size_t columns, const T* z, T* a, const ParameterValues& p);
  // δ = da ⊙ σ'(z), or the row's Jacobian; delta may be da; z is read only where needs_z
  void (*backward)(std::size_t rows, std::size_t columns, const T* da, const T* z, const T* a, T* delta,
                   const ParameterValues& p);
  // σ'(z), null for a row function
  void (*derivative)(std::size_t n, const T* z, const T* a, T* d, const ParameterValues& p);
  bool needs_z, by_row;
};

template <class T>
struct LossPass {
  std::size_t rows, columns;
  const T* z;  // read by of_z only
  const T* a;  // not read by of_z where gradient is null
  const T* t;
  const T* weight;  // of each sample, or null where all weigh 1
  T scale;          // what a sample's gradient is multiplied by: E is a mean
  T* loss;          // E of each sample, or null
  T* gradient;      // ∇ₐE (of_a) or δ (of_z), or null
  const ParameterValues* parameters;
};

template <class T>
struct LossKernels {
  void (*of_a)(const LossPass<T>&);
  void (*of_z)(const LossPass<T>&);  // E and δ straight from z, null where there is no such form
  int output;                        // the activation that of_z stands for
};

// Where a training stands at a step.
struct Progress {
  std::uint64_t step;        // 1, 2, …
  double loss, former_loss;  // of the batch of this step, and of that of the step before, infinite in the first
};

template <class T>
struct OptimizerStep {
  std::size_t n;
  T* w;
  const T* gradient;
  T* state;  // slot s of parameter i at state[s·slot_stride + i]
  std::size_t slot_stride;
  Progress now;
  const ParameterValues* parameters;
};

template <class T>
struct OptimizerKernels {
  bool (*step)(const OptimizerStep<T>&);  // whether all of the gradient is finite
  int (*slots)(const ParameterValues&);
  bool (*plain)(const ParameterValues&);  // w −= p[0]·∂E/∂w and nothing else
};

// --- training a sample at a time (online.hpp) -------------------------------------------------------------------------

// One layer in memory of its own, every row padded with zeros to the same width.
template <class T>
struct OnlineLayer {
  std::size_t fan_in, fan_out;
  T* w;                  // (fan_in, width)
  T* w_transposed;       // (fan_out, width), or null where no error is passed on below
  T *b, *z, *a, *delta;  // (width,)
  const T* keep;         // (width,): every bit set where there is a unit, none where there is padding
  bool trainable;
  int activation;
  const ParameterValues* parameters;
  const ActivationKernels<T>* kernels;
};

template <class T>
struct OnlineRun {
  const OnlineLayer<T>* layers;
  std::size_t n_layers, lowest;  // the layers from `lowest` on learn
  const ParameterValues* loss_parameters;
  const T* x;
  const T* t_rows;                // or null, and
  const std::int64_t* t_classes;  // one class for each sample
  T* one_hot;                     // room for a row of targets
  const std::size_t* order;       // of the samples, or null
  std::size_t n_steps;
  T minus_rate;
  bool finite;    // end before a step whose E is not
  double* total;  // Σ E, added to
};

// Of a loss, for rows of several widths, the narrowest first.
template <class T>
struct OnlineKernels {
  struct {
    std::size_t width;
    // Steps of plain SGD; returns how many were taken.
    std::size_t (*steps)(const OnlineRun<T>&);
  } of_width[4];
};

// --- networks side by side (lanes.hpp) --------------------------------------------------------------------------------------

// A unit is so many networks, their numbers side by side: an array of n numbers of each network is (units, n, lane_unit).
template <class T>
inline constexpr std::size_t lane_unit = 64 / sizeof(T);

// The arrays below have the shape of one network's. Those of a batch hold as many rows as the batch at hand has.
template <class T>
struct LaneLayer {
  std::size_t fan_in, fan_out, offset;  // of w among a network's parameters
  T *z, *a, *delta;                     // (batch, fan_out); z is a where nobody reads z
  const T* mask;                        // (batch, fan_in), by which it multiplies what it reads, or null,
  T* masked;                            // and the product
  const double *l1, *l2;                // a number, or null in all layers
  bool trainable;
  int activation;
  const ParameterValues* activation_parameters;
};

template <class T>
struct LaneRun {
  std::size_t units, n_layers, lowest, n_parameters;  // the layers from `lowest` on learn
  const LaneLayer<T>* layers;
  std::size_t batch, n_steps;  // samples in a step, and how many steps
  int loss;
  bool loss_of_z;
  const ParameterValues* loss_parameters;
  int optimizer;
  const ParameterValues* optimizer_parameters;  // one for each network
  const double* clip_value;                     // a number, or null
  const T* minus_rate;                          // a number: of plain gradient descent
  T* parameters;                                // (n_parameters,)
  T* gradient;                                  // (n_parameters,), or null for plain gradient descent
  T* state;                                     // for each slot (n_parameters,), slot after slot of all units
  std::uint64_t* step_count;                    // counted up
  double* former_loss;                          // a number: of the step before, with the penalties
  double *epoch_loss, *epoch_weight;            // a number, added to
  T* check;                                     // a number: no longer 0 after a loss or a gradient that is not finite
  // Room for what a step works with:
  T *x, *t, *values;                                   // (batch, fan_in), (batch, fan_out), (fan_out,)
  T *sample_loss, *share;                              // (batch,)
  double *batch_loss, *batch_weight, *penalized_loss;  // a number
};

template <class T>
struct LaneSamples {
  std::size_t n;
  const T* x;
  const T* t;                   // rows, or null, and
  const std::int64_t* classes;  // one class for each
  const double* weight;         // or null
  const std::uint32_t* order;   // (n, networks): which sample a network takes, or null where all take the next one
};

template <class T>
struct LaneKernels {
  void (*steps)(const LaneRun<T>&, const LaneSamples<T>&);
  // The same, by loss, where batches are of one sample, nobody weighs or masks, and no gradient is stored.
  void (*const* online_steps)(const LaneRun<T>&, const LaneSamples<T>&);
  // The mean E of the samples in every lane, added up in blocks of so many.
  void (*mean_loss)(const LaneRun<T>&, const LaneSamples<T>&, std::size_t block, double* mean);
};

template <class T>
struct KernelTable {
  ProductKernels<T> product;
  void (*scale)(std::size_t n, T s, T* y);                   // y = s·y
  void (*add_scaled)(std::size_t n, T s, const T* x, T* y);  // y = y + s·x, fused; y may be x
  // y = kept where that many bits are at least the threshold, else 0
  void (*keep)(std::size_t n, const std::uint32_t* bits, std::uint32_t threshold, T kept, T* y);
  void (*multiply)(std::size_t n, const T* x, const T* mask, T* y);  // y = x ⊙ mask; y may be x
  T (*largest)(std::size_t n, const T* p);                           // max |p|, infinite where one is not finite
  const ActivationKernels<T>* activations;                           // in the order of the lists
  const LossKernels<T>* losses;
  const OptimizerKernels<T>* optimizers;
  const OnlineKernels<T>* online;  // by loss
  const LaneKernels<T>* lanes;
};

struct InstructionSet {
  const char* name;
  bool (*supported)();
  const KernelTable<float>* float32;
  const KernelTable<double>* float64;

  template <class T>
  const KernelTable<T>& kernels() const {
    if constexpr (sizeof(T) == sizeof(float))
      return *float32;
    else
      return *float64;
  }
};

// The ones compiled in that this processor has, the slowest first.
const std::vector<const InstructionSet*>& available_instruction_sets();

// The one in use: the fastest, or the one that BACKPROPC_ISA names. Throws std::invalid_argument, which lists the
// available ones, where it names another.
const InstructionSet& active_instruction_set();
void set_instruction_set(const std::string& name);

template <class T>
const KernelTable<T>& kernels() {
  return active_instruction_set().kernels<T>();
}

}  // namespace backpropc
