#include "training/dropout.hpp"

#include <algorithm>

#include "core/philox.hpp"
#include "network/dense.hpp"

namespace backpropc {

template <class T>
void draw_mask(std::uint64_t seed, std::uint64_t step, std::size_t layer, double rate, std::size_t n,
               std::size_t fan_in, T* mask) {
  constexpr std::size_t units_of_block = 8, most_blocks = 64, work_of_unit = 8;
  const Philox random(seed, Stream::dropout, step, layer);
  const auto threshold = static_cast<std::uint32_t>(rate * 0x1p32);
  const T kept = static_cast<T>(1.0 / (1.0 - rate));
  const std::size_t blocks = (fan_in + units_of_block - 1) / units_of_block;
  for_each_block_of_rows(n, fan_in * work_of_unit, [&](std::size_t row, std::size_t rows) {
    std::uint32_t bits[most_blocks * units_of_block];
    for (std::size_t i = row; i < row + rows; ++i)
      for (std::size_t block = 0; block < blocks; block += most_blocks) {
        const std::size_t unit = block * units_of_block, count = std::min(most_blocks, blocks - block);
        random.fill(i * blocks + block, count, bits);
        kernels<T>().keep(std::min(count * units_of_block, fan_in - unit), bits, threshold, kept,
                          mask + i * fan_in + unit);
      }
  });
}

template void draw_mask(std::uint64_t, std::uint64_t, std::size_t, double, std::size_t, std::size_t, float*);
template void draw_mask(std::uint64_t, std::uint64_t, std::size_t, double, std::size_t, std::size_t, double*);

}  // namespace backpropc
