#include "training/dropout.hpp"

#include <algorithm>

#include "core/philox.hpp"
#include "network/dense.hpp"

namespace backpropc {

template <class T>
void draw_mask(std::uint64_t seed, std::uint64_t step, std::size_t layer, double rate, std::size_t n,
               std::size_t fan_in, T* mask) {
  constexpr std::size_t per_block = 8, work_of_unit = 8;
  const Philox random(seed, Stream::dropout, step, layer);
  const auto threshold = static_cast<std::uint64_t>(rate * 0x1p32);
  const T kept = static_cast<T>(1.0 / (1.0 - rate));
  const std::size_t blocks = (fan_in + per_block - 1) / per_block;
  for_each_block_of_rows(n, fan_in * work_of_unit, [&](std::size_t row, std::size_t rows) {
    for (std::size_t i = row; i < row + rows; ++i)
      for (std::size_t block = 0; block < blocks; ++block) {
        const auto bits = random.block(i * blocks + block);
        const std::size_t units = std::min(per_block, fan_in - block * per_block);
        for (std::size_t j = 0; j < units; ++j)
          mask[i * fan_in + block * per_block + j] =
              (bits[j / 2] >> (32 * (j % 2)) & 0xffffffff) >= threshold ? kept : T(0);
      }
  });
}

template void draw_mask(std::uint64_t, std::uint64_t, std::size_t, double, std::size_t, std::size_t, float*);
template void draw_mask(std::uint64_t, std::uint64_t, std::size_t, double, std::size_t, std::size_t, double*);

}  // namespace backpropc
