// The lists of definitions as data: for the names, the messages, the documentation and the tests.
#pragma once

#include <vector>

#include "core/definition.hpp"
#include "math/targets.hpp"

namespace backpropc {

struct ActivationEntry {
  Description description;
  bool by_row;
};
struct LossEntry {
  Description description;
  Targets targets;
};

const std::vector<ActivationEntry>& activation_list();
const std::vector<LossEntry>& loss_list();
const std::vector<Description>& optimizer_list();
const std::vector<Description>& initializer_list();

}  // namespace backpropc
