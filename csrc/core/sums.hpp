// Sums in float64 whose order is the same on every machine.
#pragma once

#include <cstddef>

namespace backpropc {

// A sum has so many lanes: lane i adds the terms i, i + 8, … in ascending order, then the lanes are folded by halves. What
// is shared out among threads is summed in blocks of so many terms.
inline constexpr std::size_t sum_lanes = 8, sum_block = 1 << 14;

// Σ f(i) for i below n, in one block.
template <class F>
double sum_in_lanes(std::size_t n, F f) {
  double lane[sum_lanes] = {};
  std::size_t i = 0;
  for (; i + sum_lanes <= n; i += sum_lanes)
    for (std::size_t k = 0; k < sum_lanes; ++k) lane[k] += f(i + k);
  for (std::size_t k = 0; i < n; ++i, ++k) lane[k] += f(i);
  for (std::size_t half = sum_lanes / 2; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) lane[k] += lane[k + half];
  return lane[0];
}

}  // namespace backpropc
