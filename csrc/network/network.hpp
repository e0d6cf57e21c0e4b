// A dense network: its layers, and all their parameters in one flat buffer, layer by layer, w then b.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.hpp"
#include "core/definition.hpp"
#include "network/dense.hpp"

namespace backpropc {

struct Layer {
  std::size_t fan_in = 0, fan_out = 0;
  Choice activation;
  bool trainable = true;
  std::size_t w = 0, b = 0;                                 // where they start in the flat parameters
  std::shared_ptr<const std::vector<std::uint8_t>> mask{};  // of w, 0 for what stays 0; null where there is none

  std::size_t end() const { return b + fan_out; }
  DenseShape shape(std::size_t n) const { return {n, fan_in, fan_out}; }
};

// Sets to 0 what a layer's mask says, in n elements from `begin` on of an array laid out as the parameters are.
template <class T>
void apply_mask(const Layer& layer, std::size_t begin, std::size_t n, T* flat);
// … in all of the layer's.
template <class T>
void apply_mask(const Layer& layer, T* flat) {
  if (layer.mask != nullptr) apply_mask(layer, layer.w, layer.b - layer.w, flat);
}

// The index of the first of n numbers that is not finite, or n.
template <class T>
std::size_t first_non_finite(std::size_t n, const T* p);

template <class T>
class Network {
 public:
  // The offsets w and b of the layers are filled in here; parameters start at 0.
  explicit Network(std::vector<Layer> layers);
  Network(const Network& other);
  Network& operator=(const Network&) = delete;

  const std::vector<Layer>& layers() const { return layers_; }
  std::size_t fan_in() const { return layers_.front().fan_in; }
  std::size_t fan_out() const { return layers_.back().fan_out; }
  std::size_t n_parameters() const { return parameters_->size(); }
  T* parameters() const { return parameters_->data(); }
  const std::shared_ptr<Buffer<T>>& shared_parameters() const { return parameters_; }
  T* w(const Layer& layer) const { return parameters() + layer.w; }
  T* b(const Layer& layer) const { return parameters() + layer.b; }

  void set_trainable(std::size_t layer, bool trainable) { layers_[layer].trainable = trainable; }
  // Weights that it leaves out become 0. An empty one is none.
  void set_mask(std::size_t layer, std::vector<std::uint8_t> mask);
  // The lowest layer that learns, or the number of layers.
  std::size_t first_trainable() const;
  // Whether an activation is the caller's own, so that a pass may throw.
  bool has_custom() const { return has_custom_; }
  // The widest row that passes between layers.
  std::size_t widest() const;
  // The index of the first parameter that is not finite, or n_parameters().
  std::size_t first_non_finite() const { return backpropc::first_non_finite(n_parameters(), parameters()); }
  // A parameter as users write it: "layers[0].w[2, 1]".
  std::string name_of(std::size_t parameter) const;

  // While one thread changes the parameters no other may read or change them: the second throws Busy.
  class Reading {
   public:
    explicit Reading(const Network& network);
    ~Reading() { network_.users_.fetch_sub(1, std::memory_order_release); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    const Network& network_;
  };
  class Changing {
   public:
    explicit Changing(const Network& network);
    ~Changing() { network_.users_.store(0, std::memory_order_release); }
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;

   private:
    const Network& network_;
  };

 private:
  static constexpr int changing = -1;
  std::vector<Layer> layers_;
  bool has_custom_;
  std::shared_ptr<Buffer<T>> parameters_;
  mutable std::atomic<int> users_{0};  // how many read, or `changing`
};

extern template class Network<float>;
extern template class Network<double>;

}  // namespace backpropc
