#include "training/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "training/dropout.hpp"

namespace backpropc {

// Asks stop() once in a while, so that a step of a small network does not pay for the question.
template <class T>
class Trainer<T>::Watch {
 public:
  Watch(const Stop& stop, std::size_t work_per_step) : stop_(stop), between_(1 + work / (1 + work_per_step)) {}

  // How many steps may be taken before stop() is due; 0 where it is.
  std::size_t steps_left() const { return left_; }
  void took(std::size_t steps) { left_ -= steps; }
  bool stopped() {
    if (left_ > 0) return false;
    left_ = between_;
    return stop_();
  }

 private:
  static constexpr std::size_t work = 2'000'000;  // multiply-adds: 20 ms at the very slowest
  const Stop& stop_;
  const std::size_t between_;
  std::size_t left_ = 0;
};

template <class T>
Trainer<T>::Trainer(std::shared_ptr<Network<T>> network, const TrainerSettings& settings)
    : network_(std::move(network)), settings_(settings) {
  const OptimizerKernels<T>& optimizer = kernels<T>().optimizers[settings.optimizer.index];
  const ParameterValues& p = settings.optimizer.parameters;
  if (!adds_to_parameters()) gradient_ = Buffer<T>(network_->n_parameters());
  if (const int slots = optimizer.slots(p); slots > 0)
    state_ = Buffer<T>(static_cast<std::size_t>(slots) * network_->n_parameters());
}

template <class T>
void Trainer<T>::resume(const Standing& standing, EpochLosses losses) {
  const std::lock_guard<std::mutex> lock(losses_mutex_);
  losses_ = std::move(losses);
  stand_at(standing);
}

// Everything but the losses, which are of the epochs completed.
template <class T>
void Trainer<T>::stand_at(const Standing& standing) {
  epoch_ = losses_.training.size();
  step_count_.store(standing.step_count, std::memory_order_relaxed);
  samples_ = standing.samples;
  position_ = standing.position;
  epoch_loss_ = standing.epoch_loss;
  epoch_weight_ = standing.epoch_weight;
  former_loss_ = standing.former_loss;
  order_.clear();
}

template <class T>
void Trainer<T>::fit(const Samples<T>& training, const Samples<T>* validation, const End& end, const Stop& stop,
                     Numbers numbers) {
  const typename Network<T>::Changing changing(*network_);
  demand(numbers);
  if (order_is_given() && given_order_.size() != training.n)
    throw std::invalid_argument("the order is of " + std::to_string(given_order_.size()) + " samples; it must be of " +
                                std::to_string(training.n));
  make_room(std::min(settings_.batch_size, training.n));
  if (numbers == Numbers::finite) make_room_for_point();
  if (settings_.shuffle) order_.reserve(training.n);
  std::unique_ptr<Workspace<T>> evaluation;
  if (validation != nullptr)
    evaluation = std::make_unique<Workspace<T>>(evaluation_workspace(*network_, settings_.loss, validation->n));
  if (settings_.batch_size == 1 && steps_are_plain(training)) online_ = OnlineNetwork<T>::of(*network_, settings_.loss);
  if (samples_ != training.n) position_ = 0;  // other data: an epoch begun on the old ends here
  samples_ = training.n;
  if (position_ > 0 && settings_.shuffle && order_.size() != samples_) draw_order();
  if (online_ != nullptr) online_->load();
  // However it ends, the network has what was learned.
  struct Saved {
    std::unique_ptr<OnlineNetwork<T>>& online;
    ~Saved() {
      if (online != nullptr) online->save();
      online.reset();
    }
  } const saved{online_};
  const Run run{training, validation, evaluation.get(), stop};
  numbers == Numbers::finite ? train_finitely(run, end) : train(run, end);
}

template <class T>
void Trainer<T>::train(const Run& run, const End& end) {
  Watch watch(run.stop, 3 * std::min(settings_.batch_size, samples_) * network_->n_parameters());
  while (epoch_ < end.epoch && step_count() < end.step) {
    if (position_ == 0) begin_epoch();
    if (!(online_ ? run_online_steps(run.training, end.step, watch) : run_steps(run.training, end.step, watch))) return;
    if (!end_epoch(run)) return;
  }
}

template <class T>
void Trainer<T>::begin_epoch() {
  epoch_loss_ = epoch_weight_ = 0.0;
  batches_ = {};
  if (settings_.shuffle) draw_order();
}

template <class T>
void Trainer<T>::begin_next_epoch(std::vector<std::size_t> order) {
  const typename Network<T>::Changing changing(*network_);
  position_ = 0;
  given_order_ = std::move(order);
  given_for_ = epoch_;
}

template <class T>
void Trainer<T>::draw_order() {
  if (order_is_given()) {
    order_ = given_order_;
    return;
  }
  order_.resize(samples_);
  shuffled_order(settings_.seed, epoch_, samples_, order_.data());
}

// To the end of the epoch; or until so many steps are done, stop(), or a step that must not be taken, which makes it false.
template <class T>
bool Trainer<T>::run_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch) {
  while (position_ < samples_) {
    if (step_count() >= until_step || watch.stopped()) return false;
    const Samples<T> batch = next_batch(training);
    const BatchLoss loss = update(batch);
    if (blocked_) return false;
    epoch_loss_ += loss.mean * loss.weight;
    epoch_weight_ += loss.weight;
    const double n = static_cast<double>(batch.n);
    batches_ = {batches_.loss + loss.mean * n, batches_.penalty + loss.penalty * n, batches_.samples + n};
    position_ += batch.n;
    watch.took(1);
  }
  return true;
}

