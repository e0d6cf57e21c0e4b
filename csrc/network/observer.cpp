#include "network/observer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/sums.hpp"

namespace backpropc {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class T>
double sum_of_squares(std::size_t n, const T* p) {
  return sum_in_lanes(n, [p](std::size_t i) { return static_cast<double>(p[i]) * static_cast<double>(p[i]); });
}

template <class T>
double root_mean_square(std::size_t n, const T* p) {
  return std::sqrt(sum_of_squares(n, p) / static_cast<double>(n));
}

// Of evenly spaced ones, where there are many.
template <class T>
void percentiles(std::size_t n, const T* p, T factor, Buffer<T>& sorted, double* into) {
  constexpr std::size_t most = 1024;
  constexpr double percents[n_percentiles] = {2, 25, 50, 75, 98};
  const std::size_t stride = (n + most - 1) / most, count = (n + stride - 1) / stride;
  sorted.reserve(count);
  for (std::size_t i = 0; i < count; ++i) sorted[i] = factor * p[i * stride];
  T* from = sorted.data();
  for (std::size_t k = 0; k < n_percentiles; ++k) {
    const auto place = static_cast<std::size_t>(std::nearbyint(percents[k] / 100 * static_cast<double>(count - 1)));
    T* const at = sorted.data() + place;
    // a NaN comes last, as in NumPy
    std::nth_element(from, at, sorted.data() + count,
                     [](T one, T other) { return one < other || (std::isnan(other) && !std::isnan(one)); });
    into[k] = static_cast<double>(*at);
    from = at;
  }
}

template <class T>
bool is_row_function(const Choice& activation) {
  return activation.custom == nullptr && kernels<T>().activations[activation.index].by_row;
}

template <class T>
std::size_t largest_layer(const Network<T>& network) {
  return std::max(network.widest(), network.fan_in());
}

}  // namespace

template <class T>
Observer<T>::Observer(std::shared_ptr<const Network<T>> network, const Choice& loss, std::size_t n, const T* x,
                      TargetRows<T> t, std::vector<double> thresholds)
    : network_(std::move(network)),
      loss_(loss),
      n_(n),
      x_(x),
      t_(t),
      thresholds_(std::move(thresholds)),
      ws_(*network_, loss, n, Workspace<T>::Keep::every_z),
      gradient_(network_->n_parameters(), Uninitialized()),
      before_(network_->n_parameters(), Uninitialized()),
      slope_(n * largest_layer(*network_), Uninitialized()) {}

template <class T>
double Observer<T>::look(LayerView* views) {
  const T alone = static_cast<T>(n_);  // E is a mean over the samples
  forward(*network_, x_, n_, ws_);
  const double total =
      output_error(*network_, loss_, n_, t_, static_cast<const T*>(nullptr), T(1) / static_cast<T>(n_), ws_);
  backward(*network_, x_, n_, 0, ws_, [&](std::size_t l, const T* a, T* delta) {
    const Layer& layer = network_->layers()[l];
    const std::size_t size = n_ * layer.fan_out;
    dense_gradient(layer.shape(n_), a, delta, gradient_.data() + layer.w, gradient_.data() + layer.b, false,
                   ws_.scratch());
    apply_mask(layer, gradient_.data());
    views[l].delta = static_cast<double>(alone) * root_mean_square(size, delta);
    percentiles(size, delta, alone, sorted_, views[l].delta_spread);
    views[l].x = root_mean_square(n_ * layer.fan_in, a);
  });
  for (std::size_t l = 0; l < network_->layers().size(); ++l) {
    see_forward(l, views[l]);
    see_slope(l, views[l]);
    see_weights(l, views[l]);
  }
  std::copy_n(network_->parameters(), network_->n_parameters(), before_.data());
  w_before_.resize(network_->layers().size());
  for (std::size_t l = 0; l < w_before_.size(); ++l) w_before_[l] = views[l].w;
  return total / static_cast<double>(n_);
}

template <class T>
void Observer<T>::see_forward(std::size_t l, LayerView& view) {
  const std::size_t size = n_ * network_->layers()[l].fan_out;
  const T* const a = ws_.a(l);
  const auto count = static_cast<double>(size);
  view.mean = sum_in_lanes(size, [a](std::size_t i) { return static_cast<double>(a[i]); }) / count;
  view.size = root_mean_square(size, a);
  view.deviation = std::sqrt(sum_in_lanes(size,
                                          [a, mean = view.mean](std::size_t i) {
                                            const double from_mean = static_cast<double>(a[i]) - mean;
                                            return from_mean * from_mean;
                                          }) /
                             count);
  percentiles(size, a, T(1), sorted_, view.a);
}

template <class T>
void Observer<T>::see_slope(std::size_t l, LayerView& view) {
  const Layer& layer = network_->layers()[l];
  const std::size_t m = layer.fan_out, size = n_ * m;
  view.saturated = view.dsigma = not_a_number;
  view.dead = 0.0;
  if (is_row_function<T>(layer.activation)) return;
  T* const slope = slope_.data();
  std::fill_n(slope, size, T(1));
  activation_backward(n_, m, slope, ws_.z(l), ws_.a(l), slope, layer.activation);
  view.dsigma =
      sum_in_lanes(size, [slope](std::size_t i) { return static_cast<double>(slope[i]); }) / static_cast<double>(size);
  std::size_t below = 0, dead = 0;
  for (std::size_t i = 0; i < size; ++i) below += static_cast<double>(slope[i]) < thresholds_[l];
  if (!std::isnan(thresholds_[l])) view.saturated = static_cast<double>(below) / static_cast<double>(size);
  for (std::size_t j = 0; j < m; ++j) {
    std::size_t i = 0;
    while (i < n_ && slope[i * m + j] == T(0)) ++i;
    dead += i == n_;
  }
  view.dead = static_cast<double>(dead) / static_cast<double>(m);
}

template <class T>
void Observer<T>::see_weights(std::size_t l, LayerView& view) {
  const Layer& layer = network_->layers()[l];
  const std::size_t size = layer.b - layer.w;
  const T *const w = network_->w(layer), *const before = before_.data() + layer.w;
  view.dw = std::sqrt(sum_of_squares(size, gradient_.data() + layer.w));
  view.w = std::sqrt(sum_of_squares(size, w));
  view.moved = not_a_number;
  if (w_before_.empty()) return;
  const double change = std::sqrt(sum_in_lanes(size, [w, before](std::size_t i) {
    const double step = static_cast<double>(w[i]) - static_cast<double>(before[i]);
    return step * step;
  }));
  view.moved = change / std::max(w_before_[l], 1e-30);
}

template class Observer<float>;
template class Observer<double>;

}  // namespace backpropc
