// Training a sample at a time, for networks so small that a step waits for its own results and not for memory.
//
// The parameters live in memory of their own (OnlineLayer), where rows are padded with zeros to N whole vectors: nothing is
// masked, and what one operation stores the next can load. A row of activations or errors stays in N registers from one
// operation to the next. Every element is the same chain of operations as in product.hpp and definitions.hpp, so that the
// bits are those of any other batch of one.
#pragma once

#include "kernels/definitions.hpp"

namespace backpropc::BPC_ISA {

template <class T, int N>
struct Row {
  Vec<T> v[N];
};

template <int N, class T>
BPC_INLINE Row<T, N> load_row(const T* p) {
  Row<T, N> row;
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) row.v[i] = load<Vec<T>>(p + i * lanes<T>);
  return row;
}

template <int N, class T>
BPC_INLINE void store_row(T* p, const Row<T, N>& row) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) store<Vec<T>>(p + i * lanes<T>, row.v[i]);
}

// The first n values at p and zeros.
template <int N, class T>
BPC_INLINE Row<T, N> load_first_of_row(const T* p, std::size_t n) {
  constexpr std::size_t L = lanes<T>;
  Row<T, N> row;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t left = n > i * L ? n - i * L : 0;
    row.v[i] = left >= L ? load<Vec<T>>(p + i * L) : left > 0 ? load_first<Vec<T>>(p + i * L, left) : Vec<T>{};
  }
  return row;
}

// Zeros where the layer's row is padding.
template <int N, class T>
BPC_INLINE Row<T, N> kept(Row<T, N> row, const T* keep) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) row.v[i] = from_bits<Vec<T>>(bits(row.v[i]) & bits(load<Vec<T>>(keep + i * lanes<T>)));
  return row;
}

// acc += s·p
template <int N, class T>
BPC_INLINE void add_scaled_row(Row<T, N>& acc, Vec<T> s, const T* p) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) acc.v[i] = fma(s, load<Vec<T>>(p + i * lanes<T>), acc.v[i]);
}

// acc += Σ s[k]·rows[k, :], one chain in ascending k: the scalars in memory
template <int N, class T>
BPC_INLINE void add_product(Row<T, N>& acc, const T* s, std::size_t n, const T* rows) {
  for (std::size_t k = 0; k < n; ++k, rows += N * lanes<T>) add_scaled_row(acc, splat(s[k]), rows);
}

// … or in a row of M vectors
template <int N, int M, class T>
BPC_INLINE void add_product(Row<T, N>& acc, const Row<T, M>& s, std::size_t n, const T* rows) {
  constexpr std::size_t L = lanes<T>;
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    const std::size_t end = n < L ? n : L;
    for (std::size_t k = 0; k < end; ++k, rows += N * L) add_scaled_row(acc, lane(s.v[i], k), rows);
    n -= end;
  }
}

// rows[k, :] += s[k]·v
template <int N, class T>
BPC_INLINE void add_outer_product(T* rows, const T* s, std::size_t n, const Row<T, N>& v) {
  for (std::size_t k = 0; k < n; ++k, rows += N * lanes<T>) {
    const Vec<T> sk = splat(s[k]);
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) store<Vec<T>>(rows + i * lanes<T>, fma(sk, v.v[i], load<Vec<T>>(rows + i * lanes<T>)));
  }
}

// --- activations, a vector at a time ----------------------------------------------------------------------------------

template <class T>
struct OnlineActivation {
  Vec<T> (*value)(Vec<T> z, const ParameterValues&);                          // null for a row function
  Vec<T> (*backward)(Vec<T> da, Vec<T> z, Vec<T> a, const ParameterValues&);  // da ⊙ σ'(z)
};

template <class T, class A>
constexpr OnlineActivation<T> online_activation() {
  using V = Vec<T>;
  if constexpr (A::by_row)
    return {nullptr, nullptr};
  else
    return {[](V z, const ParameterValues& p) {
              const Arguments<A, V> args(p);
              return BPC_CALL(A, value, args, z);
            },
            [](V da, [[maybe_unused]] V z, V a, const ParameterValues& p) {
              const Arguments<A, V> args(p);
              if constexpr (A::needs_z)
                return da * BPC_CALL(A, derivative, args, z, a);
              else
                return da * BPC_CALL(A, derivative, args, a);
            }};
}

