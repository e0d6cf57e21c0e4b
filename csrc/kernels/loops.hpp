// Loops over contiguous arrays: an expression on vectors applied to all of them, and its sum in a fixed order.
#pragma once

#include <limits>

#include "kernels/simd.hpp"

namespace backpropc::BPC_ISA {

// A row is an array, or one of each of several networks (lanes.hpp). Number: what its elements are made of.
template <class R>
struct RowOf;
template <class T>
struct RowOf<T*> {
  using Number = std::remove_const_t<T>;
};
template <class R>
using NumberOf = typename RowOf<R>::Number;

// The result of a sum or a maximum over a row as a vector: an array's in every lane, or as many as there are networks.
template <class V, class R>
BPC_INLINE V spread(R result) {
  if constexpr (std::is_same_v<R, V>)
    return result;
  else
    return splat(result);
}

// out[i] = f(in[i]...); out may be one of the inputs.
template <class T, class F, class... In>
BPC_INLINE void map(std::size_t n, T* out, F f, const In*... in) {
  using V = Vec<T>;
  constexpr std::size_t step = lanes<T>;
  std::size_t i = 0;
  for (; i + step <= n; i += step) store<V>(out + i, f(load<V>(in + i)...));
  if (i < n) store_first<V>(out + i, f(load_first<V>(in + i, n - i)...), n - i);
}

// The sum of all virtual lanes: halves are folded onto each other until one is left, whatever the real width.
template <class T, std::size_t Parts>
BPC_INLINE T fold_lanes(Vec<T> (&total)[Parts]) {
#pragma GCC unroll 8
  for (std::size_t half = Parts / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < half; ++i) total[i] = total[i] + total[i + half];
  }
  return fold(total[0]);
}

// Σ f(in[i]...): virtual lane l adds the elements l, l + virtual_lanes, … in ascending order, then the lanes are folded.
template <class T, class F, class... In>
BPC_INLINE T sum(std::size_t n, F f, const In*... in) {
  using V = Vec<T>;
  constexpr std::size_t step = lanes<T>, stride = virtual_lanes<T>, parts = stride / step;
  V total[parts] = {};
  std::size_t i = 0;
  for (; i + stride <= n; i += stride)
    for (std::size_t part = 0; part < parts; ++part) total[part] = total[part] + f(load<V>(in + i + part * step)...);
  for (std::size_t part = 0; i < n; ++part, i += step) {
    const std::size_t left = n - i;
    if (left < step) {
      total[part] = total[part] + keep_first(f(load_first<V>(in + i, left)...), left);
      break;
    }
    total[part] = total[part] + f(load<V>(in + i)...);
  }
  return fold_lanes<T>(total);
}

// The largest of n elements, -∞ of none. The order does not matter: a row with a NaN becomes NaN by what follows.
template <class T>
BPC_INLINE T maximum(std::size_t n, const T* in) {
  using V = Vec<T>;
  constexpr std::size_t step = lanes<T>;
  T largest = -std::numeric_limits<T>::infinity();
  if (n >= step) {
    V most = load<V>(in + n - step);
    for (std::size_t i = 0; i + step <= n; i += step) {
      const V v = load<V>(in + i);
      most = v > most ? v : most;
    }
    T lane[step];
    store<V>(lane, most);
    for (std::size_t i = 0; i < step; ++i) largest = lane[i] > largest ? lane[i] : largest;
  } else {
    for (std::size_t i = 0; i < n; ++i) largest = in[i] > largest ? in[i] : largest;
  }
  return largest;
}

}  // namespace backpropc::BPC_ISA
