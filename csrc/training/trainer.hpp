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
#include <string>
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

// What the losses, gradients and parameters of a run may be.
enum class Numbers { finite, any };

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
  // is allocated per step. Where the numbers must be finite, the first that is not throws NonFinite, and everything is as it
  // was before its step.
  struct End {
    std::uint64_t epoch, step = std::numeric_limits<std::uint64_t>::max();
  };
  void fit(const Samples<T>& training, const Samples<T>* validation, const End& end, const Stop& stop,
           Numbers numbers = Numbers::finite);

  // An epoch whose batches come one by one from a caller who alone knows when it ends: a step on one of them, its loss
  // before it; how many samples the epoch under way has had of this kind; the epoch's end.
  double learn(const Samples<T>& batch, Numbers numbers = Numbers::finite);
  std::size_t learned() const { return samples_ == unknown ? position_ : 0; }
  void complete_epoch(double validation_loss);

  // A step that the caller has worked out, and an epoch of nothing else, whose samples had this E before it.
  void adopt(const T* parameters);
  void adopt_epoch(const T* parameters, double loss, double validation_loss);

  // How many samples an epoch has that comes batch by batch.
  static constexpr std::size_t unknown = std::numeric_limits<std::ptrdiff_t>::max();

  // The mean E over the samples that the latest epoch has seen.
  double epoch_loss() const { return epoch_loss_ / epoch_weight_; }

  // Of the batches of the latest epoch, each counting as many times as it has samples: the mean of their losses and of their
  // penalties. Counted from the epoch's beginning, or from where the trainer was resumed within it.
  struct BatchMeans {
    double loss, penalty;
  };
  BatchMeans batch_means() const { return {batches_.loss / batches_.samples, batches_.penalty / batches_.samples}; }

  // Whatever epoch was begun ends here. The next takes the samples in this order, where one is given; with shuffling only.
  void begin_next_epoch(std::vector<std::size_t> order);

  // Of the steps from now on; throws Busy while another thread is in one.
  void set_learning_rate(double rate);

  // One update on all of the samples; the loss before it. A rate given here is the optimizer's from now on. The largest
  // |parameter| may be given where it is known.
  double step(const Samples<T>& batch, std::optional<double> learning_rate = {}, Numbers numbers = Numbers::finite,
              std::optional<T> largest = {});

 private:
  void stand_at(const Standing& standing);
  void begin_epoch();
  bool order_is_given() const { return !given_order_.empty() && given_for_ == epoch_; }
  void draw_order();
  class Watch;
  bool run_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch);
  bool run_online_steps(const Samples<T>& training, std::uint64_t until_step, Watch& watch);
  struct Run {
    const Samples<T>& training;
    const Samples<T>* validation;
    Workspace<T>* evaluation;  // where there are validation data
    const Stop& stop;
  };
  void train(const Run& run, const End& end);
  bool end_epoch(const Run& run);
  void make_room_for_epoch();
  Samples<T> from(const Samples<T>& samples, std::size_t position) const;
  Samples<T> next_batch(const Samples<T>& training);
  bool adds_to_parameters() const;
  bool steps_are_plain(const Samples<T>& training);
  void count_steps(std::size_t n) { step_count_.store(step_count() + n, std::memory_order_relaxed); }
  struct BatchLoss {
    double mean, weight, penalty;  // Σ wᵢEᵢ / Σ wᵢ, Σ wᵢ, and what the step adds to E
  };
  BatchLoss update(const Samples<T>& batch);
  BatchLoss take_step(const Samples<T>& batch, Numbers numbers, std::optional<T> largest = {});
  BatchLoss batch_error(const Samples<T>& batch);
  void update_directly(const Samples<T>& batch);
  void add_to_parameters(std::size_t l, std::size_t n, const T* a, T* delta);
  void update_by_gradient(const Samples<T>& batch, const Progress& now);
  void draw_masks(std::size_t n);
  double penalties();
  void shape_gradient(std::size_t l, std::size_t begin, std::size_t n);
  void descend(const Layer& layer, std::size_t begin, std::size_t n, const Progress& now);
  void bound_norm();
  // f(layer) for each layer that learns.
  template <class F>
  void for_each_trainable(F f) {
    for (const Layer& layer : network_->layers())
      if (layer.trainable) f(layer);
  }
  void hold_norms();
  void demand(Numbers numbers);
  void make_room(std::size_t batch);
  std::unique_ptr<Workspace<T>> new_workspace(std::size_t batch) const;

  // In finite.cpp: a point to go back to, and what of a step is not finite.
  struct Fault {
    std::size_t parameter;  // that is not finite, or their number
    double value;
  };
  void train_finitely(const Run& run, const End& end);
  bool proofs_cost_less(const End& end, std::uint64_t stretch) const;
  bool train_by_proof(const Run& run, const End& end);
  void make_room_for_point();
  void set_point();
  void go_back();
  bool is_finite() const;
  Fault first_fault_in(const T* parameters) const;
  BatchLoss step_finitely(const Samples<T>& batch, std::optional<T> largest);
  bool cannot_overflow(const Samples<T>& batch);
  Fault first_fault() const { return first_fault_in(network_->parameters()); }
  std::string explain(const Samples<T>& batch, const Fault& after);
  std::string way_to_loss(std::size_t n) const;
  Buffer<T> whole_gradient(const Samples<T>& batch);

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
  std::vector<std::size_t> given_order_;  // of epoch given_for_, in place of one that is drawn
  std::uint64_t given_for_ = 0;
  std::atomic<std::uint64_t> epoch_{0}, step_count_{0};
  std::size_t samples_ = 0, position_ = 0;  // how many an epoch has, and how many of them this one has seen
  double epoch_loss_ = 0.0;                 // Σ wE over those
  double epoch_weight_ = 0.0;               // Σ w
  double former_loss_ = infinity;           // of the last step's batch, with the penalties
  struct Sums {
    double loss = 0.0, penalty = 0.0, samples = 0.0;  // Σ nE, Σ n·penalty, Σ n
  } batches_;                                         // of the epoch so far
  double penalty_share_ = 1.0;                        // of l1 and l2 in this step
  EpochLosses losses_;
  mutable std::mutex losses_mutex_;

  struct Point {
    bool is_set = false;
    Standing standing;
    Sums batches;
    std::size_t epochs = 0;
    Buffer<T> parameters, state;
  };
  Numbers numbers_ = Numbers::finite;  // of the call under way
  Point point_;
  std::optional<double> largest_;  // a bound of |parameter|, where steps must be certain not to overflow
  bool blocked_ = false;  // the step to come was not taken: its loss or norm is not finite, or it might overflow
  std::atomic<bool> gradients_are_finite_{true};  // of the steps since the point, where they are stored
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace backpropc
