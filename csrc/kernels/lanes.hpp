// Networks of one shape trained side by side, a network to each lane of a vector.
//
// A unit is 64 bytes: 16 networks in float32, 8 in float64, whatever the width of a vector. An array of n numbers of each
// network is (units, n, U): number i of the networks of unit u are side by side at [(u·n + i)·U]. No lane looks at another,
// and each does what one network alone does in product.hpp and definitions.hpp, operation by operation: a product is one
// chain in ascending k, a sum over a row has the same virtual lanes and tree. So a network's bits do not depend on its
// neighbors. Every operation runs over all units before the next begins, so that enough chains are in flight.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/sums.hpp"
#include "kernels/definitions.hpp"

namespace backpropc::BPC_ISA {

// --- products: C = start + A·B in every lane ----------------------------------------------------------------------------

// Which product, and so which strides are those of neighbors:
//   forward    z  = b + x·w       backward   dx = δ·wᵀ (BP2)      gradient   dw = [dw +] xᵀ·δ (BP4)
enum class LaneProductOf { forward, backward, gradient };

template <class T>
struct LaneProduct {
  std::size_t rows, columns, depth, units;
  const T* a;
  std::size_t a_length;  // of a row of A, or of Aᵀ in a gradient
  const T* b;
  std::size_t b_length;  // of a row of B, or of Bᵀ backward
  T* c;
  const T* start;           // of every row forward, or of C; null for zero
  std::size_t of_units[4];  // how far apart the units of a, b, c and start are
};

// The largest tile of C: its accumulators, and NC of B, stay in registers. One of a single row is wider.
#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_NEON)
inline constexpr int lane_tile_rows = 4, lane_tile_columns = 4;  // of 32 registers
#else
inline constexpr int lane_tile_rows = 2, lane_tile_columns = 4;  // of 16
#endif
constexpr int lane_columns_for(int rows) { return rows == 1 ? 8 : lane_tile_columns; }

template <class T, LaneProductOf Kind, int NR, int NC>
void lane_tile(const LaneProduct<T>& p, std::size_t row, std::size_t column) {
  using V = Vec<T>;
  constexpr std::size_t U = lane_unit<T>;
  constexpr bool forward = Kind == LaneProductOf::forward, gradient = Kind == LaneProductOf::gradient;
  constexpr bool across = Kind == LaneProductOf::backward;
  const std::size_t a_row = gradient ? U : p.a_length * U, a_k = gradient ? p.a_length * U : U;
  const std::size_t b_column = across ? p.b_length * U : U, b_k = across ? U : p.b_length * U, c_row = p.columns * U;
  for (std::size_t unit = 0; unit < p.units; ++unit) {
    for (std::size_t part = 0; part < U; part += lanes<T>) {
      const T* a = p.a + unit * p.of_units[0] + row * a_row + part;
      const T* b = p.b + unit * p.of_units[1] + column * b_column + part;
      T* const c = p.c + unit * p.of_units[2] + row * c_row + column * U + part;
      const T* const start = p.start + unit * p.of_units[3] + (forward ? 0 : row * c_row) + column * U + part;
      V acc[NR][NC];
#pragma GCC unroll 8
      for (int i = 0; i < NR; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < NC; ++j)
          acc[i][j] = p.start != nullptr ? load<V>(start + (forward ? 0 : i * c_row) + j * U) : V{};
      }
      for (std::size_t k = 0; k < p.depth; ++k, a += a_k, b += b_k) {
        V bv[NC];
#pragma GCC unroll 8
        for (int j = 0; j < NC; ++j) bv[j] = load<V>(b + j * b_column);
#pragma GCC unroll 8
        for (int i = 0; i < NR; ++i) {
          const V av = load<V>(a + i * a_row);
#pragma GCC unroll 8
          for (int j = 0; j < NC; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < NR; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < NC; ++j) store<V>(c + i * c_row + j * U, acc[i][j]);
      }
    }
  }
}

template <class T, LaneProductOf Kind, int NR, int NC>
BPC_INLINE void lane_tiles(const LaneProduct<T>& p, std::size_t row, std::size_t column) {
  if constexpr (NC > 1)
    if (p.columns - column < NC) return lane_tiles<T, Kind, NR, NC - 1>(p, row, column);
  lane_tile<T, Kind, NR, NC>(p, row, column);
}

template <class T, LaneProductOf Kind, int NR>
BPC_INLINE void lane_rows(const LaneProduct<T>& p, std::size_t row) {
  if constexpr (NR > 1)
    if (p.rows - row < NR) return lane_rows<T, Kind, NR - 1>(p, row);
  constexpr int NC = lane_columns_for(NR);
  for (std::size_t column = 0; column < p.columns; column += NC) lane_tiles<T, Kind, NR, NC>(p, row, column);
}

template <class T, LaneProductOf Kind>
void lane_product(const LaneProduct<T>& p) {
  for (std::size_t row = 0; row < p.rows; row += lane_tile_rows) lane_rows<T, Kind, lane_tile_rows>(p, row);
}

// A layer's parameters, or what is laid out as they are.
template <class T>
struct LaneParameters {
  std::size_t of_units;
  T *w, *b;
};

// z (n, fan_out) = b + x·w
template <class T>
void lane_forward(const DenseShape& s, std::size_t units, const T* x, std::size_t x_of_units,
                  const LaneParameters<T>& p, T* z) {
  constexpr std::size_t U = lane_unit<T>;
  lane_product<T, LaneProductOf::forward>({s.n,
                                           s.fan_out,
                                           s.fan_in,
                                           units,
                                           x,
                                           s.fan_in,
                                           p.w,
                                           s.fan_out,
                                           z,
                                           p.b,
                                           {x_of_units, p.of_units, s.n * s.fan_out * U, p.of_units}});
}

// dx (n, fan_in) = δ·wᵀ (BP2)
template <class T>
void lane_backward(const DenseShape& s, std::size_t units, const T* delta, const LaneParameters<T>& p, T* dx) {
  constexpr std::size_t U = lane_unit<T>;
  lane_product<T, LaneProductOf::backward>({s.n,
                                            s.fan_in,
                                            s.fan_out,
                                            units,
                                            delta,
                                            s.fan_out,
                                            p.w,
                                            s.fan_out,
                                            dx,
                                            nullptr,
                                            {s.n * s.fan_out * U, p.of_units, s.n * s.fan_in * U, 0}});
}

// dw (fan_in, fan_out) = xᵀ·δ (BP4), db = Σ δ (BP3), or added to what is there
template <class T>
void lane_gradient(const DenseShape& s, std::size_t units, const T* x, const T* delta, const LaneParameters<T>& d,
                   bool add) {
  constexpr std::size_t U = lane_unit<T>;
  const std::size_t out = s.fan_out * U;
  lane_product<T, LaneProductOf::gradient>({s.fan_in,
                                            s.fan_out,
                                            s.n,
                                            units,
                                            x,
                                            s.fan_in,
                                            delta,
                                            s.fan_out,
                                            d.w,
                                            add ? d.w : nullptr,
                                            {s.n * s.fan_in * U, s.n * out, d.of_units, d.of_units}});
  for (std::size_t unit = 0; unit < units; ++unit, delta += s.n * out) {
    T* const db = d.b + unit * d.of_units;
    if (!add) std::fill_n(db, out, T(0));
    for (std::size_t i = 0; i < s.n; ++i)
      map(out, db, [](Vec<T> sum, Vec<T> one) { return sum + one; }, db, delta + i * out);
  }
}

// --- rows: what loops.hpp does along a row, in every lane -----------------------------------------------------------------

// The first vector of a row: value j is lane_unit elements after value j − 1.
template <class T>
struct LaneRow {
  T* p;
  BPC_INLINE auto operator[](std::size_t j) const {
    using Number = std::remove_const_t<T>;
    return load<Vec<Number>>(p + j * lane_unit<Number>);
  }
};

template <class T>
struct RowOf<LaneRow<T>> {
  using Number = std::remove_const_t<T>;
};

template <class T, class F, class... In>
BPC_INLINE void map(std::size_t n, LaneRow<T> out, F f, LaneRow<In>... in) {
  for (std::size_t j = 0; j < n; ++j) store<Vec<T>>(out.p + j * lane_unit<T>, f(in[j]...));
}

// The tree over virtual lanes I, I + Step, …, which has no more than n leaves: the others would only add zeros, to sums that
// are no −0.
template <class T, std::size_t I, std::size_t Step, class Leaf>
BPC_INLINE Vec<T> fold_leaves(std::size_t n, const Leaf& leaf) {
  if constexpr (Step == virtual_lanes<T>) {
    return leaf(I);
  } else {
    const Vec<T> low = fold_leaves<T, I, 2 * Step>(n, leaf);
    return I + Step < n ? low + fold_leaves<T, I + Step, 2 * Step>(n, leaf) : low;
  }
}

template <class T, class F, class... In>
BPC_INLINE Vec<T> sum(std::size_t n, F f, LaneRow<In>... in) {
  const auto leaf = [&](std::size_t i) BPC_NOINLINE {
    Vec<T> total{};
    for (std::size_t j = i; j < n; j += virtual_lanes<T>) total = total + f(in[j]...);
    return total;
  };
  return fold_leaves<T, 0, 1>(n, leaf);
}

// Of values that stand in memory already.
template <class T>
BPC_INLINE Vec<T> sum_of_stored(std::size_t n, LaneRow<T> values) {
  return fold_leaves<T, 0, 1>(n, [&](std::size_t i) {
    Vec<T> total = Vec<T>{} + values[i];
    for (std::size_t j = i + virtual_lanes<T>; j < n; j += virtual_lanes<T>) total = total + values[j];
    return total;
  });
}

template <class T>
BPC_INLINE auto maximum(std::size_t n, LaneRow<T> in) {
  auto most = in[0];
  for (std::size_t j = 1; j < n; ++j) most = in[j] > most ? in[j] : most;
  return most;
}

// Calls f(where row i's vector begins, which of the i-th numbers it is of) for each row of so many columns, unit and vector.
template <class T, class F>
BPC_INLINE void for_each_lane_row(std::size_t rows, std::size_t columns, F f) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t part = 0; part < lane_unit<T>; part += lanes<T>)
      f(i * columns * lane_unit<T> + part, i * lane_unit<T> + part);
}