// The same with a step for every sample. The network is brought up to date before stop() is asked: there others may look.
template <class T>
bool Trainer<T>::run_online_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch) {
  while (position_ < samples_) {
    if (step_count() >= until_step) return false;
    if (watch.steps_left() == 0) online_->save();
    if (watch.stopped()) return false;
    const std::size_t n = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::min(watch.steps_left(), samples_ - position_), until_step - step_count()));
    const Samples<T> rest = settings_.shuffle ? training : from(training, position_);
    const std::size_t steps =
        online_->run(n, rest.x, rest.t, settings_.shuffle ? &order_[position_] : nullptr,
                     static_cast<T>(settings_.optimizer.parameters[0]), numbers_ == Numbers::finite, epoch_loss_);
    position_ += steps;
    epoch_weight_ += static_cast<double>(steps);
    batches_ = {epoch_loss_, 0.0, epoch_weight_};
    count_steps(steps);
    if (steps < n) return !(blocked_ = true);
    watch.took(n);
  }
  return true;
}

// False where stop() came during the validation: the epoch's steps are done, but its end is still to come.
template <class T>
bool Trainer<T>::end_epoch(const Run& run) {
  double validation_loss = std::nan("");
  if (const Samples<T>* const held_out = run.validation) {
    if (online_ != nullptr) online_->save();
    bool stopped = false;
    const Stop watch = [&] { return stopped = run.stop(); };
    validation_loss =
        mean_loss(*network_, settings_.loss, held_out->x, held_out->n, held_out->t, *run.evaluation, watch);
    if (stopped) return false;
  }
  complete_epoch(validation_loss);
  return true;
}

template <class T>
void Trainer<T>::complete_epoch(double validation_loss) {
  make_room_for_epoch();
  const std::lock_guard<std::mutex> lock(losses_mutex_);
  losses_.training.push_back(epoch_loss_ / epoch_weight_);
  losses_.validation.push_back(validation_loss);
  position_ = 0;
  ++epoch_;
}

// The samples from position on.
template <class T>
Samples<T> Trainer<T>::from(const Samples<T>& samples, std::size_t position) const {
  const std::size_t k = network_->fan_in(), m = network_->fan_out();
  return {samples.n - position,
          samples.x + position * k,
          {samples.t.rows ? samples.t.rows + position * m : nullptr,
           samples.t.classes ? samples.t.classes + position : nullptr},
          samples.weight ? samples.weight + position : nullptr};
}

// So that an epoch is recorded with both of its losses or not at all.
template <class T>
void Trainer<T>::make_room_for_epoch() {
  const std::lock_guard<std::mutex> lock(losses_mutex_);
  for (std::vector<double>* const all : {&losses_.training, &losses_.validation})
    if (all->size() == all->capacity()) all->reserve(std::max<std::size_t>(2 * all->size(), 16));
}

