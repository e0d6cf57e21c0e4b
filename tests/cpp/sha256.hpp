// SHA-256 (FIPS 180-4).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace sha256 {

namespace detail {

// The first 32 bits of the fraction of the nth root (2 or 3) of the ith prime: the standard's constants.
inline std::uint32_t root_of_prime(int i, int n) {
  int prime = 1;
  for (int found = -1; found < i;) {
    ++prime;
    bool composite = false;
    for (int d = 2; d * d <= prime; ++d) composite = composite || prime % d == 0;
    if (!composite) ++found;
  }
  const long double root = n == 2 ? std::sqrt((long double)prime) : std::cbrt((long double)prime);
  return static_cast<std::uint32_t>((root - std::floor(root)) * 0x1p32L);
}

inline std::uint32_t rotate(std::uint32_t x, int n) { return x >> n | x << (32 - n); }

inline void compress(std::uint32_t (&state)[8], const std::uint32_t (&k)[64], const unsigned char* block) {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i)
    w[i] = std::uint32_t(block[4 * i]) << 24 | std::uint32_t(block[4 * i + 1]) << 16 |
           std::uint32_t(block[4 * i + 2]) << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  std::uint32_t s[8];
  for (int i = 0; i < 8; ++i) s[i] = state[i];
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t a = s[0], e = s[4];
    const std::uint32_t t =
        s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
    const std::uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    for (int j = 7; j > 0; --j) s[j] = s[j - 1];
    s[4] += t;
    s[0] = t + u;
  }
  for (int i = 0; i < 8; ++i) state[i] += s[i];
}

}  // namespace detail

inline std::string hex(const void* data, std::size_t size) {
  std::uint32_t state[8], k[64];
  for (int i = 0; i < 8; ++i) state[i] = detail::root_of_prime(i, 2);
  for (int i = 0; i < 64; ++i) k[i] = detail::root_of_prime(i, 3);

  const unsigned char* bytes = static_cast<const unsigned char*>(data);
  std::vector<unsigned char> message(bytes, bytes + size);
  message.push_back(0x80);
  while (message.size() % 64 != 56) message.push_back(0);
  for (int i = 7; i >= 0; --i) message.push_back(static_cast<unsigned char>(std::uint64_t(size) * 8 >> 8 * i));
  for (std::size_t at = 0; at < message.size(); at += 64) detail::compress(state, k, message.data() + at);

  char text[65];
  for (int i = 0; i < 8; ++i) std::snprintf(text + 8 * i, 9, "%08x", static_cast<unsigned>(state[i]));
  return text;
}

}  // namespace sha256