template <class T, class... A>
constexpr std::array<OnlineActivation<T>, sizeof...(A)> online_activation_table(List<A...>) {
  return {online_activation<T, A>()...};
}
template <class T>
constexpr auto online_activations = online_activation_table<T>(Activations{});

// --- the step ---------------------------------------------------------------------------------------------------------

// a = σ(z), z of the layer being stored already.
template <int N, class T>
BPC_INLINE Row<T, N> online_activate(const OnlineLayer<T>& layer, Row<T, N> z) {
  const auto value = online_activations<T>[layer.activation].value;
  if (value == nullptr) {
    layer.kernels->forward(1, layer.fan_out, layer.z, layer.a, *layer.parameters);
    return load_row<N>(layer.a);
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) z.v[i] = value(z.v[i], *layer.parameters);
  const Row<T, N> a = kept(z, layer.keep);
  store_row(layer.a, a);
  return a;
}

// δ = da ⊙ σ'(z), or the whole Jacobian of a row function.
template <int N, class T>
BPC_INLINE Row<T, N> online_error(const OnlineLayer<T>& layer, Row<T, N> da, const Row<T, N>& a) {
  const auto backward = online_activations<T>[layer.activation].backward;
  if (backward == nullptr) {
    store_row(layer.delta, da);
    layer.kernels->backward(1, layer.fan_out, layer.delta, layer.z, layer.a, layer.delta, *layer.parameters);
    return load_row<N>(layer.delta);
  }
  const Row<T, N> z = load_row<N>(layer.z);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) da.v[i] = backward(da.v[i], z.v[i], a.v[i], *layer.parameters);
  return kept(da, layer.keep);
}

// E of the last layer's row, summed as loops.hpp sums.
template <class Loss, bool FromZ, int N, class T, class Arguments>
BPC_INLINE T online_loss(const OnlineLayer<T>& last, const Row<T, N>& a, const Row<T, N>& t,
                         [[maybe_unused]] const Arguments& args) {
  constexpr std::size_t parts = virtual_lanes<T> / lanes<T>;
  const Row<T, N> z = load_row<N>(last.z);
  Row<T, N> value;
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    if constexpr (FromZ)
      value.v[i] = Loss::value_of_z(z.v[i], t.v[i]);
    else
      value.v[i] = BPC_CALL(Loss, value, args, a.v[i], t.v[i]);
  }
  value = kept(value, last.keep);
  Vec<T> total[parts] = {};
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) total[i % parts] = total[i % parts] + value.v[i];
  const T sum = fold_lanes<T>(total);
  return Loss::mean_over_outputs ? sum / static_cast<T>(last.fan_out) : sum;
}

// δ of the last layer (BP1), and E.
template <class Loss, int N, class T>
BPC_INLINE Row<T, N> online_output(const OnlineRun<T>& run, const OnlineLayer<T>& last, const Row<T, N>& a,
                                   const T* targets, T& loss) {
  const Arguments<Loss, Vec<T>> args(*run.loss_parameters);
  const bool from_z = has_form_of_z<Loss> && last.activation == index_in<typename Loss::Output, Activations>;
  if constexpr (has_form_of_z<Loss>) {
    if constexpr (Loss::Output::by_row) {
      if (from_z) {
        loss_of_z<T, Loss>(
            {1, last.fan_out, last.z, last.a, targets, nullptr, T(1), &loss, last.delta, run.loss_parameters});
        return load_row<N>(last.delta);
      }
    } else if (from_z) {
      const Row<T, N> t = load_first_of_row<N>(targets, last.fan_out);
      Row<T, N> delta;
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) {
        delta.v[i] = Loss::delta_of_z(a.v[i], t.v[i]);
        if constexpr (Loss::mean_over_outputs) delta.v[i] = splat(T(1) / static_cast<T>(last.fan_out)) * delta.v[i];
      }
      loss = online_loss<Loss, true>(last, a, t, args);
      return kept(delta, last.keep);
    }
  }
  const Row<T, N> t = load_first_of_row<N>(targets, last.fan_out);
  Row<T, N> da;
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    da.v[i] = BPC_CALL(Loss, gradient, args, a.v[i], t.v[i]);
    if constexpr (Loss::mean_over_outputs) da.v[i] = splat(T(1) / static_cast<T>(last.fan_out)) * da.v[i];
  }
  loss = online_loss<Loss, false>(last, a, t, args);
  return online_error(last, da, a);
}