// --- activations ----------------------------------------------------------------------------------------------------------

// Rows of all units. Of a function of one number an array in lanes is an array like any other.
template <class T, class A>
void lane_activate(std::size_t rows, std::size_t columns, const T* z, T* a, const ParameterValues& p) {
  if constexpr (A::by_row) {
    const Arguments<A, Vec<T>> args(p);
    for_each_lane_row<T>(rows, columns, [&](std::size_t at, std::size_t) {
      BPC_CALL(A, forward, args, LaneRow<const T>{z + at}, LaneRow<T>{a + at}, columns);
    });
  } else {
    activate<T, A>(rows, columns * lane_unit<T>, z, a, p);
  }
}

template <class T, class A>
void lane_activation_backward(std::size_t rows, std::size_t columns, const T* z, const T* a, T* delta,
                              const ParameterValues& p) {
  if constexpr (A::by_row) {
    const Arguments<A, Vec<T>> args(p);
    for_each_lane_row<T>(rows, columns, [&](std::size_t at, std::size_t) {
      const LaneRow<T> d{delta + at};
      BPC_CALL(A, backward, args, d, LaneRow<const T>{z + at}, LaneRow<const T>{a + at}, d, columns);
    });
  } else {
    activation_backward<T, A>(rows, columns * lane_unit<T>, delta, z, a, delta, p);
  }
}