// Whether w −= μ ∂E/∂w is all there is to a step, so that no gradient need be stored.
template <class T>
bool Trainer<T>::adds_to_parameters() const {
  return kernels<T>().optimizers[settings_.optimizer.index].plain(settings_.optimizer.parameters) &&
         !settings_.regularization.penalizes() && !settings_.regularization.clips();
}

// Whether a step on one sample is that and nothing else, as kernels/online.hpp takes it.
template <class T>
bool Trainer<T>::steps_are_plain(const Samples<T>& training) {
  const Regularization& r = settings_.regularization;
  bool is_masked = false;
  for_each_trainable([&](const Layer& layer) { is_masked = is_masked || layer.mask != nullptr; });
  return adds_to_parameters() && training.weight == nullptr && !r.drops_out() && r.max_norm == infinity && !is_masked;
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
  for_each_block_of_rows(n, k + m, [&](std::size_t row, std::size_t rows) {
    for (std::size_t i = row; i < row + rows; ++i) {
      const std::size_t from = order_[position_ + i];
      std::memcpy(&batch_x_[i * k], training.x + from * k, k * sizeof(T));
      if (training.t.rows)
        std::memcpy(&batch_t_[i * m], training.t.rows + from * m, m * sizeof(T));
      else
        batch_classes_[i] = training.t.classes[from];
      if (training.weight) batch_weight_[i] = training.weight[from];
    }
  });
  return {n,
          batch_x_.data(),
          {training.t.rows ? batch_t_.data() : nullptr, training.t.classes ? batch_classes_.data() : nullptr},
          training.weight ? batch_weight_.data() : nullptr};
}

template <class T>
void Trainer<T>::set_learning_rate(double rate) {
  const typename Network<T>::Changing changing(*network_);
  settings_.optimizer.parameters[0] = rate;
}

template <class T>
double Trainer<T>::step(const Samples<T>& batch, std::optional<double> learning_rate, Numbers numbers,
                        std::optional<T> largest) {
  const typename Network<T>::Changing changing(*network_);
  if (learning_rate) settings_.optimizer.parameters[0] = *learning_rate;
  return take_step(batch, numbers, largest).mean;
}

// One update, taken back where the numbers must be finite and are not.
template <class T>
typename Trainer<T>::BatchLoss Trainer<T>::take_step(const Samples<T>& batch, Numbers numbers,
                                                     std::optional<T> largest) {
  make_room(batch.n);
  demand(numbers);
  return numbers == Numbers::finite ? step_finitely(batch, largest) : update(batch);
}

// Forward and BP1, then the rest of the step, unless the loss must be finite and is not.
template <class T>
typename Trainer<T>::BatchLoss Trainer<T>::update(const Samples<T>& batch) {
  draw_masks(batch.n);
  forward(*network_, batch.x, batch.n, *workspace_);
  BatchLoss loss = batch_error(batch);
  blocked_ = numbers_ == Numbers::finite && !std::isfinite(loss.mean);
  if (blocked_) return loss;
  if (settings_.regularization.by_batch) penalty_share_ = loss.weight > 0.0 ? 1.0 / loss.weight : 0.0;
  loss.penalty = penalties();
  const double penalized = loss.mean + loss.penalty;
  if (adds_to_parameters())
    update_directly(batch);
  else
    update_by_gradient(batch, {step_count() + 1, penalized, former_loss_});
  if (blocked_) return loss;
  hold_norms();
  count_steps(1);
  former_loss_ = penalized;
  return loss;
}

// BP1 of E = Σ wᵢEᵢ / Σ wᵢ. Where all of a batch weigh 0, E and its gradient are 0.
template <class T>
typename Trainer<T>::BatchLoss Trainer<T>::batch_error(const Samples<T>& batch) {
  const double n = static_cast<double>(batch.n);
  if (batch.weight == nullptr) {
    const double total = output_error(*network_, settings_.loss, batch.n, batch.t, static_cast<const T*>(nullptr),
                                      T(1) / static_cast<T>(batch.n), *workspace_);
    return {total / n, n, 0.0};
  }
  const double weight = std::accumulate(batch.weight, batch.weight + batch.n, 0.0);
  for (std::size_t i = 0; i < batch.n; ++i) share_[i] = weight > 0.0 ? static_cast<T>(batch.weight[i] / weight) : T(0);
  return {output_error(*network_, settings_.loss, batch.n, batch.t, share_.data(), T(1), *workspace_), weight, 0.0};
}

