// A network in memory of its own, in which kernels/online.hpp trains it a sample at a time.
#pragma once

#include <memory>
#include <vector>

#include "core/buffer.hpp"
#include "network/passes.hpp"

namespace backpropc {

template <class T>
class OnlineNetwork {
 public:
  // Null where a step is no faster here than in the network's own memory: where a row takes too many registers, or the
  // parameters leave the second cache. Null, too, where a function is the caller's own.
  static std::unique_ptr<OnlineNetwork> of(const Network<T>& network, const Choice& loss);

  void load();        // from the network's parameters
  void save() const;  // to them

  // A step of plain SGD on each of n samples, in that order (null: as they stand); where it must be finite, until one whose
  // E is not, which is not taken. Adds E of each step taken to `total`; returns how many they were.
  std::size_t run(std::size_t n, const T* x, TargetRows<T> t, const std::size_t* order, T rate, bool finite,
                  double& total);

 private:
  using Steps = std::size_t (*)(const OnlineRun<T>&);
  OnlineNetwork(const Network<T>& network, const Choice& loss, std::size_t width, Steps steps);

  const Network<T>& network_;
  std::size_t width_;  // of the padded rows
  Steps steps_;
  std::vector<Buffer<T>> memory_;  // of each layer
  std::vector<OnlineLayer<T>> layers_;
  Buffer<T> one_hot_;
  OnlineRun<T> run_{};
};

extern template class OnlineNetwork<float>;
extern template class OnlineNetwork<double>;

}  // namespace backpropc