template <class T>
struct LaneActivation {
  void (*forward)(std::size_t rows, std::size_t columns, const T* z, T* a, const ParameterValues& p);
  void (*backward)(std::size_t rows, std::size_t columns, const T* z, const T* a, T* delta, const ParameterValues& p);
};

template <class T, class... A>
constexpr std::array<LaneActivation<T>, sizeof...(A)> lane_activation_table(List<A...>) {
  return {LaneActivation<T>{lane_activate<T, A>, lane_activation_backward<T, A>}...};
}
template <class T>
constexpr auto lane_activations = lane_activation_table<T>(Activations{});

// --- losses ---------------------------------------------------------------------------------------------------------------

template <class T>
struct LaneLossPass {
  std::size_t rows, columns;  // rows of all units
  const T *z, *a, *t;         // of the output
  const T* share;             // of each sample in its batch's E, (rows,), or null where all have the same,
  T scale;                    // this one
  T* loss;                    // (rows,)
  T* gradient;                // ∇ₐE (of_a) or δ (of_z), or null
  const ParameterValues* parameters;
};

// Calls f(offset, scale of its gradient, where to store its loss).
template <class T, class F>
BPC_INLINE void for_each_lane_sample(const LaneLossPass<T>& pass, F f) {
  for_each_lane_row<T>(pass.rows, pass.columns, [&](std::size_t at, std::size_t sample) {
    f(at, pass.share ? load<Vec<T>>(pass.share + sample) : splat(pass.scale), pass.loss + sample);
  });
}

template <class T, class L>
void lane_loss_of_a(const LaneLossPass<T>& pass) {
  using V = Vec<T>;
  const Arguments<L, V> args(*pass.parameters);
  const std::size_t m = pass.columns;
  const V outputs = splat(static_cast<T>(m));
  for_each_lane_sample(pass, [&](std::size_t at, V scale, T* loss) {
    const LaneRow<const T> a{pass.a + at}, t{pass.t + at};
    const V total = sum<T>(m, [&](V av, V tv) { return BPC_CALL(L, value, args, av, tv); }, a, t);
    store<V>(loss, L::mean_over_outputs ? total / outputs : total);
    if (pass.gradient == nullptr) return;
    const V s = L::mean_over_outputs ? scale / outputs : scale;
    map(m, LaneRow<T>{pass.gradient + at}, [&](V av, V tv) { return s * BPC_CALL(L, gradient, args, av, tv); }, a, t);
  });
}

// Whether E has a form of z for each output by itself.
template <class L>
constexpr bool find_elementwise_form() {
  if constexpr (has_form_of_z<L>)
    return !L::Output::by_row;
  else
    return false;
}
template <class L>
inline constexpr bool has_elementwise_form = find_elementwise_form<L>();

template <class T, class L>
void lane_loss_of_z([[maybe_unused]] const LaneLossPass<T>& pass) {
  if constexpr (has_form_of_z<L>) {
    using V = Vec<T>;
    const std::size_t m = pass.columns;
    [[maybe_unused]] const V outputs = splat(static_cast<T>(m));
    for_each_lane_sample(pass, [&](std::size_t at, V scale, T* loss) {
      const LaneRow<const T> z{pass.z + at}, a{pass.a + at}, t{pass.t + at};
      const LaneRow<T> delta{pass.gradient + at};
      if constexpr (L::Output::by_row) {
        store<V>(loss, L::value_of_row(z, t, m));
        if (pass.gradient != nullptr) L::delta_of_row(a, t, delta, scale, m);
      } else {
        const V total = sum<T>(m, [](V zv, V tv) { return L::value_of_z(zv, tv); }, z, t);
        store<V>(loss, L::mean_over_outputs ? total / outputs : total);
        const V s = L::mean_over_outputs ? scale / outputs : scale;
        if (pass.gradient != nullptr) map(m, delta, [=](V av, V tv) { return s * L::delta_of_z(av, tv); }, a, t);
      }
    });
  }
}

template <class T>
struct LaneLoss {
  void (*of_a)(const LaneLossPass<T>&);
  void (*of_z)(const LaneLossPass<T>&);
};

template <class T, class... L>
constexpr std::array<LaneLoss<T>, sizeof...(L)> lane_loss_table(List<L...>) {
  return {LaneLoss<T>{lane_loss_of_a<T, L>, lane_loss_of_z<T, L>}...};
}
template <class T>
constexpr auto lane_losses = lane_loss_table<T>(Losses{});

// --- optimizers -----------------------------------------------------------------------------------------------------------