template <class T>
void Trainer<T>::update_directly(const Samples<T>& batch) {
  const std::size_t lowest = network_->first_trainable();
  const auto add = [&](std::size_t l, const T* a, T* delta) { add_to_parameters(l, batch.n, a, delta); };
  if (!largest_) return backward(*network_, batch.x, batch.n, lowest, *workspace_, add);
  // A step that must be certain not to overflow: all δ come before any change, as they tell.
  backward(*network_, batch.x, batch.n, lowest, *workspace_, [](std::size_t, const T*, T*) {});
  if (!cannot_overflow(batch)) {
    largest_.reset();
    blocked_ = true;
    return;
  }
  for (std::size_t l = network_->layers().size(); l-- > lowest;)
    add(l, workspace_->input(l, batch.x), workspace_->delta(l));
}

// w −= μ ∂E/∂w with no gradient stored: δ is multiplied by −μ, and BP3 and BP4 add to b and w themselves.
template <class T>
void Trainer<T>::add_to_parameters(std::size_t l, std::size_t n, const T* a, T* delta) {
  const Layer& layer = network_->layers()[l];
  if (!layer.trainable) return;
  kernels<T>().scale(n * layer.fan_out, -static_cast<T>(settings_.optimizer.parameters[0]), delta);
  dense_gradient(layer.shape(n), a, delta, network_->w(layer), network_->b(layer), true, workspace_->scratch());
  apply_mask(layer, network_->parameters());
}

// dw and db, then the optimizer's step: on a few rows at a time while they are in the cache, unless clip_norm must know the
// whole gradient before.
template <class T>
void Trainer<T>::update_by_gradient(const Samples<T>& batch, const Progress& now) {
  const bool at_once = settings_.regularization.clip_norm == infinity;
  const auto finish = [&](std::size_t l, std::size_t begin, std::size_t n) {
    shape_gradient(l, begin, n);
    if (at_once) descend(network_->layers()[l], begin, n, now);
  };
  backward(
      *network_, batch.x, batch.n, network_->first_trainable(), *workspace_, [&](std::size_t l, const T* a, T* delta) {
        const Layer& layer = network_->layers()[l];
        if (!layer.trainable) return;
        dense_gradient_by_rows(layer.shape(batch.n), a, delta, gradient_.data() + layer.w, gradient_.data() + layer.b,
                               workspace_->scratch(), [&](std::size_t row, std::size_t rows) {
                                 finish(l, layer.w + row * layer.fan_out, rows * layer.fan_out);
                               });
        finish(l, layer.b, layer.fan_out);
      });
  if (at_once) return;
  bound_norm();
  if (blocked_) return;
  for_each_trainable([&](const Layer& layer) {
    for_each_block_of_rows(layer.fan_in + 1, 8 * layer.fan_out, [&](std::size_t row, std::size_t rows) {
      descend(layer, layer.w + row * layer.fan_out, rows * layer.fan_out, now);
    });
  });
}

// The optimizer's step on n parameters of a layer.
template <class T>
void Trainer<T>::descend(const Layer& layer, std::size_t begin, std::size_t n, const Progress& now) {
  const bool finite = kernels<T>().optimizers[settings_.optimizer.index].step(
      {n, network_->parameters() + begin, gradient_.data() + begin, state_.data() + begin, network_->n_parameters(),
       now, &settings_.optimizer.parameters});
  apply_mask(layer, begin, n, network_->parameters());  // its state may be of a time before the mask
  if (!finite) gradients_are_finite_.store(false, std::memory_order_relaxed);
}

