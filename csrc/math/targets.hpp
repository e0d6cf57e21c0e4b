// What the targets of a loss may be; bindings/ and the Python layer refuse the others with a message.
#pragma once

namespace backpropc {

enum class Targets {
  real,           // any finite number
  not_negative,   // ≥ 0
  probabilities,  // each in [0, 1]
  distribution,   // rows of probabilities, or one integer class for each sample
};

constexpr const char* name_of(Targets targets) {
  switch (targets) {
    case Targets::real: return "real";
    case Targets::not_negative: return "not_negative";
    case Targets::probabilities: return "probabilities";
    case Targets::distribution: return "distribution";
  }
  return "";
}

}  // namespace backpropc
