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
#include "kernels/thin.hpp"

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

// From how many rows of C a panel of B is packed, and from how many panels A is.
inline constexpr std::size_t pack_b_from_rows = 64;
inline constexpr std::size_t pack_a_from_panels = 4;

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
    for (int v = 0; v < NV; ++v) acc[r][v] = g.from_zero ? V{} : load_part(g.bias ? g.bias : g.c + r * g.c_row, v);
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

// to[k·width + j] = from[j·stride + k]: rows turned into columns, a square block at a time. Up to the next multiple of
// transpose_size, columns beyond the last are filled too; nobody reads them.
template <class T>
void pack_transposed(const T* from, std::size_t stride, std::size_t rows, std::size_t depth, T* to, std::size_t width) {
  constexpr std::size_t S = transpose_size<T>;
  for (std::size_t j = 0; j < rows; j += S) {
    const T* row[S];
    for (std::size_t r = 0; r < S; ++r) row[r] = from + (j + r < rows ? j + r : rows - 1) * stride;
    std::size_t k = 0;
    for (; k + S <= depth; k += S)
      transpose(row, static_cast<std::ptrdiff_t>(k), to + k * width + j, static_cast<std::ptrdiff_t>(width));
    for (; k < depth; ++k)
      for (std::size_t r = 0; r < S; ++r) to[k * width + j + r] = row[r][k];
  }
}

// to[k·width + j] = from[k·stride + j]
template <class T>
BPC_INLINE void pack_straight(const T* from, std::size_t stride, std::size_t columns, std::size_t depth, T* to,
                              std::size_t width) {
  for (std::size_t k = 0; k < depth; ++k) std::memcpy(to + k * width, from + k * stride, columns * sizeof(T));
}

// A length shared out evenly in pieces of at most so many: 9 rows in tiles of 8 are 5 and 4, not 8 and a slow 1.
struct Pieces {
  std::size_t length, count;
  Pieces(std::size_t n, std::size_t most) : length(n), count((n + most - 1) / most) {}
  std::size_t begin(std::size_t piece) const { return piece * length / count; }
  std::size_t size(std::size_t piece) const { return begin(piece + 1) - begin(piece); }
};

// A packed block of A holds its rows side by side, each tile's `packed_rows` apart.
template <class T>
inline constexpr std::size_t packed_rows = (tile_rows + transpose_size<T> - 1) / transpose_size<T> * transpose_size<T>;

// The tiles of a block of A, of whose `rows` the first is i0.
template <class T>
void pack_a(const Operand<T>& a, std::size_t rows, const Pieces& tiles, std::size_t i0, std::size_t k0,
            std::size_t depth, T* to) {
  for (std::size_t tile = 0; tile < tiles.count; ++tile, to += packed_rows<T> * depth) {
    const std::size_t i = i0 + tiles.begin(tile), height = tiles.size(tile);
    const T* const from = a.transposed ? a.data + k0 * a.stride + i : nullptr;
    if (a.transposed && i + packed_rows<T> <= rows)
      pack_straight(from, a.stride, packed_rows<T>, depth, to, packed_rows<T>);  // a copy of a constant size
    else if (a.transposed)
      pack_straight(from, a.stride, height, depth, to, packed_rows<T>);
    else
      pack_transposed(a.data + i * a.stride + k0, a.stride, height, depth, to, packed_rows<T>);
  }
}

enum class Start { zero, bias, accumulate };

template <class T>
struct Product {
  std::size_t rows, columns, depth;
  Operand<T> a, b;
  T* c;
  std::size_t c_stride;
  Start start;
  const T* bias;
};

// What is the same for a block of rows and of k.
template <class T>
struct Block {
  std::size_t i0, k0, depth;
  Pieces rows;
  const T* packed_a;  // or null where A is read in place
  T* panel;           // room for a packed panel of B
};

