// Many networks of one shape, each trained as a Trainer would train it, side by side in the lanes of vectors.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "training/trainer.hpp"

namespace backpropc {

// What differs from member to member. What is on for one must be on for all: a momentum, penalties, dropout, clip_value.
struct MemberSettings {
  std::uint64_t seed = 0;
  ParameterValues optimizer{};
  Regularization regularization{};
  std::size_t fold = 0;
};

// The samples that some members learn from and are validated on, in their order; none of validation stands for all.
struct Fold {
  std::vector<std::uint32_t> training, validation;
};

struct PopulationSettings {
  Choice loss;
  int optimizer = 0;
  std::size_t batch_size = 1;
  bool shuffle = true;
  std::vector<MemberSettings> members;
  std::vector<Fold> folds;  // of one size; none where all learn from all samples
};

template <class T>
class Population {
 public:
  // The layers are those of `shape`, whose parameters are not looked at.
  Population(const Network<T>& shape, PopulationSettings settings);

  std::size_t size() const { return settings_.members.size(); }
  std::size_t n_parameters() const { return n_parameters_; }
  const PopulationSettings& settings() const { return settings_; }
  const Network<T>& shape() const { return shape_; }
  // (members, slots, n_parameters)
  Buffer<T>& optimizer_state() { return state_; }
  std::size_t slots() const { return slots_; }
  const Standing& standing(std::size_t member) const { return members_[member].standing; }
  // Those of validation may be fewer: where they end there were no validation data.
  const EpochLosses& losses(std::size_t member) const { return members_[member].losses; }
  void resume(std::size_t member, const Standing& standing, EpochLosses losses);
  void set_learning_rate(std::size_t member, double rate) { settings_.members[member].optimizer[0] = rate; }
  // As many samples as it has, in another order; between two epochs.
  void set_training_rows(std::size_t fold, std::vector<std::uint32_t> rows) {
    settings_.folds[fold].training = std::move(rows);
  }

  // Trains these members, each a row of (members, n_parameters), as Trainer::fit would, from where it stands. stop() is asked
  // now and then by the calling thread; members it finds in the middle stay there, to go on in another call. A member of which
  // a number is not finite is left as it was before the call, and named in fallen(): lanes do not look for the step.
  void run(T* parameters, const std::vector<std::size_t>& active, const Samples<T>& training,
           const Samples<T>* validation, const typename Trainer<T>::End& end, const Stop& stop);
  // In all runs.
  const std::vector<std::size_t>& fallen() const { return fallen_; }

 private:
  class Block;
  struct Member {
    Standing standing;
    EpochLosses losses;
    std::uint64_t epoch() const { return losses.training.size(); }
  };

  std::size_t width_for(std::size_t n_active) const;
  bool has_folds() const { return !settings_.folds.empty(); }
  bool validates_on_folds() const { return has_folds() && !settings_.folds.front().validation.empty(); }
  std::size_t samples_in(const Samples<T>& training) const {
    return has_folds() ? settings_.folds.front().training.size() : training.n;
  }

  Network<T> shape_;
  PopulationSettings settings_;
  std::size_t n_parameters_, slots_;
  bool plain_;               // w −= μ ∂E/∂w is all there is to a step
  T* parameters_ = nullptr;  // in a run
  std::size_t batch_ = 0;
  Buffer<T> state_;
  std::vector<Member> members_;
  std::vector<std::size_t> fallen_;
};

extern template class Population<float>;
extern template class Population<double>;

}  // namespace backpropc