// The mask, the penalties' gradient and clip_value, for n weights or biases of layer l.
template <class T>
void Trainer<T>::shape_gradient(std::size_t l, std::size_t begin, std::size_t n) {
  const Regularization& r = settings_.regularization;
  T* const gradient = gradient_.data() + begin;
  apply_mask(network_->layers()[l], begin, n, gradient_.data());
  if (r.penalizes() && begin < network_->layers()[l].b)
    add_penalty_gradient(n, static_cast<T>(r.l1_of(l) * penalty_share_), static_cast<T>(r.l2_of(l) * penalty_share_),
                         network_->parameters() + begin, gradient);
  if (r.clip_value < infinity && !clip(n, static_cast<T>(r.clip_value), gradient))
    gradients_are_finite_.store(false, std::memory_order_relaxed);
}

// clip_norm: the whole gradient is shrunk to that norm where it is longer (Pascanu, Mikolov, Bengio 2013, Algorithm 1).
template <class T>
void Trainer<T>::bound_norm() {
  double squares = 0.0;
  for_each_trainable([&](const Layer& layer) {
    squares += sum_of_squares(layer.end() - layer.w, gradient_.data() + layer.w, parts_);
  });
  const double norm = std::sqrt(squares), most = settings_.regularization.clip_norm;
  blocked_ = numbers_ == Numbers::finite && !std::isfinite(norm);
  if (blocked_ || norm <= most) return;
  const T shrink = static_cast<T>(most / norm);
  for_each_trainable([&](const Layer& layer) {
    for_each_block_of_rows(layer.fan_in + 1, layer.fan_out, [&](std::size_t row, std::size_t rows) {
      kernels<T>().scale(rows * layer.fan_out, shrink, gradient_.data() + layer.w + row * layer.fan_out);
    });
  });
}

// max_norm (Srebro, Shraibman 2005; Srivastava et al. 2014): the weights that lead to a unit, after the step.
template <class T>
void Trainer<T>::hold_norms() {
  const double most = settings_.regularization.max_norm;
  if (most == infinity) return;
  for_each_trainable(
      [&](const Layer& layer) { hold_columns(layer.fan_in, layer.fan_out, most, network_->w(layer), parts_.data()); });
}

// Dropout: which units the layers read in this step.
template <class T>
void Trainer<T>::draw_masks(std::size_t n) {
  const Regularization& r = settings_.regularization;
  for (std::size_t l = 0; l < r.dropout.size(); ++l)
    if (T* const mask = workspace_->mask(l))
      draw_mask(settings_.seed, step_count(), l, r.dropout[l], n, network_->layers()[l].fan_in, mask);
}

template <class T>
double Trainer<T>::penalties() {
  const Regularization& r = settings_.regularization;
  double total = 0.0;
  for (std::size_t l = 0; r.penalizes() && l < network_->layers().size(); ++l) {
    const Layer& layer = network_->layers()[l];
    total += penalty(layer.fan_in * layer.fan_out, r.l1_of(l), r.l2_of(l), network_->w(layer), parts_);
  }
  return total * penalty_share_;
}

template <class T>
void Trainer<T>::demand(Numbers numbers) {
  numbers_ = numbers;
  largest_.reset();
}

// All that a step needs, before it changes anything: where memory is short, the call fails and nothing else.
template <class T>
void Trainer<T>::make_room(std::size_t batch) {
  if (workspace_ == nullptr || workspace_->rows() < batch || workspace_->scratch().outdated())
    workspace_ = new_workspace(batch);
  share_.reserve(batch);
  parts_.reserve(std::max(network_->widest(), parts_of_sum(network_->n_parameters())));
  if (!settings_.shuffle) return;
  batch_weight_.reserve(batch);
  batch_x_.reserve(batch * network_->fan_in());
  batch_t_.reserve(batch * network_->fan_out());
  batch_classes_.reserve(batch);
}

template <class T>
std::unique_ptr<Workspace<T>> Trainer<T>::new_workspace(std::size_t batch) const {
  auto workspace = std::make_unique<Workspace<T>>(*network_, settings_.loss, batch);
  const std::vector<double>& dropout = settings_.regularization.dropout;
  for (std::size_t l = 0; l < dropout.size(); ++l)
    if (dropout[l] > 0.0) workspace->add_mask(l, network_->layers()[l].fan_in);
  return workspace;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace backpropc
