#include "core/philox.hpp"

#include <utility>

namespace backpropc {

namespace {

struct Product {
  std::uint64_t high, low;
};

Product multiply(std::uint64_t a, std::uint64_t b) {
#if defined(__SIZEOF_INT128__)
  __extension__ using Wide = unsigned __int128;
  const Wide p = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(p >> 64), static_cast<std::uint64_t>(p)};
#else
  const std::uint64_t mask = 0xffffffff;
  const std::uint64_t a0 = a & mask, a1 = a >> 32, b0 = b & mask, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, cross = a1 * b0 + (low >> 32), middle = a0 * b1 + (cross & mask);
  return {a1 * b1 + (cross >> 32) + (middle >> 32), a * b};
#endif
}

using Block = std::array<std::uint64_t, 4>;

Block block_of(const std::array<std::uint64_t, 2>& key, const std::array<std::uint64_t, 2>& substream,
               std::uint64_t i) {
  Block c{i + 1, substream[0], substream[1], 0};  // NumPy's counter is advanced before its first
  auto [k0, k1] = key;
  for (int round = 0; round < 10; ++round) {
    const Product p0 = multiply(0xD2E7470EE14C6C93, c[0]);
    const Product p1 = multiply(0xCA5A826395121157, c[2]);
    c = {p1.high ^ c[1] ^ k0, p1.low, p0.high ^ c[3] ^ k1, p0.low};
    k0 += 0x9E3779B97F4A7C15;
    k1 += 0xBB67AE8584CAA73B;
  }
  return c;
}

}  // namespace

Block Philox::block(std::uint64_t i) const { return block_of(key_, substream_, i); }

void Philox::fill(std::uint64_t first, std::size_t blocks, std::uint32_t* halves) const {
  for (std::size_t i = 0; i < blocks; ++i)
    for (const std::uint64_t number : block_of(key_, substream_, first + i)) {
      *halves++ = static_cast<std::uint32_t>(number);
      *halves++ = static_cast<std::uint32_t>(number >> 32);
    }
}

std::uint64_t Philox::next_below(std::uint64_t bound) { return multiply(next(), bound).high; }

void shuffled_order(std::uint64_t seed, std::uint64_t epoch, std::size_t n, std::size_t* order) {
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  Philox random(seed, Stream::shuffle, epoch);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.next_below(i)]);
}

}  // namespace backpropc