// b −= μ δ, w −= μ xᵀδ (BP3, BP4), and the same for wᵀ, which BP2 reads by rows.
template <int N, class T>
BPC_INLINE void online_update(const OnlineLayer<T>& layer, const T* x, const Row<T, N>& delta, T minus_rate) {
  Row<T, N> step = delta, b = load_row<N>(layer.b);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    step.v[i] = splat(minus_rate) * step.v[i];
    b.v[i] = b.v[i] + step.v[i];
  }
  add_outer_product(layer.w, x, layer.fan_in, step);
  store_row(layer.b, b);
  if (layer.w_transposed == nullptr) return;
  store_row(layer.delta, step);
  add_outer_product(layer.w_transposed, layer.delta, layer.fan_out, load_row<N>(x));
}

template <class T>
BPC_INLINE const T* online_target(const OnlineRun<T>& run, std::size_t sample, std::size_t n) {
  if (run.t_rows != nullptr) return run.t_rows + sample * n;
  for (std::size_t j = 0; j < n; ++j)
    run.one_hot[j] = run.t_classes[sample] == static_cast<std::int64_t>(j) ? T(1) : T(0);
  return run.one_hot;
}

template <class T, int N, class Loss>
std::size_t online_steps_of(const OnlineRun<T>& run) {
  const OnlineLayer<T>*const layers = run.layers, &last = layers[run.n_layers - 1];
  for (std::size_t step = 0; step < run.n_steps; ++step) {
    const std::size_t sample = run.order != nullptr ? run.order[step] : step;
    const T* const x = run.x + sample * layers[0].fan_in;
    Row<T, N> a;
    for (const OnlineLayer<T>* layer = layers; layer <= &last; ++layer) {
      Row<T, N> z = load_row<N>(layer->b);
      if (layer == layers)
        add_product(z, x, layer->fan_in, layer->w);
      else
        add_product(z, a, layer->fan_in, layer->w);
      store_row(layer->z, z);
      a = online_activate(*layer, z);
    }
    T loss = 0;
    Row<T, N> delta = online_output<Loss>(run, last, a, online_target(run, sample, last.fan_out), loss);
    if (loss * T(0) != T(0) && run.finite) return step;  // NaN or infinite
    *run.total += static_cast<double>(loss);
    for (std::size_t l = run.n_layers; l-- > run.lowest;) {
      const Row<T, N> above = delta;
      if (l > run.lowest) {
        delta = Row<T, N>{};
        add_product(delta, above, layers[l].fan_out, layers[l].w_transposed);
        delta = online_error(layers[l - 1], delta, load_row<N>(layers[l - 1].a));
      }
      if (layers[l].trainable) online_update(layers[l], l == 0 ? x : layers[l - 1].a, above, run.minus_rate);
    }
  }
  return run.n_steps;
}

template <class T, class... Loss>
constexpr std::array<OnlineKernels<T>, sizeof...(Loss)> online_table(List<Loss...>) {
  constexpr std::size_t L = lanes<T>;
  return {OnlineKernels<T>{{{L, online_steps_of<T, 1, Loss>},
                            {2 * L, online_steps_of<T, 2, Loss>},
                            {4 * L, online_steps_of<T, 4, Loss>},
                            {8 * L, online_steps_of<T, 8, Loss>}}}...};
}

}  // namespace backpropc::BPC_ISA
