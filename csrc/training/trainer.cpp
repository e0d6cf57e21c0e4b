#include "training/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace backpropc {

namespace {

// Asks stop() once in a while, so that a step of a small network does not pay for the question.
class Watch {
 public:
  Watch(const Stop& stop, std::size_t work_per_step)
      : stop_(stop), steps_(1 + between_questions / (1 + work_per_step)) {}

  bool stopped() {
    if (--left_ > 0) return false;
    left_ = steps_;
    return stop_();
  }

  static constexpr std::size_t between_questions = 200'000;  // multiply-adds: 10 ms at the very slowest

 private:
  const Stop& stop_;
  const std::size_t steps_;
  std::size_t left_ = 1;
};

std::string at_step(std::uint64_t epoch, std::uint64_t step, double loss) {
  return "the loss is " +
         std::string(std::isnan(loss) ? "nan"
                     : loss > 0       ? "inf"
                                      : "-inf") +
         " in epoch " + std::to_string(epoch) + ", step " + std::to_string(step) +
         "; it must be finite. The network is as it was before that step. Most often the learning rate is too large, "
         "or x "
         "or t hold values that are not finite or far from 1: lower the rate, or scale the data";
}

}  // namespace

template <class T>
Trainer<T>::Trainer(std::shared_ptr<Network<T>> network, const TrainerSettings& settings)
    : network_(std::move(network)), settings_(settings) {
  const OptimizerKernels<T>& optimizer = kernels<T>().optimizers[settings.optimizer.index];
  const ParameterValues& p = settings.optimizer.parameters;
  if (!optimizer.plain(p)) gradient_ = Buffer<T>(network_->n_parameters());
  if (const int slots = optimizer.slots(p); slots > 0)
    state_ = Buffer<T>(static_cast<std::size_t>(slots) * network_->n_parameters());
}

template <class T>
void Trainer<T>::fit(const Samples<T>& training, const Samples<T>* validation, std::uint64_t until_epoch,
                     const Stop& stop) {
  const typename Network<T>::Changing changing(*network_);
  make_room(std::min(settings_.batch_size, training.n));
  std::unique_ptr<Workspace<T>> validation_workspace;
  if (validation != nullptr)
    validation_workspace =
        std::make_unique<Workspace<T>>(evaluation_workspace(*network_, settings_.loss, validation->n));
  if (samples_ != training.n) position_ = 0;  // other data: an epoch begun on the old ends here
  samples_ = training.n;
  if (position_ > 0 && settings_.shuffle && order_.size() != samples_) position_ = 0;
  online_.reset();
  if (settings_.batch_size == 1 && plain_sgd()) online_ = OnlineNetwork<T>::of(*network_, settings_.loss);
  while (epoch_ < until_epoch) {
    if (position_ == 0) begin_epoch(training.n);
    if (!(online_ ? run_online_steps(training, stop) : run_steps(training, stop)) ||
        !end_epoch(validation, validation_workspace.get(), stop))
      return;
  }
}

template <class T>
void Trainer<T>::begin_epoch(std::size_t n) {
  epoch_loss_ = 0.0;
  if (!settings_.shuffle) return;
  order_.resize(n);
  shuffled_order(settings_.seed, epoch_, n, order_.data());
}

// To the end of the epoch, or until stop(), which makes it false.
template <class T>
bool Trainer<T>::run_steps(const Samples<T>& training, const Stop& stop) {
  const std::size_t rows = std::min(settings_.batch_size, samples_);
  Watch watch(stop, 3 * rows * network_->n_parameters());
  while (position_ < samples_) {
    if (watch.stopped()) return false;
    const Samples<T> batch = next_batch(training);
    const double loss = update(batch);
    epoch_loss_ += loss * static_cast<double>(batch.n);
    position_ += batch.n;
  }
  return true;
}

// The same with a step for every sample, in stretches between which stop() is asked and the network is brought up to date.
template <class T>
bool Trainer<T>::run_online_steps(const Samples<T>& training, const Stop& stop) {
  const std::size_t stretch = 1 + Watch::between_questions / network_->n_parameters();
  online_->load();
  while (position_ < samples_) {
    if (stop()) return false;
    const std::size_t n = std::min(stretch, samples_ - position_);
    const Samples<T> rest = settings_.shuffle ? training : from(training, position_);
    const auto [steps, last_loss] = online_->run(n, rest.x, rest.t, settings_.shuffle ? &order_[position_] : nullptr,
                                                 static_cast<T>(settings_.optimizer.parameters[0]), epoch_loss_);
    online_->save();
    position_ += steps;
    step_count_ += steps;
    if (steps < n) throw NonFinite(at_step(epoch_ + 1, step_count_ + 1, last_loss));
  }
  return true;
}

