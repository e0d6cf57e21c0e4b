// What can go wrong in the core beyond a wrong argument; bindings/ turns each into Python's own exception.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace backpropc {

// Two threads at one network, one of them changing it (RuntimeError).
class Busy : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A loss, a gradient or a parameter that is not finite (FloatingPointError); thrown where the last finite step was restored.
class NonFinite : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace backpropc