// What is the same for all parameters in a step differs from lane to lane: each network's numbers, which the optimizer
// splats, are put together lane by lane. Its flags, in the first bytes of a slot of their own, are the same in all.
template <class T, class O>
auto lane_scalars(const LaneRun<T>& run, std::size_t first) {
  using S = typename O::template Scalars<Vec<T>>;
  S merged;
  for (std::size_t l = 0; l < std::size_t(lanes<T>); ++l) {
    const std::size_t m = first + l;
    const Progress now{*run.step_count + 1, run.penalized_loss[m], run.former_loss[m]};
    const S own = O::template scalars<Vec<T>>(run.optimizer_parameters[m], now);
    if (l == 0) merged = own;
    for (std::size_t at = l * sizeof(T); at < sizeof(S); at += sizeof(Vec<T>))
      std::memcpy(reinterpret_cast<char*>(&merged) + at, reinterpret_cast<const char*>(&own) + at,
                  std::min(sizeof(T), sizeof(S) - at));
  }
  return merged;
}

template <class T, class O>
void lane_optimizer_step(const LaneRun<T>& run) {
  constexpr std::size_t U = lane_unit<T>;
  const int slots = O::slots(run.optimizer_parameters[0]);
  const std::size_t of_units = run.n_parameters * U;
  const OptimizerStep<T> g{0, run.parameters, run.gradient, run.state, run.units * of_units, {}, nullptr};
  for (std::size_t first = 0; first < run.units * U; first += lanes<T>) {
    const auto s = lane_scalars<T, O>(run, first);
    const std::size_t at = first / U * of_units + first % U;
    Vec<T> check = load<Vec<T>>(run.check + first);
    for (std::size_t l = run.lowest; l < run.n_layers; ++l) {
      const LaneLayer<T>& o = run.layers[l];
      if (!o.trainable) continue;
      const std::size_t end = o.offset + (o.fan_in + 1) * o.fan_out;
      for (std::size_t p = o.offset; p < end; ++p)
        check = fma(update_vector<T, O>(
                        g, s, slots, at + p * U, [](const T* from) { return load<Vec<T>>(from); },
                        [](T* to, Vec<T> v) { store<Vec<T>>(to, v); }),
                    Vec<T>{}, check);
    }
    store<Vec<T>>(run.check + first, check);
  }
}

template <class T>
using LaneOptimizer = void (*)(const LaneRun<T>&);

template <class T, class... O>
constexpr std::array<LaneOptimizer<T>, sizeof...(O)> lane_optimizer_table(List<O...>) {
  return {lane_optimizer_step<T, O>...};
}
template <class T>
constexpr auto lane_optimizers = lane_optimizer_table<T>(Optimizers{});

// --- samples into lanes ---------------------------------------------------------------------------------------------------

// Row at[m] of `rows` into lane m.
template <class T>
void spread_row(const T* rows, std::size_t columns, const std::uint32_t* at, T* to) {
  constexpr std::size_t S = transpose_size<T>, U = lane_unit<T>;
  const T* row[S];
  for (std::size_t m = 0; m < U; m += S) {
    for (std::size_t r = 0; r < S; ++r) row[r] = rows + at[m + r] * columns;
    std::size_t k = 0;
    for (; k + S <= columns; k += S) transpose(row, static_cast<std::ptrdiff_t>(k), to + k * U + m, std::ptrdiff_t(U));
    for (; k < columns; ++k)
      for (std::size_t r = 0; r < S; ++r) to[k * U + m + r] = row[r][k];
  }
}

template <class T>
void splat_row(const T* row, std::size_t columns, T* to) {
  for (std::size_t k = 0; k < columns; ++k)
    for (std::size_t part = 0; part < lane_unit<T>; part += lanes<T>)
      store<Vec<T>>(to + k * lane_unit<T> + part, splat(row[k]));
}

// Samples first … first + n − 1 of each network's order.
template <class T>
void spread_rows(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t first, std::size_t n, const T* rows,
                 std::size_t columns, T* to) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t unit = 0; unit < run.units; ++unit)
    for (std::size_t i = 0; i < n; ++i, to += columns * U)
      if (from.order != nullptr)
        spread_row(rows, columns, from.order + ((first + i) * run.units + unit) * U, to);
      else
        splat_row(rows + (first + i) * columns, columns, to);
}

// Which sample network m takes.
template <class T>
BPC_INLINE std::size_t sample_of(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t i, std::size_t m) {
  return from.order != nullptr ? from.order[i * run.units * lane_unit<T> + m] : i;
}

template <class T>
void spread_classes(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t first, std::size_t n,
                    std::size_t columns, T* to) {
  constexpr std::size_t U = lane_unit<T>;
  std::fill_n(to, run.units * n * columns * U, T(0));
  for (std::size_t unit = 0; unit < run.units; ++unit)
    for (std::size_t i = 0; i < n; ++i, to += columns * U)
      for (std::size_t lane = 0; lane < U; ++lane) {
        const auto c = static_cast<std::size_t>(from.classes[sample_of(run, from, first + i, unit * U + lane)]);
        if (c < columns) to[c * U + lane] = T(1);  // checked before, but the caller's array may have changed since
      }
}

template <class T>
void spread_samples(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t first, std::size_t n) {
  const std::size_t outputs = run.layers[run.n_layers - 1].fan_out;
  spread_rows(run, from, first, n, from.x, run.layers[0].fan_in, run.x);
  if (from.t != nullptr)
    spread_rows(run, from, first, n, from.t, outputs, run.t);
  else
    spread_classes(run, from, first, n, outputs, run.t);
}