// False where stop() came during the validation: the epoch's steps are done, but its end is still to come.
template <class T>
bool Trainer<T>::end_epoch(const Samples<T>* validation, Workspace<T>* workspace, const Stop& stop) {
  double validation_loss = std::nan("");
  if (validation != nullptr) {
    bool stopped = false;
    const Stop watch = [&] { return stopped = stop(); };
    validation_loss =
        mean_loss(*network_, settings_.loss, validation->x, validation->n, validation->t, *workspace, watch);
    if (stopped) return false;
  }
  {
    const std::lock_guard<std::mutex> lock(losses_mutex_);
    losses_.training.push_back(epoch_loss_ / static_cast<double>(samples_));
    losses_.validation.push_back(validation_loss);
  }
  position_ = 0;
  ++epoch_;
  return true;
}

// The samples from position on.
template <class T>
Samples<T> Trainer<T>::from(const Samples<T>& samples, std::size_t position) const {
  const std::size_t k = network_->fan_in(), m = network_->fan_out();
  return {samples.n - position,
          samples.x + position * k,
          {samples.t.rows ? samples.t.rows + position * m : nullptr,
           samples.t.classes ? samples.t.classes + position : nullptr}};
}

template <class T>
bool Trainer<T>::plain_sgd() const {
  return kernels<T>().optimizers[settings_.optimizer.index].plain(settings_.optimizer.parameters);
}

template <class T>
Samples<T> Trainer<T>::next_batch(const Samples<T>& training) {
  const std::size_t n = std::min(settings_.batch_size, samples_ - position_);
  const std::size_t k = network_->fan_in(), m = network_->fan_out();
  if (!settings_.shuffle) {
    Samples<T> batch = from(training, position_);
    batch.n = n;
    return batch;
  }
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = order_[position_ + i];
    std::memcpy(&batch_x_[i * k], training.x + from * k, k * sizeof(T));
    if (training.t.rows)
      std::memcpy(&batch_t_[i * m], training.t.rows + from * m, m * sizeof(T));
    else
      batch_classes_[i] = training.t.classes[from];
  }
  return {n,
          batch_x_.data(),
          {training.t.rows ? batch_t_.data() : nullptr, training.t.classes ? batch_classes_.data() : nullptr}};
}

template <class T>
void Trainer<T>::set_learning_rate(double rate) {
  settings_.optimizer.parameters[0] = rate;
}

template <class T>
double Trainer<T>::step(const Samples<T>& batch) {
  const typename Network<T>::Changing changing(*network_);
  make_room(batch.n);
  return update(batch);
}

// Forward and BP1, then, if the loss is finite, the rest of the step.
template <class T>
double Trainer<T>::update(const Samples<T>& batch) {
  forward(*network_, batch.x, batch.n, *workspace_);
  const double total = output_error(*network_, settings_.loss, batch.n, batch.t, static_cast<const T*>(nullptr),
                                    T(1) / static_cast<T>(batch.n), *workspace_);
  const double loss = total / static_cast<double>(batch.n);
  if (!std::isfinite(loss)) throw NonFinite(at_step(epoch_ + 1, step_count_ + 1, loss));
  ++step_count_;
  if (plain_sgd())
    update_directly(batch, static_cast<T>(settings_.optimizer.parameters[0]));
  else
    update_by_gradient(batch, {step_count_, loss, former_loss_});
  former_loss_ = loss;
  return loss;
}

// w −= μ ∂E/∂w with no gradient stored: δ is multiplied by −μ, and BP3 and BP4 add to b and w themselves.
template <class T>
void Trainer<T>::update_directly(const Samples<T>& batch, T rate) {
  backward(*network_, batch.x, batch.n, network_->first_trainable(), *workspace_,
           [&](std::size_t l, const T* a, T* delta) {
             const Layer& layer = network_->layers()[l];
             if (!layer.trainable) return;
             const KernelTable<T>& k = kernels<T>();
             k.scale(batch.n * layer.fan_out, -rate, delta);
             k.product.gradient(batch.n, layer.fan_in, layer.fan_out, a, delta, network_->w(layer), network_->b(layer),
                                true, workspace_->scratch());
           });
}

template <class T>
void Trainer<T>::update_by_gradient(const Samples<T>& batch, const Progress& now) {
  const OptimizerKernels<T>& optimizer = kernels<T>().optimizers[settings_.optimizer.index];
  backward(*network_, batch.x, batch.n, network_->first_trainable(), *workspace_,
           [&](std::size_t l, const T* a, T* delta) {
             const Layer& layer = network_->layers()[l];
             if (!layer.trainable) return;
             T* const g = gradient_.data();
             kernels<T>().product.gradient(batch.n, layer.fan_in, layer.fan_out, a, delta, g + layer.w, g + layer.b,
                                           false, workspace_->scratch());
             optimizer.step({layer.end() - layer.w, network_->w(layer), g + layer.w, state_.data() + layer.w,
                             network_->n_parameters(), now, &settings_.optimizer.parameters});
           });
}

template <class T>
void Trainer<T>::make_room(std::size_t batch) {
  if (workspace_ == nullptr || workspace_->rows() < batch)
    workspace_ = std::make_unique<Workspace<T>>(*network_, settings_.loss, batch);
  if (!settings_.shuffle) return;
  batch_x_.reserve(batch * network_->fan_in());
  batch_t_.reserve(batch * network_->fan_out());
  batch_classes_.reserve(batch);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace backpropc
