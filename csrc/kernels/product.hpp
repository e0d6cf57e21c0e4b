// The three products of a dense layer as one: C = start + A·B, every element one chain of fused multiply-adds in
// ascending k, so that blocks, tiles, vector widths and threads change nothing.
//
//   forward    z  = b + x·w       A = x  row by row     B = w
//   BP2        dx = δ·wᵀ          A = δ  row by row     B = wᵀ, transposed while it is packed
//   BP4        dw = [dw +] xᵀ·δ     A = xᵀ (read down x's columns)   B = δ
//
// A register tile holds MR rows and NV vectors of C; a panel is as many columns as a tile has. Small batches read B in
// place; large ones pack a panel first, since a copy costs as much as about one row of the product.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace backpropc::BPC_ISA {

// The largest tile: as many accumulators as the registers hold beside NV of B and a broadcast of A.
#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_NEON)
inline constexpr int tile_rows = 8, tile_vectors = 3;  // of 32 registers
#elif defined(BPC_ISA_AVX2)
inline constexpr int tile_rows = 6, tile_vectors = 2;  // of 16 registers
#else
inline constexpr int tile_rows = 4, tile_vectors = 4;  // scalars: the calls of fma dominate
#endif

// With fewer rows a tile is wider, to keep as many independent chains in flight.
constexpr int vectors_for(int rows) {
#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_NEON)
  return rows == 1 ? 8 : rows == 2 ? 6 : rows <= 4 ? 4 : tile_vectors;
#elif defined(BPC_ISA_AVX2)
  return rows == 1 ? 8 : rows == 2 ? 4 : rows <= 4 ? 3 : tile_vectors;
#else
  return rows > 0 ? tile_vectors : 0;
#endif
}

inline constexpr std::size_t depth_block = product_scratch_depth;

template <class T>
struct TileArguments {
  std::size_t depth;  // k runs over this many
  const T* a;
  std::ptrdiff_t a_row, a_col;  // A(i, k) = a[i·a_row + k·a_col]
  const T* b;
  std::ptrdiff_t b_row;
  T* c;
  std::ptrdiff_t c_row;
  const T* bias;     // where the chains start: this row, or
  bool from_zero;    // zero, or else what C holds
  std::size_t last;  // columns in the last vector, where it is a partial one
};

template <class T>
using Tile = void (*)(const TileArguments<T>&);

// ColumnsOfA: A is read down the columns of x (a_row = 1); otherwise along its rows (a_col = 1).
template <class T, int MR, int NV, bool Partial, bool ColumnsOfA>
void tile(const TileArguments<T>& g) {
  using V = Vec<T>;
  constexpr int L = lanes<T>;
  const auto load_part = [&](const T* p, int v) {
    return Partial && v == NV - 1 ? load_first<V>(p + v * L, g.last) : load<V>(p + v * L);
  };
  V acc[MR][NV];
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v)
      acc[r][v] = g.from_zero ? V{} : load_part(g.bias ? g.bias : g.c + r * g.c_row, v);
  }
  const T* row[MR];
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) row[r] = ColumnsOfA ? g.a + r : g.a + r * g.a_row;
  const T* b = g.b;
  const std::ptrdiff_t a_step = ColumnsOfA ? g.a_col : 1;
  std::ptrdiff_t at = 0;
  for (std::size_t k = 0; k < g.depth; ++k, at += a_step, b += g.b_row) {
    V bv[NV];
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) bv[v] = load_part(b, v);
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r) {
      const V ar = splat(ColumnsOfA ? row[0][at + r] : row[r][at]);
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) acc[r][v] = fma(ar, bv[v], acc[r][v]);
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) {
      T* p = g.c + r * g.c_row + v * L;
      if (Partial && v == NV - 1)
        store_first<V>(p, acc[r][v], g.last);
      else
        store<V>(p, acc[r][v]);
    }
  }
}

// The tiles of every shape: tiles<T>[columns of A][rows − 1][vectors − 1][partial].
inline constexpr int most_vectors = 8;

template <class T>
struct TileTable {
  Tile<T> of[2][tile_rows][most_vectors][2];
};

template <class T, int MR, int NV>
constexpr void fill_vectors(TileTable<T>& t) {
  if constexpr (NV <= vectors_for(MR)) {
    t.of[0][MR - 1][NV - 1][0] = tile<T, MR, NV, false, false>;
    t.of[0][MR - 1][NV - 1][1] = tile<T, MR, NV, true, false>;
    t.of[1][MR - 1][NV - 1][0] = tile<T, MR, NV, false, true>;
    t.of[1][MR - 1][NV - 1][1] = tile<T, MR, NV, true, true>;
    fill_vectors<T, MR, NV + 1>(t);
  }
}

template <class T, int MR>
constexpr void fill_rows(TileTable<T>& t) {
  if constexpr (MR <= tile_rows) {
    fill_vectors<T, MR, 1>(t);
    fill_rows<T, MR + 1>(t);
  }
}

template <class T>
constexpr TileTable<T> make_tiles() {
  TileTable<T> t{};
  fill_rows<T, 1>(t);
  return t;
}

