// Numbers that are not finite: found a stretch of steps late, at next to no cost; then the stretch is taken back, and
// repeated a step at a time up to the one that goes wrong (docs/decisions/0008-numbers-that-go-wrong.md).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/errors.hpp"
#include "training/trainer.hpp"

namespace backpropc {

namespace {

// A copy and a check of all parameters, against the steps on so many samples: a thousandth of their work.
constexpr std::size_t samples_in_stretch = 4096;

std::string told(const std::string& what, double value) {
  return what + " is " + (std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

std::string at_step(std::uint64_t epoch, std::uint64_t step, const std::string& more, const char* advice) {
  return " in epoch " + std::to_string(epoch) + ", step " + std::to_string(step) + "; it must be finite. " + more +
         "Most often the learning rate is too large, or x or t hold values far from 1: " + advice +
         ". The network is as it was before that step";
}

}  // namespace

// Where numbers must be finite: in stretches of steps, after each of which all is looked at. One that is not finite remains
// so, in whatever steps follow. Where it costs less, steps are proved before, and the stretches begin where that fails.
template <class T>
void Trainer<T>::train_finitely(const Run& run, const End& end) {
  if (position_ == samples_ && !end_epoch(run)) return;
  const std::size_t batch = std::min(settings_.batch_size, samples_);
  const std::uint64_t usual = 1 + samples_in_stretch / batch;
  if (proofs_cost_less(end, batch * usual) && train_by_proof(run, end)) return;
  std::uint64_t repeated_until = 0;
  while (epoch_ < end.epoch && step_count() < end.step) {
    set_point();
    const bool repeats = step_count() < repeated_until;
    const std::uint64_t pause = std::min(end.step, step_count() + (repeats ? 1 : usual));
    try {
      train(run, {end.epoch, pause});
    } catch (...) {  // out of a function of the caller's own, which may have met the numbers first
      if (!is_finite()) go_back();
      throw;
    }
    if (online_ != nullptr) online_->save();
    if (is_finite()) {
      if (blocked_) throw NonFinite(explain(next_batch(run.training), {network_->n_parameters(), 0.0}));
      if (step_count() < pause) return;
      continue;
    }
    const Fault fault = first_fault();
    repeated_until = step_count() + 1;
    go_back();
    if (repeats) throw NonFinite(explain(next_batch(run.training), fault));
  }
}

// Whether to read each a and δ of a stretch is less than to copy and look at all parameters: so for wide layers and few
// samples. It is no help in the loop of single samples, which stores nothing that could be read.
template <class T>
bool Trainer<T>::proofs_cost_less(const End& end, std::uint64_t stretch) const {
  const std::uint64_t epochs = std::min<std::uint64_t>(end.epoch - epoch_, stretch);
  const std::uint64_t steps = std::min(end.step - step_count(), stretch);
  const std::uint64_t samples =
      std::min({stretch, epochs * samples_ - position_, steps * std::min(settings_.batch_size, samples_)});
  std::size_t units = 0;
  for (const Layer& layer : network_->layers()) units += layer.fan_in + layer.fan_out;
  return adds_to_parameters() && online_ == nullptr && samples * units < 2 * network_->n_parameters();
}

// Steps for as long as it is certain that they cannot overflow. False where one is to come of which it is not.
template <class T>
bool Trainer<T>::train_by_proof(const Run& run, const End& end) {
  blocked_ = false;
  largest_ = kernels<T>().largest(network_->n_parameters(), network_->parameters());
  train(run, end);
  if (!blocked_) return true;
  if (largest_) throw NonFinite(explain(next_batch(run.training), {network_->n_parameters(), 0.0}));
  return false;
}

// One step. Only where it might overflow, or changes an optimizer's state, has it a point to go back to.
template <class T>
typename Trainer<T>::BatchLoss Trainer<T>::step_finitely(const Samples<T>& batch, std::optional<T> largest) {
  point_.is_set = blocked_ = false;
  const bool tries_proof = adds_to_parameters();
  if (tries_proof)
    largest_ = largest ? *largest : kernels<T>().largest(network_->n_parameters(), network_->parameters());
  else
    set_point();
  BatchLoss loss = update(batch);
  if (tries_proof && !largest_) {
    set_point();
    loss = update(batch);
  }
  const bool made = !blocked_;
  if (made && (!point_.is_set || is_finite())) return loss;
  const Fault fault = first_fault();
  if (made) go_back();
  throw NonFinite(explain(batch, fault));
}

// Whether w −= μ aᵀδ is finite, whatever the signs: in every element at most the largest |w| and n·max|a|·μ·max|δ|, which
// is the largest from then on.
template <class T>
bool Trainer<T>::cannot_overflow(const Samples<T>& batch) {
  const KernelTable<T>& k = kernels<T>();
  const double rate = settings_.optimizer.parameters[0], n = static_cast<double>(batch.n), before = *largest_;
  for (std::size_t l = 0; l < network_->layers().size(); ++l) {
    const Layer& layer = network_->layers()[l];
    if (!layer.trainable) continue;
    const double a = k.largest(batch.n * layer.fan_in, workspace_->input(l, batch.x));
    const double delta = k.largest(batch.n * layer.fan_out, workspace_->delta(l));
    const double reach = before + n * std::max(a, 1.0) * (rate * delta);  // 1: of the bias
    if (!(reach < 0.5 * static_cast<double>(std::numeric_limits<T>::max()))) return false;
    largest_ = std::max(*largest_, reach);
  }
  return true;
}

template <class T>
void Trainer<T>::make_room_for_point() {
  point_.parameters.reserve(network_->n_parameters());
  point_.state.reserve(state_.size());
}

template <class T>
void Trainer<T>::set_point() {
  make_room_for_point();
  point_.is_set = true;
  point_.standing = standing();
  point_.batches = batches_;
  point_.epochs = losses_.training.size();
  std::memcpy(point_.parameters.data(), network_->parameters(), network_->n_parameters() * sizeof(T));
  if (state_.size() > 0) std::memcpy(point_.state.data(), state_.data(), state_.size() * sizeof(T));
  blocked_ = false;
  gradients_are_finite_.store(true, std::memory_order_relaxed);
}

template <class T>
void Trainer<T>::go_back() {
  std::memcpy(network_->parameters(), point_.parameters.data(), network_->n_parameters() * sizeof(T));
  if (state_.size() > 0) std::memcpy(state_.data(), point_.state.data(), state_.size() * sizeof(T));
  {
    const std::lock_guard<std::mutex> lock(losses_mutex_);
    losses_.training.resize(point_.epochs);
    losses_.validation.resize(point_.epochs);
    stand_at(point_.standing);
  }
  batches_ = point_.batches;
  if (settings_.shuffle && samples_ != unknown) draw_order();
  if (online_ != nullptr) online_->load();
}

template <class T>
bool Trainer<T>::is_finite() const {
  return gradients_are_finite_.load(std::memory_order_relaxed) &&
         network_->first_non_finite() == network_->n_parameters();
}

// The layers are looked at in the order in which a step comes to them.
template <class T>
typename Trainer<T>::Fault Trainer<T>::first_fault_in(const T* parameters) const {
  const std::vector<Layer>& layers = network_->layers();
  for (std::size_t l = layers.size(); l-- > 0;) {
    const std::size_t n = layers[l].end() - layers[l].w;
    if (const std::size_t i = first_non_finite(n, parameters + layers[l].w); i < n)
      return {layers[l].w + i, static_cast<double>(parameters[layers[l].w + i])};
  }
  return {network_->n_parameters(), 0.0};
}

// What of a step, which has been taken back or not been taken, is the first that is not finite: the loss, the gradient, its
// norm, or the parameters after it.
template <class T>
std::string Trainer<T>::explain(const Samples<T>& batch, const Fault& after) {
  const std::uint64_t epoch = epoch_ + 1, step = step_count() + 1;
  draw_masks(batch.n);
  forward(*network_, batch.x, batch.n, *workspace_);
  if (const double loss = batch_error(batch).mean; !std::isfinite(loss))
    return told("the loss", loss) + at_step(epoch, step, way_to_loss(batch.n), "lower the rate, or scale the data");
  const char* const bound = "lower the rate, scale the data, or bound the gradient by clip_norm";
  const Buffer<T> gradient = whole_gradient(batch);
  const std::size_t n = network_->n_parameters();
  if (const Fault fault = first_fault_in(gradient.data()); fault.parameter < n)
    return told("the gradient of " + network_->name_of(fault.parameter), fault.value) + at_step(epoch, step, "", bound);
  if (after.parameter < n)
    return told(network_->name_of(after.parameter), after.value) + at_step(epoch, step, "", bound);
  return told("the gradient's norm", infinity) + at_step(epoch, step, "", "lower the rate, or scale the data");
}

// Where on the way to the loss, after a forward pass of n samples, the first number stands that is not finite.
template <class T>
std::string Trainer<T>::way_to_loss(std::size_t n) const {
  const std::size_t layers = network_->layers().size();
  for (std::size_t l = 0; l < layers; ++l) {
    const std::size_t size = n * network_->layers()[l].fan_out;
    for (const auto& [name, numbers] : {std::pair(".z", workspace_->z(l)), std::pair(".a", workspace_->a(l))})
      if (numbers != nullptr && first_non_finite(size, numbers) < size)
        return "On the way to it, layers[" + std::to_string(l) + "]" + name + " is the first that is not. ";
  }
  return "The outputs, layers[" + std::to_string(layers - 1) + "].a, are finite. ";
}

// Of all that a step on this batch minimises, after its BP1; 0 for layers that do not learn.
template <class T>
Buffer<T> Trainer<T>::whole_gradient(const Samples<T>& batch) {
  const Regularization& r = settings_.regularization;
  Buffer<T> gradient(network_->n_parameters());
  backward(
      *network_, batch.x, batch.n, network_->first_trainable(), *workspace_, [&](std::size_t l, const T* a, T* delta) {
        const Layer& layer = network_->layers()[l];
        if (!layer.trainable) return;
        T* const dw = gradient.data() + layer.w;
        dense_gradient(layer.shape(batch.n), a, delta, dw, gradient.data() + layer.b, false, workspace_->scratch());
        apply_mask(layer, gradient.data());
        if (r.penalizes())
          add_penalty_gradient(layer.fan_in * layer.fan_out, static_cast<T>(r.l1_of(l) * penalty_share_),
                               static_cast<T>(r.l2_of(l) * penalty_share_), network_->w(layer), dw);
      });
  return gradient;
}

#define BPC_INSTANTIATE(T)                                                                                \
  template void Trainer<T>::train_finitely(const Run&, const End&);                                       \
  template typename Trainer<T>::BatchLoss Trainer<T>::step_finitely(const Samples<T>&, std::optional<T>); \
  template bool Trainer<T>::proofs_cost_less(const End&, std::uint64_t) const;                            \
  template bool Trainer<T>::train_by_proof(const Run&, const End&);                                       \
  template bool Trainer<T>::cannot_overflow(const Samples<T>&);                                           \
  template void Trainer<T>::make_room_for_point();                                                        \
  template void Trainer<T>::set_point();                                                                  \
  template void Trainer<T>::go_back();                                                                    \
  template bool Trainer<T>::is_finite() const;                                                            \
  template typename Trainer<T>::Fault Trainer<T>::first_fault_in(const T*) const;                         \
  template std::string Trainer<T>::explain(const Samples<T>&, const Trainer<T>::Fault&);                  \
  template std::string Trainer<T>::way_to_loss(std::size_t) const;                                        \
  template Buffer<T> Trainer<T>::whole_gradient(const Samples<T>&);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
