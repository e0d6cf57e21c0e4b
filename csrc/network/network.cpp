#include "network/network.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/errors.hpp"

namespace backpropc {

namespace {

std::size_t place(std::vector<Layer>& layers) {
  std::size_t end = 0;
  for (Layer& layer : layers) {
    layer.w = end;
    layer.b = layer.w + layer.fan_in * layer.fan_out;
    end = layer.end();
  }
  return end;
}

bool any_custom(const std::vector<Layer>& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const Layer& l) { return l.activation.custom != nullptr; });
}

}  // namespace

template <class T>
void apply_mask(const Layer& layer, std::size_t begin, std::size_t n, T* flat) {
  if (layer.mask == nullptr) return;
  const std::size_t end = std::min(begin + n, layer.b);
  const std::uint8_t* const mask = layer.mask->data();
  for (std::size_t i = begin; i < end; ++i) flat[i] = mask[i - layer.w] != 0 ? flat[i] : T(0);
}

template <class T>
std::size_t first_non_finite(std::size_t n, const T* p) {
  if (kernels<T>().largest(n, p) < std::numeric_limits<T>::infinity()) return n;
  return static_cast<std::size_t>(std::find_if(p, p + n, [](T v) { return !std::isfinite(v); }) - p);
}

template <class T>
Network<T>::Network(std::vector<Layer> layers)
    : layers_(std::move(layers)),
      has_custom_(any_custom(layers_)),
      parameters_(std::make_shared<Buffer<T>>(place(layers_))) {}

template <class T>
Network<T>::Network(const Network& other)
    : layers_(other.layers_),
      has_custom_(other.has_custom_),
      parameters_(std::make_shared<Buffer<T>>(other.n_parameters())) {
  const Reading reading(other);
  std::memcpy(parameters(), other.parameters(), n_parameters() * sizeof(T));
}

template <class T>
void Network<T>::set_mask(std::size_t layer, std::vector<std::uint8_t> mask) {
  Layer& of = layers_[layer];
  of.mask = mask.empty() ? nullptr : std::make_shared<const std::vector<std::uint8_t>>(std::move(mask));
  apply_mask(of, parameters());
}

template <class T>
std::size_t Network<T>::first_trainable() const {
  std::size_t l = 0;
  while (l < layers_.size() && !layers_[l].trainable) ++l;
  return l;
}

template <class T>
std::size_t Network<T>::widest() const {
  std::size_t width = 0;
  for (const Layer& layer : layers_) width = std::max(width, layer.fan_out);
  return width;
}

template <class T>
std::string Network<T>::name_of(std::size_t parameter) const {
  std::size_t l = 0;
  while (layers_[l].end() <= parameter) ++l;
  const Layer& layer = layers_[l];
  const std::string name = "layers[" + std::to_string(l) + "]";
  if (parameter >= layer.b) return name + ".b[" + std::to_string(parameter - layer.b) + "]";
  const std::size_t at = parameter - layer.w;
  return name + ".w[" + std::to_string(at / layer.fan_out) + ", " + std::to_string(at % layer.fan_out) + "]";
}

template <class T>
Network<T>::Reading::Reading(const Network& network) : network_(network) {
  int users = network.users_.load(std::memory_order_relaxed);
  do {
    if (users == changing)
      throw Busy(
          "network: another thread is training it; wait until that has ended, or give this thread a copy made before "
          "(network.copy())");
  } while (!network.users_.compare_exchange_weak(users, users + 1, std::memory_order_acquire));
}

template <class T>
Network<T>::Changing::Changing(const Network& network) : network_(network) {
  int users = 0;
  if (!network.users_.compare_exchange_strong(users, changing, std::memory_order_acquire))
    throw Busy(
        users == changing
            ? "network: another thread is training it already; one network learns in one thread at a time, train "
              "a copy (network.copy())"
            : "network: another thread is reading it; it can learn when that has ended, or train a copy "
              "(network.copy())");
}

template void apply_mask(const Layer&, std::size_t, std::size_t, float*);
template void apply_mask(const Layer&, std::size_t, std::size_t, double*);
template std::size_t first_non_finite(std::size_t, const float*);
template std::size_t first_non_finite(std::size_t, const double*);
template class Network<float>;
template class Network<double>;

}  // namespace backpropc
