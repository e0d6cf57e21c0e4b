// What a network's activations and gradients are like, layer by layer, on samples that stay the same: for those who watch a
// training.
#pragma once

#include <memory>
#include <vector>

#include "network/passes.hpp"

namespace backpropc {

// Five percentiles, 2, 25, 50, 75 and 98.
inline constexpr std::size_t n_percentiles = 5;

struct LayerView {
  double mean, deviation, size;        // of a: mean, standard deviation, root mean square
  double a[n_percentiles];             // of a
  double delta_spread[n_percentiles];  // of δ
  double x;                            // root mean square of what the layer reads
  double saturated;                    // the share of z where σ' is below the layer's threshold; NaN without one
  double dead;                         // the share of units whose σ' is 0 for every sample
  double dsigma;                       // the mean of σ'; NaN for a row function
  double delta, dw, w;                 // root mean square of δ; norms of ∂E/∂w and of w
  double moved;                        // the norm of w's change since the look before over that of w then; NaN at first
};

template <class T>
class Observer {
 public:
  // The samples must outlive it. Each layer has a threshold of σ', below which a z is saturated, or NaN.
  Observer(std::shared_ptr<const Network<T>> network, const Choice& loss, std::size_t n, const T* x, TargetRows<T> t,
           std::vector<double> thresholds);

  const Network<T>& network() const { return *network_; }
  std::size_t n() const { return n_; }
  // A pass of the samples through the network as it is: a view of each layer into `views`; returns E. A sample's δ is taken
  // as if it were alone.
  double look(LayerView* views);

 private:
  void see_forward(std::size_t l, LayerView& view);
  void see_slope(std::size_t l, LayerView& view);
  void see_weights(std::size_t l, LayerView& view);

  std::shared_ptr<const Network<T>> network_;
  Choice loss_;
  std::size_t n_;
  const T* x_;
  TargetRows<T> t_;
  std::vector<double> thresholds_, w_before_;
  Workspace<T> ws_;
  Buffer<T> gradient_, before_, slope_, sorted_;
};

extern template class Observer<float>;
extern template class Observer<double>;

}  // namespace backpropc
