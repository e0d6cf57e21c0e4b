// The standard normal distribution's tail, for the activations that weigh by it.
#pragma once

#include "kernels/elementary.hpp"

namespace backpropc::BPC_ISA {

// Φ(−t) = ratio · decay and φ(t) = decay / sqrt(2π) for t = |z|, as far out as their product with t is not 0. Written as
// 1 ± erf, a tail would lose its digits long before it is small enough to be 0.
template <class V>
struct NormalTail {
  V t, ratio, decay;

  BPC_INLINE explicit NormalTail(V z) {
    t = min(detail::by_format<V>(14.5, 39), abs(z));
    // (t + 4) Φ(−t) e^(t²/2), smooth to infinity in y = (t − 4) / (t + 4): relative within 2^-26.2 (float64: 2^-52.1).
    const V inverse = constant<V>(1) / (t + constant<V>(4)), y = (t - constant<V>(4)) * inverse, y2 = y * y;
    if constexpr (detail::is_single<V>)
      ratio = inverse * detail::polynomial(y, y2, 0x1.82b4bcp-1, -0x1.373e3ap-1, 0x1.8c6d8ep-2, -0x1.7dffc6p-3,
                                           0x1.eed98cp-5, -0x1.ed4daep-8, -0x1.cdd786p-9, 0x1.9b62dcp-10,
                                           0x1.988772p-13, -0x1.01ea14p-13);
    else
      ratio = inverse * detail::polynomial(y, y2, 0x1.82b4bb8c94dcep-1, -0x1.373e3a893c280p-1, 0x1.8c6dbf2cfc1fap-2,
                                           -0x1.7dff2bff693c8p-3, 0x1.eec4cc3e5d285p-5, -0x1.ee276100902b9p-8,
                                           -0x1.c81719e57ebf6p-9, 0x1.ab825edef52ebp-10, 0x1.17a4b5c48804fp-13,
                                           -0x1.e4a3ed7668d4dp-13, -0x1.0024baf58fcdbp-19, 0x1.26cc6f71261dcp-15,
                                           0x1.80bae1c2a37c5p-21, -0x1.8ce846ae44d79p-18, -0x1.51043c57c88a0p-21,
                                           0x1.0f5d980d8c6c2p-20, 0x1.1d0277f8459d7p-22, -0x1.342a5dd1f1918p-23,
                                           -0x1.4433a1e57c767p-24, 0x1.f3fd916253aaep-28, 0x1.94b4b7669beb4p-27,
                                           0x1.2e0a572761dbfp-29);
    // t² in two parts: what its rounding leaves out is no small part of e^(−t²/2) where t is large.
    const V minus_half = constant<V>(-0.5);
    const detail::TwoParts<V> square = detail::fma_in_two_parts(t, t, V{});
    const V e = exp(minus_half * square.value);
    decay = fma(e, minus_half * square.error, e);
  }
};

}  // namespace backpropc::BPC_ISA