template <class T>
inline constexpr TileTable<T> tiles = make_tiles<T>();

template <class T>
struct Operand {
  const T* data;
  std::size_t stride;
  bool transposed;  // the element (i, j) is at data[j·stride + i]
};

// One panel of B, its tail filled with zeros: packed[k·width + j] = B(k0 + k, j0 + j).
template <class T>
void pack_panel(const Operand<T>& b, std::size_t k0, std::size_t depth, std::size_t j0, std::size_t columns,
                std::size_t width, T* packed) {
  for (std::size_t k = 0; k < depth; ++k) {
    T* to = packed + k * width;
    if (b.transposed) {
      const T* from = b.data + j0 * b.stride + k0 + k;
      for (std::size_t j = 0; j < columns; ++j) to[j] = from[j * b.stride];
    } else {
      std::memcpy(to, b.data + (k0 + k) * b.stride + j0, columns * sizeof(T));
    }
    for (std::size_t j = columns; j < width; ++j) to[j] = T(0);
  }
}

// Rows are shared out evenly between tiles: 9 rows are 5 and 4, not 8 and a slow 1.
template <class T>
void panel_product(TileArguments<T> g, bool columns_of_a, std::size_t rows, int vectors, bool partial) {
  const std::size_t blocks = (rows + tile_rows - 1) / tile_rows;
  const T* const a = g.a;
  T* const c = g.c;
  for (std::size_t block = 0, i = 0; block < blocks; ++block) {
    const std::size_t height = (rows - i + blocks - block - 1) / (blocks - block);
    g.a = a + static_cast<std::ptrdiff_t>(i) * g.a_row;
    g.c = c + static_cast<std::ptrdiff_t>(i) * g.c_row;
    tiles<T>.of[columns_of_a][height - 1][vectors - 1][partial](g);
    i += height;
  }
}

enum class Start { zero, bias, accumulate };

template <class T>
void product(std::size_t rows, std::size_t columns, std::size_t depth, const Operand<T>& a, const Operand<T>& b, T* c,
             Start start, const T* bias, T* scratch) {
  constexpr std::size_t L = lanes<T>;
  const int widest = vectors_for(rows < std::size_t(tile_rows) ? int(rows) : tile_rows);
  const bool pack = b.transposed || rows >= pack_from_rows;
  const std::size_t width = static_cast<std::size_t>(widest) * L;
  for (std::size_t k0 = 0; k0 < depth || (k0 == 0 && start != Start::accumulate); k0 += depth_block) {
    const std::size_t block = depth - k0 < depth_block ? depth - k0 : depth_block;
    for (std::size_t j0 = 0; j0 < columns; j0 += width) {
      const std::size_t left = columns - j0 < width ? columns - j0 : width;
      if (pack) pack_panel(b, k0, block, j0, left, width, scratch);
      TileArguments<T> g;
      g.depth = block;
      g.a = a.data + k0 * (a.transposed ? a.stride : 1);
      g.a_row = a.transposed ? 1 : static_cast<std::ptrdiff_t>(a.stride);
      g.a_col = a.transposed ? static_cast<std::ptrdiff_t>(a.stride) : 1;
      g.b = pack ? scratch : b.data + k0 * b.stride + j0;
      g.b_row = static_cast<std::ptrdiff_t>(pack ? width : b.stride);
      g.c = c + j0;
      g.c_row = static_cast<std::ptrdiff_t>(columns);
      g.bias = k0 == 0 && start == Start::bias ? bias + j0 : nullptr;
      g.from_zero = k0 == 0 && start == Start::zero;
      g.last = left % L;
      panel_product(g, a.transposed, rows, static_cast<int>((left + L - 1) / L), g.last != 0);
    }
    if (depth == 0) break;  // an empty chain is its start
  }
}

template <class T>
void forward_product(std::size_t n, std::size_t fan_in, std::size_t fan_out, const T* x, const T* w, const T* b, T* z,
                     T* scratch) {
  product<T>(n, fan_out, fan_in, {x, fan_in, false}, {w, fan_out, false}, z, Start::bias, b, scratch);
}

template <class T>
void backward_product(std::size_t n, std::size_t fan_in, std::size_t fan_out, const T* delta, const T* w, T* dx,
                      T* scratch) {
  product<T>(n, fan_in, fan_out, {delta, fan_out, false}, {w, fan_out, true}, dx, Start::zero, nullptr, scratch);
}

template <class T>
void gradient_product(std::size_t n, std::size_t fan_in, std::size_t fan_out, const T* x, const T* delta, T* dw, T* db,
                      bool add, T* scratch) {
  product<T>(fan_in, fan_out, n, {x, fan_in, true}, {delta, fan_out, false}, dw, add ? Start::accumulate : Start::zero,
             nullptr, scratch);
  if (!add) map(fan_out, db, [](Vec<T>) { return Vec<T>{}; }, db);
  for (std::size_t i = 0; i < n; ++i)
    map(fan_out, db, [](Vec<T> s, Vec<T> d) { return s + d; }, db, delta + i * fan_out);
}

}  // namespace backpropc::BPC_ISA
