// Minibatch gradient descent on one network: the epoch loop, the state that an optimizer keeps, and where in the data a
// run stands.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "network/online.hpp"
#include "network/passes.hpp"
#include "training/regularization.hpp"

namespace backpropc {

// n samples: x row by row, what each should become, and how much it counts (null: 1).
template <class T>
struct Samples {
  std::size_t n = 0;
  const T* x = nullptr;
  TargetRows<T> t;
  const double* weight = nullptr;
};

struct TrainerSettings {
  Choice loss, optimizer;
  std::size_t batch_size = 1;
  bool shuffle = true;
  std::uint64_t seed = 0;
  Regularization regularization{};
};

// One number for every epoch completed.
struct EpochLosses {
  std::vector<double> training, validation;
};

// Where a run stands. With the parameters, the optimizer's state and the losses it is all that a run needs to go on to the
// same bits: random numbers have no state but these counters.
struct Standing {
  std::uint64_t step_count = 0;
  std::size_t samples = 0, position = 0;  // how many an epoch has, and how many of them this one has seen
  double epoch_loss = 0.0;                // Σ wE over those
  double epoch_weight = 0.0;              // Σ w
  double former_loss = infinity;          // of the last step's batch, with the penalties
};

template <class T>
class Trainer {
 public:
  Trainer(std::shared_ptr<Network<T>> network, const TrainerSettings& settings);

  const TrainerSettings& settings() const { return settings_; }
  const std::shared_ptr<Network<T>>& network() const { return network_; }
  // These may be asked by other threads while one trains.
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t step_count() const { return step_count_.load(std::memory_order_relaxed); }
  // Of the epochs from that one on.
  EpochLosses losses_from(std::size_t epoch) const {
    const std::lock_guard<std::mutex> lock(losses_mutex_);
    const auto from = [epoch](const std::vector<double>& all) {
      return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(std::min(epoch, all.size())), all.end());
    };
    return {from(losses_.training), from(losses_.validation)};
  }

  Standing standing() const { return {step_count(), samples_, position_, epoch_loss_, epoch_weight_, former_loss_}; }
  // The optimizer's slots one after the other, each of all parameters.
  Buffer<T>& optimizer_state() { return state_; }
  // Goes on from where another trainer stood; the parameters and optimizer_state() are the caller's to set.
  void resume(const Standing& standing, EpochLosses losses);

  // Trains until `until_epoch` epochs are completed or `until_step` steps done, whichever is first, from where the last call
  // was stopped; an epoch whose last step is done is completed. stop() is asked now and then, between whole steps. Nothing
  // is allocated per step. A loss that is not finite throws NonFinite before the step that would have spread it.
  struct End {
    std::uint64_t epoch, step = std::numeric_limits<std::uint64_t>::max();
  };
  void fit(const Samples<T>& training, const Samples<T>* validation, const End& end, const Stop& stop);

  // The mean E over the samples that the latest epoch has seen.
  double epoch_loss() const { return epoch_loss_ / epoch_weight_; }

  // Of the batches of the latest epoch, each counting as many times as it has samples: the mean of their losses and of their
  // penalties. Counted from the epoch's beginning, or from where the trainer was resumed within it.
  struct BatchMeans {
    double loss, penalty;
  };
  BatchMeans batch_means() const { return {batch_loss_ / batch_samples_, batch_penalty_ / batch_samples_}; }

  // Whatever epoch was begun ends here. The next takes the samples in this order, where one is given; with shuffling only.
  void begin_next_epoch(std::vector<std::size_t> order);

  // Of the steps from now on; throws Busy while another thread is in one.
  void set_learning_rate(double rate);

  // One update on all of the samples; the loss before it. A rate given here is the optimizer's from now on.
  double step(const Samples<T>& batch, std::optional<double> learning_rate = {});

 private:
  void begin_epoch();
  void draw_order();
  class Watch;
  bool run_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch);
  bool run_online_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch);
  void train(const Samples<T>& training, const Samples<T>* validation, const End& end, const Stop& stop);
  bool end_epoch(const Samples<T>* validation, Workspace<T>* workspace, const Stop& stop);
  Samples<T> from(const Samples<T>& samples, std::size_t position) const;
  Samples<T> next_batch(const Samples<T>& training);
  bool adds_to_parameters() const;
  void count_steps(std::size_t n) { step_count_.store(step_count() + n, std::memory_order_relaxed); }
  struct BatchLoss {
    double mean, weight, penalty;  // Σ wᵢEᵢ / Σ wᵢ, Σ wᵢ, and what the step adds to E
  };
  BatchLoss update(const Samples<T>& batch);
  BatchLoss batch_error(const Samples<T>& batch);
  void update_directly(const Samples<T>& batch, T rate);
  void update_by_gradient(const Samples<T>& batch, const Progress& now);
  void draw_masks(std::size_t n);
  double penalties();
  void shape_gradient(std::size_t l, std::size_t begin, std::size_t n);
  void descend(std::size_t begin, std::size_t n, const Progress& now);
  void bound_norm();
  // f(layer) for each layer that learns.
  template <class F>
  void for_each_trainable(F f) {
    for (const Layer& layer : network_->layers())
      if (layer.trainable) f(layer);
  }
  void hold_norms();
  void make_room(std::size_t batch);

  std::shared_ptr<Network<T>> network_;
  TrainerSettings settings_;
  std::unique_ptr<Workspace<T>> workspace_;
  std::unique_ptr<OnlineNetwork<T>> online_;  // while a fit trains a small network a sample at a time
  Buffer<T> gradient_, state_;                // of all parameters; empty where the optimizer needs none
  Buffer<T> batch_x_, batch_t_;               // a shuffled batch, gathered
  Buffer<std::int64_t> batch_classes_;
  Buffer<double> batch_weight_;
  Buffer<T> share_;                       // of each sample in its batch's E
  Buffer<double> parts_;                  // of a sum over parameters
  std::vector<std::size_t> order_;        // of the samples in this epoch; empty without shuffling
  std::vector<std::size_t> given_order_;  // of the next; empty where it is to be drawn
  std::atomic<std::uint64_t> epoch_{0}, step_count_{0};
  std::size_t samples_ = 0, position_ = 0;  // how many an epoch has, and how many of them this one has seen
  double epoch_loss_ = 0.0;                 // Σ wE over those
  double epoch_weight_ = 0.0;               // Σ w
  double former_loss_ = infinity;           // of the last step's batch, with the penalties
  double batch_loss_ = 0.0, batch_penalty_ = 0.0,
         batch_samples_ = 0.0;  // Σ nE, Σ n·penalty, Σ n over the epoch's batches
  double penalty_share_ = 1.0;  // of l1 and l2 in this step
  EpochLosses losses_;
  mutable std::mutex losses_mutex_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace backpropc
