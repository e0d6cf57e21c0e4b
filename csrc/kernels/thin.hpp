// δ·wᵀ (BP2) for a few rows of δ: a packed wᵀ would be used too seldom to pay, so blocks of w are transposed in registers
// and used at once. Every element is the chain that product.hpp makes.
#pragma once

#include "kernels/simd.hpp"

namespace backpropc::BPC_ISA {

template <class T>
struct ThinProduct {
  std::size_t rows, columns, depth;
  const T* delta;  // (rows, depth)
  std::size_t delta_stride;
  const T* w;  // (columns, depth)
  std::size_t w_stride;
  T* dx;  // (rows, columns)
  std::size_t dx_stride;
};

#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_AVX2)

// Blocks side by side, so that enough chains are in flight.
template <int MR>
inline constexpr int thin_blocks = MR <= 2 ? 4 : 2;

template <class T, int MR>
void thin_strip(const ThinProduct<T>& p, std::size_t j0) {
  constexpr int S = transpose_size<T>, blocks = thin_blocks<MR>;
  const std::size_t columns = p.columns - j0 < S * blocks ? p.columns - j0 : S * blocks;
  const T* row[blocks][S];
  for (int i = 0; i < blocks * S; ++i)
    row[i / S][i % S] = p.w + (j0 + (std::size_t(i) < columns ? std::size_t(i) : columns - 1)) * p.w_stride;
  Column<T> acc[MR][blocks] = {}, column[S];
  const auto add = [&](int block, std::size_t k, int n) {
#pragma GCC unroll 8
    for (int c = 0; c < n; ++c) {
#pragma GCC unroll 4
      for (int r = 0; r < MR; ++r)
        acc[r][block] = fma_column(p.delta[r * p.delta_stride + k + c], column[c], acc[r][block]);
    }
  };
  std::size_t k = 0;
  for (; k + S <= p.depth; k += S) {
#pragma GCC unroll 4
    for (int block = 0; block < blocks; ++block) {
      load_transposed(row[block], static_cast<std::ptrdiff_t>(k), column);
      add(block, k, S);
    }
  }
  for (; k < p.depth; ++k) {
#pragma GCC unroll 4
    for (int block = 0; block < blocks; ++block) {
      T one[S];
      for (int i = 0; i < S; ++i) one[i] = row[block][i][k];
      std::memcpy(&column[0], one, sizeof one);
      add(block, k, 1);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < MR; ++r) {
    T out[blocks * S];
    std::memcpy(out, acc[r], sizeof out);
    std::memcpy(p.dx + static_cast<std::size_t>(r) * p.dx_stride + j0, out, columns * sizeof(T));
  }
}

template <class T, int MR>
void thin_product_of(const ThinProduct<T>& p) {
  for (std::size_t j0 = 0; j0 < p.columns; j0 += transpose_size<T> * thin_blocks<MR>) thin_strip<T, MR>(p, j0);
}

// Whether it was done: not for more rows than this is good for.
template <class T>
bool thin_product(const ThinProduct<T>& p) {
  switch (p.rows) {
    case 1: thin_product_of<T, 1>(p); return true;
    case 2: thin_product_of<T, 2>(p); return true;
    case 3: thin_product_of<T, 3>(p); return true;
    case 4: thin_product_of<T, 4>(p); return true;
    default: return false;
  }
}

#else

template <class T>
bool thin_product(const ThinProduct<T>&) {
  return false;
}

#endif

}  // namespace backpropc::BPC_ISA