// Each sample's share of its batch's E, and the batch's weight, where samples do not all count 1.
template <class T>
void spread_shares(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t first, std::size_t n) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t m = 0; m < run.units * U; ++m) {
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += from.weight[sample_of(run, from, first + i, m)];
    for (std::size_t i = 0; i < n; ++i) {
      const double weight = from.weight[sample_of(run, from, first + i, m)];
      run.share[(m / U * n + i) * U + m % U] = total > 0.0 ? static_cast<T>(weight / total) : T(0);
    }
    run.batch_weight[m] = total;
  }
}

// --- a step ---------------------------------------------------------------------------------------------------------------

template <class T>
LaneParameters<T> lane_parameters(const LaneRun<T>& run, const LaneLayer<T>& o, T* of) {
  constexpr std::size_t U = lane_unit<T>;
  return {run.n_parameters * U, of + o.offset * U, of + (o.offset + o.fan_in * o.fan_out) * U};
}

template <class T>
const T* lane_input(const LaneRun<T>& run, std::size_t l) {
  return run.layers[l].mask != nullptr ? run.layers[l].masked : l == 0 ? run.x : run.layers[l - 1].a;
}

// z¹ … aᴸ of n samples; all units may share x.
template <class T>
void lane_pass(const LaneRun<T>& run, std::size_t n, std::size_t x_of_units) {
  const std::size_t rows = run.units * n;
  for (std::size_t l = 0; l < run.n_layers; ++l) {
    const LaneLayer<T>& o = run.layers[l];
    const std::size_t of_inputs = l == 0 ? x_of_units : n * o.fan_in * lane_unit<T>;
    if (o.mask != nullptr)
      map(
          rows * o.fan_in * lane_unit<T>, o.masked, [](Vec<T> a, Vec<T> m) { return a * m; },
          l == 0 ? run.x : run.layers[l - 1].a, o.mask);
    lane_forward({n, o.fan_in, o.fan_out}, run.units, lane_input(run, l), of_inputs,
                 lane_parameters(run, o, run.parameters), o.z);
    lane_activations<T>[o.activation].forward(rows, o.fan_out, o.z, o.a, *o.activation_parameters);
  }
}

// E of each sample, and with a gradient BP1.
template <class T>
void lane_output(const LaneRun<T>& run, std::size_t n, const T* share, T* gradient) {
  const LaneLayer<T>& last = run.layers[run.n_layers - 1];
  const std::size_t rows = run.units * n;
  const LaneLossPass<T> pass{
      rows,     last.fan_out,       last.z, last.a, run.t, share, T(1) / static_cast<T>(n), run.sample_loss,
      gradient, run.loss_parameters};
  const LaneLoss<T>& loss = lane_losses<T>[run.loss];
  if (run.loss_of_z) return loss.of_z(pass);
  loss.of_a(pass);
  if (gradient != nullptr)
    lane_activations<T>[last.activation].backward(rows, last.fan_out, last.z, last.a, gradient,
                                                  *last.activation_parameters);
}

// δ of a layer from ∂E/∂a.
template <class T>
void lane_through_activation(const LaneRun<T>& run, std::size_t l, std::size_t n) {
  const LaneLayer<T>& o = run.layers[l];
  lane_activations<T>[o.activation].backward(run.units * n, o.fan_out, o.z, o.a, o.delta, *o.activation_parameters);
}

// BP2: δ of layer l − 1.
template <class T>
void lane_error_below(const LaneRun<T>& run, std::size_t l, std::size_t n) {
  const LaneLayer<T>&o = run.layers[l], &below = run.layers[l - 1];
  lane_backward({n, o.fan_in, o.fan_out}, run.units, o.delta, lane_parameters(run, o, run.parameters), below.delta);
  if (o.mask != nullptr)
    map(
        run.units * n * o.fan_in * lane_unit<T>, below.delta, [](Vec<T> d, Vec<T> m) { return d * m; }, below.delta,
        o.mask);
  lane_through_activation(run, l - 1, n);
}

// The sum over the samples' E in every lane.
template <class T, class F>
BPC_INLINE void add_sample_losses(const LaneRun<T>& run, std::size_t n, double* total, F weighted) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t unit = 0; unit < run.units; ++unit)
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t at = (unit * n + i) * U;
      for (std::size_t lane = 0; lane < U; ++lane) total[unit * U + lane] += weighted(at + lane);
    }
}

// E of the batch in every lane.
template <class T>
void lane_batch_loss(const LaneRun<T>& run, std::size_t n, bool weighted) {
  const std::size_t W = run.units * lane_unit<T>;
  double* const mean = run.batch_loss;
  const T *const loss = run.sample_loss, *const share = run.share;
  std::fill_n(mean, W, 0.0);
  if (weighted)
    add_sample_losses(run, n, mean,
                      [=](std::size_t i) { return static_cast<double>(loss[i]) * static_cast<double>(share[i]); });
  else
    add_sample_losses(run, n, mean, [=](std::size_t i) { return static_cast<double>(loss[i]); });
  if (!weighted && n > 1)
    for (std::size_t m = 0; m < W; ++m) mean[m] /= static_cast<double>(n);
}

// Numbers in double precision as a vector.
template <class T>
Vec<T> narrowed(const double* from) {
  T to[lanes<T>];
  for (int l = 0; l < lanes<T>; ++l) to[l] = static_cast<T>(from[l]);
  return load<Vec<T>>(to);
}

