#include "network/online.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace backpropc {

namespace {

// Of a layer's memory: w, wᵀ where it passes its error on, and five rows.
std::size_t size_of(const Layer& layer, bool passes_error_on, std::size_t width) {
  return (layer.fan_in + (passes_error_on ? layer.fan_out : 0) + 5) * width;
}

template <class T>
OnlineLayer<T> place(const Layer& layer, bool passes_error_on, std::size_t width, T* memory) {
  const auto take = [&](std::size_t rows) { return std::exchange(memory, memory + rows * width); };
  OnlineLayer<T> o{};
  o.fan_in = layer.fan_in;
  o.fan_out = layer.fan_out;
  o.w = take(o.fan_in);
  if (passes_error_on) o.w_transposed = take(o.fan_out);
  o.b = take(1);
  o.z = take(1);
  o.a = take(1);
  o.delta = take(1);
  T* const keep = take(1);
  std::memset(keep, 0xff, o.fan_out * sizeof(T));
  o.keep = keep;
  o.trainable = layer.trainable;
  o.activation = layer.activation.index;
  o.parameters = &layer.activation.parameters;
  o.kernels = &kernels<T>().activations[layer.activation.index];
  return o;
}

}  // namespace

template <class T>
std::unique_ptr<OnlineNetwork<T>> OnlineNetwork<T>::of(const Network<T>& network, const Choice& loss) {
  if (network.has_custom() || loss.custom != nullptr) return nullptr;
  constexpr std::size_t second_cache = 512 * 1024;
  std::size_t rows = 0;
  for (const Layer& layer : network.layers()) rows += size_of(layer, true, 1);
  // The narrowest rows that hold the widest layer, of whatever instruction set up to the active one: wide vectors that are
  // half empty take longer than whole narrow ones, and the bits are the same.
  std::size_t width = second_cache / sizeof(T) / rows + 1;
  Steps steps = nullptr;
  const std::vector<const InstructionSet*>& available = available_instruction_sets();
  const InstructionSet& active = active_instruction_set();
  for (const InstructionSet* isa : available) {
    if (isa == available.front() && isa != &active) continue;  // scalars
    for (const auto& k : isa->kernels<T>().online[loss.index].of_width)
      if (k.width >= network.widest() && k.width <= width) std::tie(width, steps) = std::pair(k.width, k.steps);
    if (isa == &active) break;
  }
  return steps == nullptr ? nullptr : std::unique_ptr<OnlineNetwork>(new OnlineNetwork(network, loss, width, steps));
}

template <class T>
OnlineNetwork<T>::OnlineNetwork(const Network<T>& network, const Choice& loss, std::size_t width, Steps steps)
    : network_(network), width_(width), steps_(steps), one_hot_(network.fan_out()) {
  run_.lowest = network.first_trainable();
  for (const Layer& layer : network.layers()) {
    const bool passes_error_on = layers_.size() > run_.lowest;
    memory_.emplace_back(size_of(layer, passes_error_on, width));
    layers_.push_back(place(layer, passes_error_on, width, memory_.back().data()));
  }
  run_.layers = layers_.data();
  run_.n_layers = layers_.size();
  run_.loss_parameters = &loss.parameters;
  run_.one_hot = one_hot_.data();
}

template <class T>
void OnlineNetwork<T>::load() {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const OnlineLayer<T>& o = layers_[l];
    const T *const w = network_.w(network_.layers()[l]), *const b = network_.b(network_.layers()[l]);
    for (std::size_t k = 0; k < o.fan_in; ++k) {
      std::memcpy(o.w + k * width_, w + k * o.fan_out, o.fan_out * sizeof(T));
      for (std::size_t j = 0; o.w_transposed != nullptr && j < o.fan_out; ++j)
        o.w_transposed[j * width_ + k] = w[k * o.fan_out + j];
    }
    std::memcpy(o.b, b, o.fan_out * sizeof(T));
  }
}

template <class T>
void OnlineNetwork<T>::save() const {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const OnlineLayer<T>& o = layers_[l];
    T *const w = network_.w(network_.layers()[l]), *const b = network_.b(network_.layers()[l]);
    for (std::size_t k = 0; k < o.fan_in; ++k) std::memcpy(w + k * o.fan_out, o.w + k * width_, o.fan_out * sizeof(T));
    std::memcpy(b, o.b, o.fan_out * sizeof(T));
  }
}

template <class T>
std::size_t OnlineNetwork<T>::run(std::size_t n, const T* x, TargetRows<T> t, const std::size_t* order, T rate,
                                  bool finite, double& total) {
  run_.x = x;
  run_.t_rows = t.rows;
  run_.t_classes = t.classes;
  run_.order = order;
  run_.n_steps = n;
  run_.minus_rate = -rate;
  run_.finite = finite;
  run_.total = &total;
  return steps_(run_);
}

template class OnlineNetwork<float>;
template class OnlineNetwork<double>;

}  // namespace backpropc