template <class T>
void panel_product(const Product<T>& p, const Block<T>& block, std::size_t j0, std::size_t columns, std::size_t width,
                   bool pack_b) {
  constexpr std::size_t L = lanes<T>;
  if (pack_b) {
    if (p.b.transposed)
      pack_transposed(p.b.data + j0 * p.b.stride + block.k0, p.b.stride, columns, block.depth, block.panel, width);
    else
      pack_straight(p.b.data + block.k0 * p.b.stride + j0, p.b.stride, columns, block.depth, block.panel, width);
  }
  TileArguments<T> g;
  g.depth = block.depth;
  g.b = pack_b ? block.panel : p.b.data + block.k0 * p.b.stride + j0;
  g.b_row = static_cast<std::ptrdiff_t>(pack_b ? width : p.b.stride);
  g.c_row = static_cast<std::ptrdiff_t>(p.c_stride);
  g.bias = block.k0 == 0 && p.start == Start::bias ? p.bias + j0 : nullptr;
  g.from_zero = block.k0 == 0 && p.start == Start::zero;
  g.last = columns % L;
  const bool down = block.packed_a != nullptr || p.a.transposed;
  const auto& tiles_of = tiles<T>.of[down];
  const int vectors = static_cast<int>((columns + L - 1) / L);
  for (std::size_t r = 0; r < block.rows.count; ++r) {
    const std::size_t i = block.i0 + block.rows.begin(r);
    if (block.packed_a != nullptr) {
      g.a = block.packed_a + r * packed_rows<T> * block.depth;
      g.a_row = 1;
      g.a_col = packed_rows<T>;
    } else {
      g.a = p.a.transposed ? p.a.data + block.k0 * p.a.stride + i : p.a.data + i * p.a.stride + block.k0;
      g.a_row = down ? 1 : static_cast<std::ptrdiff_t>(p.a.stride);
      g.a_col = down ? static_cast<std::ptrdiff_t>(p.a.stride) : 1;
    }
    g.c = p.c + i * p.c_stride + j0;
    tiles_of[block.rows.size(r) - 1][vectors - 1][g.last != 0](g);
  }
}

template <class T>
void product(const Product<T>& p, T* scratch) {
  const int widest = vectors_for(p.rows < std::size_t(tile_rows) ? int(p.rows) : tile_rows);
  const std::size_t width = static_cast<std::size_t>(widest) * lanes<T>;
  const bool pack_b = p.b.transposed || p.rows >= pack_b_from_rows;
  const bool pack_rows = p.rows >= std::size_t(tile_rows) && p.columns >= pack_a_from_panels * width;
  T* const packed_a = scratch + (p.depth < product_depth ? p.depth : product_depth) * max_panel_width;
  const Pieces depths(p.depth > 0 ? p.depth : 1, product_depth), heights(p.rows, product_rows);
  for (std::size_t kb = 0; kb < depths.count; ++kb) {
    const std::size_t k0 = depths.begin(kb), depth = p.depth > 0 ? depths.size(kb) : 0;  // an empty chain is its start
    for (std::size_t ib = 0; ib < heights.count; ++ib) {
      const std::size_t i0 = heights.begin(ib);
      const Pieces rows(heights.size(ib), tile_rows);
      if (pack_rows) pack_a(p.a, p.rows, rows, i0, k0, depth, packed_a);
      const Block<T> block{i0, k0, depth, rows, pack_rows ? packed_a : nullptr, scratch};
      for (std::size_t j0 = 0; j0 < p.columns; j0 += width)
        panel_product(p, block, j0, p.columns - j0 < width ? p.columns - j0 : width, width, pack_b);
    }
  }
}

template <class T>
void forward_product(const DenseShape& s, const Part& of_z, const T* x, const T* w, const T* b, T* z, T* scratch) {
  product<T>({of_z.rows,
              of_z.columns,
              s.fan_in,
              {x + of_z.row * s.fan_in, s.fan_in, false},
              {w + of_z.column, s.fan_out, false},
              z + of_z.row * s.fan_out + of_z.column,
              s.fan_out,
              Start::bias,
              b + of_z.column},
             scratch);
}

template <class T>
void backward_product(const DenseShape& s, const Part& of_dx, const T* delta, const T* w, T* dx, T* scratch) {
  const T *const rows = delta + of_dx.row * s.fan_out, *const columns = w + of_dx.column * s.fan_out;
  T* const to = dx + of_dx.row * s.fan_in + of_dx.column;
  if (thin_product<T>({of_dx.rows, of_dx.columns, s.fan_out, rows, s.fan_out, columns, s.fan_out, to, s.fan_in}))
    return;
  product<T>({of_dx.rows,
              of_dx.columns,
              s.fan_out,
              {rows, s.fan_out, false},
              {columns, s.fan_out, true},
              to,
              s.fan_in,
              Start::zero,
              nullptr},
             scratch);
}

template <class T>
void gradient_product(const DenseShape& s, const Part& of_dw, const T* x, const T* delta, T* dw, bool add, T* scratch) {
  product<T>({of_dw.rows,
              of_dw.columns,
              s.n,
              {x + of_dw.row, s.fan_in, true},
              {delta + of_dw.column, s.fan_out, false},
              dw + of_dw.row * s.fan_out + of_dw.column,
              s.fan_out,
              add ? Start::accumulate : Start::zero,
              nullptr},
             scratch);
}

template <class T>
void bias_gradient(const DenseShape& s, const T* delta, T* db, bool add) {
  if (!add) map(s.fan_out, db, [](Vec<T>) { return Vec<T>{}; }, db);
  for (std::size_t i = 0; i < s.n; ++i)
    map(s.fan_out, db, [](Vec<T> sum, Vec<T> d) { return sum + d; }, db, delta + i * s.fan_out);
}

}  // namespace backpropc::BPC_ISA
