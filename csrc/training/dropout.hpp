// Inverted dropout (Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014): in training a unit is left out with
// probability `rate`, and what stays is divided by 1 − rate, so that nothing changes for prediction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace backpropc {

// The mask of one layer's input in one step: 0 or 1/(1 − rate) for each unit of each sample, a function of
// (seed, step, layer, row, unit). Of row i, unit j has the j-th 32 bits, the low half of a number first, from number
// i·4·⌈fan_in/8⌉ on; it stays where they are at least rate·2³².
template <class T>
void draw_mask(std::uint64_t seed, std::uint64_t step, std::size_t layer, double rate, std::size_t n,
               std::size_t fan_in, T* mask);

}  // namespace backpropc