// gradient = f(gradient, w) for n gradients in every lane, which are looked at before; begin: f of the vector that starts at a
// network's lane.
template <class T, class Begin>
void shape_lanes(const LaneRun<T>& run, std::size_t offset, std::size_t n, Begin begin) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t first = 0; first < run.units * U; first += lanes<T>) {
    const auto f = begin(first);
    const std::size_t at = (first / U * run.n_parameters + offset) * U + first % U;
    Vec<T> check = load<Vec<T>>(run.check + first);
    for (std::size_t i = at; i < at + n * U; i += U) {
      const Vec<T> gradient = load<Vec<T>>(run.gradient + i);
      check = check + gradient * Vec<T>{};
      store<Vec<T>>(run.gradient + i, f(gradient, load<Vec<T>>(run.parameters + i)));
    }
    store<Vec<T>>(run.check + first, check);
  }
}

// The penalties' gradient and clip_value, on one layer's gradient.
template <class T>
void lane_shape_gradient(const LaneRun<T>& run, const LaneLayer<T>& o) {
  using V = Vec<T>;
  if (o.l1 != nullptr)
    shape_lanes(run, o.offset, o.fan_in * o.fan_out, [&](std::size_t first) {
      return [l1 = narrowed<T>(o.l1 + first), l2 = narrowed<T>(o.l2 + first)](V g, V w) {
        const V zero{}, one = constant<V>(1), sign = (w > zero ? one : zero) - (w < zero ? one : zero);
        return g + (l2 * w + l1 * sign);
      };
    });
  if (run.clip_value != nullptr)
    shape_lanes(run, o.offset, (o.fan_in + 1) * o.fan_out, [&](std::size_t first) {
      return [bound = narrowed<T>(run.clip_value + first)](V g, V) {
        return g > bound ? bound : (g < -bound ? -bound : g);
      };
    });
}

// Σ l1·|w| + ½·l2·w² over a unit's weights of a layer, as training/regularization.cpp adds it up.
template <class T>
void add_unit_penalty(const LaneRun<T>& run, const LaneLayer<T>& o, std::size_t unit, double* penalty) {
  constexpr std::size_t U = lane_unit<T>;
  const T* const w = run.parameters + (unit * run.n_parameters + o.offset) * U;
  const double *const l1 = o.l1 + unit * U, *const l2 = o.l2 + unit * U;
  const std::size_t weights = o.fan_in * o.fan_out;
  double of_layer[U] = {}, sums[sum_lanes][U];
  for (std::size_t begin = 0; begin < weights; begin += sum_block) {
    std::fill_n(&sums[0][0], sum_lanes * U, 0.0);
    for (std::size_t i = begin; i < std::min(begin + sum_block, weights); ++i)
      for (std::size_t lane = 0; lane < U; ++lane) {
        const double v = static_cast<double>(w[i * U + lane]);
        sums[i % sum_lanes][lane] += l1[lane] * std::abs(v) + 0.5 * l2[lane] * v * v;
      }
    for (std::size_t half = sum_lanes / 2; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i)
        for (std::size_t lane = 0; lane < U; ++lane) sums[i][lane] += sums[i + half][lane];
    for (std::size_t lane = 0; lane < U; ++lane) of_layer[lane] += sums[0][lane];
  }
  for (std::size_t lane = 0; lane < U; ++lane) penalty[lane] += of_layer[lane];
}

// The optimizer's step, which may look at E with its penalties.
template <class T>
void lane_descend(const LaneRun<T>& run) {
  constexpr std::size_t U = lane_unit<T>;
  std::fill_n(run.penalized_loss, run.units * U, 0.0);
  for (std::size_t unit = 0; unit < run.units; ++unit)
    for (std::size_t l = 0; l < run.n_layers && run.layers[l].l1 != nullptr; ++l)
      add_unit_penalty(run, run.layers[l], unit, run.penalized_loss + unit * U);
  for (std::size_t m = 0; m < run.units * U; ++m) run.penalized_loss[m] = run.batch_loss[m] + run.penalized_loss[m];
  lane_optimizers<T>[run.optimizer](run);
  std::copy_n(run.penalized_loss, run.units * U, run.former_loss);
}

// δ becomes −μδ, for a descent with no gradient stored.
template <class T>
void lane_scale(const LaneRun<T>& run, std::size_t rows, T* delta) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t first = 0; first < run.units * U; first += lanes<T>) {
    const Vec<T> rate = load<Vec<T>>(run.minus_rate + first);
    T* const from = delta + first / U * rows * U + first % U;
    map(rows, LaneRow<T>{from}, [=](Vec<T> d) { return rate * d; }, LaneRow<T>{from});
  }
}

// BP2 to BP4 and the update.
template <class T>
void lane_update(const LaneRun<T>& run, std::size_t n) {
  for (std::size_t l = run.n_layers; l-- > run.lowest;) {
    const LaneLayer<T>& o = run.layers[l];
    if (l > run.lowest) lane_error_below(run, l, n);
    if (!o.trainable) continue;
    const bool stores_gradient = run.gradient != nullptr;
    if (!stores_gradient) lane_scale(run, n * o.fan_out, o.delta);
    lane_gradient({n, o.fan_in, o.fan_out}, run.units, lane_input(run, l), o.delta,
                  lane_parameters(run, o, stores_gradient ? run.gradient : run.parameters), !stores_gradient);
    if (stores_gradient) lane_shape_gradient(run, o);
  }
  if (run.gradient != nullptr) lane_descend(run);
}

// E of n networks' batches, of that weight, added to the epoch's. `check` becomes NaN where it is not finite.
template <class T>
void account(std::size_t n, const double* BPC_RESTRICT loss, const double* BPC_RESTRICT weight,
             double* BPC_RESTRICT epoch_loss, double* BPC_RESTRICT epoch_weight, T* BPC_RESTRICT check) {
  for (std::size_t m = 0; m < n; ++m) {
    epoch_loss[m] += loss[m] * weight[m];
    epoch_weight[m] += weight[m];
    check[m] += static_cast<T>(loss[m] * 0.0);
  }
}

