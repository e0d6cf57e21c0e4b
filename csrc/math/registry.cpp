#include "math/registry.hpp"

#include "math/activations.hpp"
#include "math/initializers.hpp"
#include "math/losses.hpp"
#include "math/optimizers.hpp"

namespace backpropc {

namespace {

template <class... A>
std::vector<ActivationEntry> activations(List<A...>) {
  return {ActivationEntry{A::description, A::by_row}...};
}
template <class... L>
std::vector<LossEntry> losses(List<L...>) {
  return {LossEntry{L::description, L::targets}...};
}
template <class... D>
std::vector<Description> descriptions(List<D...>) {
  return {D::description...};
}

}  // namespace

const std::vector<ActivationEntry>& activation_list() {
  static const auto list = activations(portable::Activations{});
  return list;
}

const std::vector<LossEntry>& loss_list() {
  static const auto list = losses(portable::Losses{});
  return list;
}

const std::vector<Description>& optimizer_list() {
  static const auto list = descriptions(portable::Optimizers{});
  return list;
}

const std::vector<Description>& initializer_list() {
  static const auto list = descriptions(Initializers{});
  return list;
}

}  // namespace backpropc
