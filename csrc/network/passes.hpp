// The passes through a network: forward, BP1 at the output, backward; on memory that the caller has set aside.
#pragma once

#include <functional>
#include <vector>

#include "core/buffer.hpp"
#include "network/network.hpp"

namespace backpropc {

// Whether BP2 through the activation looks at z; else a is enough.
template <class T>
bool derivative_reads_z(const Choice& activation) {
  return activation.custom != nullptr || kernels<T>().activations[activation.index].needs_z;
}

// Whether E and δ come in one step from z: the stable form of a cross-entropy after its own activation.
template <class T>
bool has_stable_form(const Network<T>& network, const Choice& loss) {
  if (loss.custom != nullptr) return false;
  const LossKernels<T>& k = kernels<T>().losses[loss.index];
  return k.of_z != nullptr && k.output == network.layers().back().activation.index;
}

// What the samples should be: rows of outputs, or one class for each sample.
template <class T>
struct TargetRows {
  const T* rows = nullptr;
  const std::int64_t* classes = nullptr;
};

// What one pass of at most `rows` samples leaves behind: aˡ, δˡ and, where a derivative or the loss reads it, zˡ. A layer that
// has a mask reads its input times the mask, element by element.
template <class T>
class Workspace {
 public:
  enum class Keep { what_is_needed, every_z };

  Workspace(const Network<T>& network, const Choice& loss, std::size_t rows, Keep keep = Keep::what_is_needed);

  std::size_t rows() const { return rows_; }
  T* z(std::size_t layer) { return z_[layer].size() > 0 ? z_[layer].data() : nullptr; }
  T* a(std::size_t layer) { return a_[layer].data(); }
  T* delta(std::size_t layer) { return delta_[layer].data(); }
  void add_mask(std::size_t layer, std::size_t fan_in) {
    mask_[layer] = Buffer<T>(rows_ * fan_in);
    masked_[layer] = Buffer<T>(rows_ * fan_in);
  }
  T* mask(std::size_t layer) { return mask_[layer].size() > 0 ? mask_[layer].data() : nullptr; }
  T* masked(std::size_t layer) { return masked_[layer].data(); }
  // What layer l read in the pass of x.
  const T* input(std::size_t l, const T* x) { return mask(l) != nullptr ? masked(l) : l == 0 ? x : a(l - 1); }
  T* one_hot() { return one_hot_.data(); }
  T* sample_loss() { return sample_loss_.data(); }
  Scratch<T>& scratch() { return scratch_; }

 private:
  std::size_t rows_;
  std::vector<Buffer<T>> z_, a_, delta_, mask_, masked_;
  Buffer<T> one_hot_, sample_loss_;
  Scratch<T> scratch_;
};

// z¹ … aᴸ of n rows of x.
template <class T>
void forward(const Network<T>& network, const T* x, std::size_t n, Workspace<T>& ws);

// BP1: δᴸ of n samples into the workspace, each multiplied by scale·weight; returns Σ weight·E over the samples.
template <class T>
double output_error(const Network<T>& network, const Choice& loss, std::size_t n, TargetRows<T> t, const T* weight,
                    T scale, Workspace<T>& ws);

// BP2, one layer: δ of layer l − 1 from that of layer l.
template <class T>
void error_below(const Network<T>& network, std::size_t l, std::size_t n, Workspace<T>& ws);

// BP2 from the last layer down to layer `lowest`. at(l, a, delta) is called for each on the way, after δ of the layer below
// has been taken, so that it may change w and δ of layer l: BP3, BP4 and the update are its to do.
template <class T, class AtLayer>
void backward(const Network<T>& network, const T* x, std::size_t n, std::size_t lowest, Workspace<T>& ws, AtLayer at) {
  const std::size_t n_layers = network.layers().size();
  // A function that may throw is asked for every derivative before anything changes.
  if (network.has_custom())
    for (std::size_t l = n_layers; --l > lowest;) error_below(network, l, n, ws);
  for (std::size_t l = n_layers; l-- > lowest;) {
    if (l > lowest && !network.has_custom()) error_below(network, l, n, ws);
    at(l, ws.input(l, x), ws.delta(l));
  }
}

// Asked between blocks of work that may take long; true ends the work, whose result is then of no use.
using Stop = std::function<bool()>;

// aᴸ of n rows of x into out, whatever their number, in memory that does not grow with it.
template <class T>
void predict(const Network<T>& network, const T* x, std::size_t n, T* out, const Stop& stop);

// How many samples mean_loss adds up at a time.
template <class T>
std::size_t evaluation_rows(const Network<T>& network, std::size_t n);

// Memory for mean_loss over n samples, whatever their number.
template <class T>
Workspace<T> evaluation_workspace(const Network<T>& network, const Choice& loss, std::size_t n);

// Mean E over n > 0 samples.
template <class T>
double mean_loss(const Network<T>& network, const Choice& loss, const T* x, std::size_t n, TargetRows<T> t,
                 Workspace<T>& ws, const Stop& stop);

// Mean E over n > 0 samples, and its gradient, laid out as the parameters are; or Σ share·E and its gradient, where a sample
// has a share.
template <class T>
double gradient(const Network<T>& network, const Choice& loss, const T* x, std::size_t n, TargetRows<T> t,
                const T* share, T* into, const Stop& stop);

}  // namespace backpropc