template <class T>
void lane_steps(const LaneRun<T>& run, const LaneSamples<T>& from) {
  const std::size_t W = run.units * lane_unit<T>;
  const bool weighted = from.weight != nullptr;
  T* const delta = run.layers[run.n_layers - 1].delta;
  std::size_t first = 0;
  for (std::size_t step = 0; step < run.n_steps; ++step) {
    const std::size_t n = std::min(run.batch, from.n - first);
    spread_samples(run, from, first, n);
    if (weighted)
      spread_shares(run, from, first, n);
    else
      std::fill_n(run.batch_weight, W, static_cast<double>(n));
    lane_pass(run, n, n * run.layers[0].fan_in * lane_unit<T>);
    lane_output(run, n, weighted ? run.share : nullptr, delta);
    lane_batch_loss(run, n, weighted);
    account(W, run.batch_loss, run.batch_weight, run.epoch_loss, run.epoch_weight, run.check);
    lane_update(run, n);
    ++*run.step_count;
    first += n;
  }
}

// The mean E of n samples, added up in blocks of so many: as mean_loss in network/passes.cpp does it.
template <class T>
void lane_mean_loss(const LaneRun<T>& run, const LaneSamples<T>& from, std::size_t block, double* mean) {
  const std::size_t W = run.units * lane_unit<T>;
  const T* const loss = run.sample_loss;
  std::fill_n(mean, W, 0.0);
  for (std::size_t begin = 0; begin < from.n; begin += block) {
    const std::size_t end = std::min(begin + block, from.n);
    std::fill_n(run.batch_loss, W, 0.0);
    for (std::size_t first = begin; first < end; first += run.batch) {
      const std::size_t n = std::min(run.batch, end - first);
      spread_samples(run, from, first, n);
      lane_pass(run, n, n * run.layers[0].fan_in * lane_unit<T>);
      lane_output<T>(run, n, nullptr, nullptr);
      add_sample_losses(run, n, run.batch_loss, [=](std::size_t i) { return static_cast<double>(loss[i]); });
    }
    for (std::size_t m = 0; m < W; ++m) mean[m] += run.batch_loss[m];
  }
  for (std::size_t m = 0; m < W; ++m) mean[m] /= static_cast<double>(from.n);
}

// --- a sample at a time -----------------------------------------------------------------------------------------------------

// What lane_steps does for batches of one by plain gradient descent, with less stored between its parts.

// One unit's sample in one layer.
template <class T>
struct LaneDescent {
  DenseShape shape;
  const T *x, *delta, *minus_rate;
  T *w, *b;
  T* dx;  // or null
};

// BP2 to BP4 and the update in so many columns: dx += δ·wᵀ, b −= μδ, w −= μ xᵀδ, each w read once.
template <class T, bool PassesDown, int NC>
BPC_INLINE void lane_descend_tile(const LaneDescent<T>& p, std::size_t column, std::size_t part) {
  using V = Vec<T>;
  constexpr std::size_t U = lane_unit<T>;
  const std::size_t at = column * U + part, row = p.shape.fan_out * U;
  const V rate = load<V>(p.minus_rate + part);
  V delta[NC], step[NC];
#pragma GCC unroll 8
  for (int j = 0; j < NC; ++j) {
    delta[j] = load<V>(p.delta + at + j * U);
    step[j] = rate * delta[j];
    store<V>(p.b + at + j * U, load<V>(p.b + at + j * U) + step[j]);
  }
  const T* x = p.x + part;
  T* w = p.w + at;
  [[maybe_unused]] T* dx = PassesDown ? p.dx + part : nullptr;
  for (std::size_t i = 0; i < p.shape.fan_in; ++i, x += U, w += row) {
    const V xv = load<V>(x);
    [[maybe_unused]] V sum = PassesDown && column > 0 ? load<V>(dx) : V{};
#pragma GCC unroll 8
    for (int j = 0; j < NC; ++j) {
      const V wv = load<V>(w + j * U);
      if constexpr (PassesDown) sum = fma(delta[j], wv, sum);
      store<V>(w + j * U, fma(xv, step[j], wv));
    }
    if constexpr (PassesDown) {
      store<V>(dx, sum);
      dx += U;
    }
  }
}

template <class T, bool PassesDown, int NC>
BPC_INLINE void lane_descend_columns(const LaneDescent<T>& p, std::size_t column, std::size_t part) {
  if constexpr (NC > 1)
    if (p.shape.fan_out - column < NC) return lane_descend_columns<T, PassesDown, NC - 1>(p, column, part);
  lane_descend_tile<T, PassesDown, NC>(p, column, part);
}

template <class T, bool PassesDown>
void lane_descend_layer(const LaneDescent<T>& p) {
  constexpr int NC = lane_columns_for(1);
  for (std::size_t part = 0; part < lane_unit<T>; part += lanes<T>)
    for (std::size_t column = 0; column < p.shape.fan_out; column += NC)
      lane_descend_columns<T, PassesDown, NC>(p, column, part);
}

