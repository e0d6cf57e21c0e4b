// Philox4x64-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): a random number is a
// function of (seed, stream, substream, index), so nothing depends on the order or the thread that asks. A substream has one
// number or two; the second is 0 where it is not given.
//
// The i-th number is the i-th of numpy.random.Philox(key=[seed, stream], counter=[0, *substream, 0]).random_raw().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace backpropc {

// The second word of the key. A number here is part of the format of a run: never reuse one for something else.
enum class Stream : std::uint64_t {
  initial_parameters = 0,  // substream: layer
  shuffle = 1,             // substream: epoch
  dropout = 2,             // substream: step, and layer
  pretraining = 3,         // substream: epoch, and what for; drawn by _pretraining.py alone
};

class Philox {
 public:
  Philox(std::uint64_t seed, Stream stream, std::uint64_t substream, std::uint64_t second = 0)
      : key_{seed, static_cast<std::uint64_t>(stream)}, substream_{substream, second} {}

  std::uint64_t next() {
    if (index_ % 4 == 0) block_ = block(index_ / 4);
    return block_[index_++ % 4];
  }

  // In [0, 1), a multiple of 2^-53: what numpy.random.Generator.random makes of the same number.
  double next_uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  // In [0, bound), by the high word of a product: its bias is below bound/2^64.
  std::uint64_t next_below(std::uint64_t bound);

  // The numbers from 4·first to 4·(first + blocks) − 1, wherever next() is: each as two of 32 bits, the low half first.
  void fill(std::uint64_t first, std::size_t blocks, std::uint32_t* halves) const;

 private:
  std::array<std::uint64_t, 4> block(std::uint64_t i) const;

  std::array<std::uint64_t, 2> key_, substream_;
  std::uint64_t index_ = 0;
  std::array<std::uint64_t, 4> block_{};
};

// order becomes a permutation of 0 … n-1, the same for the same seed and epoch (Fisher and Yates, downwards).
void shuffled_order(std::uint64_t seed, std::uint64_t epoch, std::size_t n, std::size_t* order);

}  // namespace backpropc