// E of the unit's sample in sample_loss and ∇ₐE or δ, in one pass over the outputs.
template <class T, class L>
BPC_INLINE void lane_online_loss(const LaneRun<T>& run, const T* z, const T* a, const T* t, T* delta, T* loss) {
  using V = Vec<T>;
  const Arguments<L, V> args(*run.loss_parameters);
  const std::size_t m = run.layers[run.n_layers - 1].fan_out;
  const V outputs = splat(static_cast<T>(m)), share = splat(T(1) / static_cast<T>(m));
  for (std::size_t part = 0; part < lane_unit<T>; part += lanes<T>) {
    const LaneRow<const T> zr{z + part}, ar{a + part}, tr{t + part};
    const LaneRow<T> values{run.values + part}, dr{delta + part};
    for (std::size_t j = 0; j < m; ++j) {
      const V av = ar[j], tv = tr[j];
      V value, gradient;
      if constexpr (has_elementwise_form<L>) {
        value = run.loss_of_z ? L::value_of_z(zr[j], tv) : BPC_CALL(L, value, args, av, tv);
        gradient = run.loss_of_z ? L::delta_of_z(av, tv) : BPC_CALL(L, gradient, args, av, tv);
      } else {
        value = BPC_CALL(L, value, args, av, tv);
        gradient = BPC_CALL(L, gradient, args, av, tv);
      }
      store<V>(values.p + j * lane_unit<T>, value);
      store<V>(dr.p + j * lane_unit<T>, L::mean_over_outputs ? share * gradient : gradient);
    }
    const V total = sum_of_stored<T>(m, values);
    store<V>(loss + part, L::mean_over_outputs ? total / outputs : total);
  }
}

// BP1, and E, added to the epoch's loss.
template <class T, class L>
void lane_online_output(const LaneRun<T>& run, std::size_t t_of_units) {
  constexpr std::size_t U = lane_unit<T>;
  const LaneLayer<T>& o = run.layers[run.n_layers - 1];
  const std::size_t row = o.fan_out * U;
  for (std::size_t u = 0; u < run.units; ++u) {
    const T* const t = run.t + u * t_of_units;
    T *const delta = o.delta + u * row, *const loss = run.sample_loss + u * U;
    if (run.loss_of_z && !has_elementwise_form<L>)
      lane_loss_of_z<T, L>(
          {1, o.fan_out, o.z + u * row, o.a + u * row, t, nullptr, T(1), loss, delta, run.loss_parameters});
    else
      lane_online_loss<T, L>(run, o.z + u * row, o.a + u * row, t, delta, loss);
  }
  for (std::size_t m = 0; m < run.units * U; ++m) run.epoch_loss[m] += static_cast<double>(run.sample_loss[m]);
  if (!run.loss_of_z) lane_through_activation(run, run.n_layers - 1, 1);
}

// BP2 to BP4 and the update.
template <class T>
void lane_online_backward(const LaneRun<T>& run, std::size_t x_of_units) {
  constexpr std::size_t U = lane_unit<T>;
  for (std::size_t l = run.n_layers; l-- > run.lowest;) {
    const LaneLayer<T>& o = run.layers[l];
    const bool passes_down = l > run.lowest;
    const DenseShape shape{1, o.fan_in, o.fan_out};
    const std::size_t of_inputs = l == 0 ? x_of_units : o.fan_in * U;
    const LaneParameters<T> p = lane_parameters(run, o, run.parameters);
    T* const dx = passes_down ? run.layers[l - 1].delta : nullptr;
    for (std::size_t u = 0; u < run.units && o.trainable; ++u)
      (passes_down
           ? lane_descend_layer<T, true>
           : lane_descend_layer<T, false>)({shape, lane_input(run, l) + u * of_inputs, o.delta + u * o.fan_out * U,
                                            run.minus_rate + u * U, p.w + u * p.of_units, p.b + u * p.of_units,
                                            passes_down ? dx + u * o.fan_in * U : nullptr});
    if (!passes_down) continue;
    if (!o.trainable) lane_backward(shape, run.units, o.delta, p, dx);
    lane_through_activation(run, l - 1, 1);
  }
}

template <class T, class L>
void lane_online_steps(const LaneRun<T>& run, const LaneSamples<T>& from) {
  constexpr std::size_t U = lane_unit<T>;
  const bool ordered = from.order != nullptr;
  LaneRun<T> spread = run;
  if (!ordered) spread.units = 1;  // all units read the same
  const std::size_t x_of_units = ordered ? run.layers[0].fan_in * U : 0;
  const std::size_t t_of_units = ordered ? run.layers[run.n_layers - 1].fan_out * U : 0;
  for (std::size_t step = 0; step < run.n_steps; ++step) {
    spread_samples(spread, from, step, 1);
    lane_pass(run, 1, x_of_units);
    lane_online_output<T, L>(run, t_of_units);
    lane_online_backward(run, x_of_units);
    ++*run.step_count;
  }
  for (std::size_t m = 0; m < run.units * U; ++m) {
    run.epoch_weight[m] += static_cast<double>(run.n_steps);
    run.check[m] += static_cast<T>(run.epoch_loss[m] * 0.0);  // a sum of losses stays NaN or infinite
  }
}

template <class T>
using LaneSteps = void (*)(const LaneRun<T>&, const LaneSamples<T>&);

template <class T, class... L>
constexpr std::array<LaneSteps<T>, sizeof...(L)> lane_online_table(List<L...>) {
  return {lane_online_steps<T, L>...};
}
template <class T>
constexpr auto lane_online = lane_online_table<T>(Losses{});

template <class T>
constexpr LaneKernels<T> lane_kernels = {lane_steps<T>, &lane_online<T>[0], lane_mean_loss<T>};

}  // namespace backpropc::BPC_ISA
