// One vector of the instruction set this file is compiled for, and the operations on it that C++ has no sign for.
//
// BPC_ISA names the namespace (portable, avx2, avx512, neon); everything compiled once per instruction set lives in it,
// so that no two objects share a symbol. A Vec<T> is a GCC/Clang vector, or a plain T in the portable kernels; +, -, *, /,
// <, and m ? a : b read the same for both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__GNUC__)
#define BPC_INLINE inline __attribute__((always_inline))
#define BPC_NOINLINE __attribute__((noinline))
#define BPC_RESTRICT __restrict__
#else
#define BPC_INLINE __forceinline
#define BPC_NOINLINE
#define BPC_RESTRICT __restrict
#endif

#ifndef BPC_ISA
#define BPC_ISA portable
#endif

#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_AVX2)
#include <immintrin.h>
#elif defined(BPC_ISA_NEON)
#include <arm_neon.h>
#else
#include <cmath>
#if defined(__MINGW32__)
#include "kernels/exact_fma.hpp"
#endif
#endif

namespace backpropc::BPC_ISA {

#if defined(BPC_ISA_AVX512)
inline constexpr int vector_bytes = 64;
#elif defined(BPC_ISA_AVX2)
inline constexpr int vector_bytes = 32;
#elif defined(BPC_ISA_NEON)
inline constexpr int vector_bytes = 16;
#else
inline constexpr int vector_bytes = 0;  // scalars
#endif

// The virtual lanes of a vectorised reduction: the same on every instruction set, so that sums are the same bits.
template <class T>
inline constexpr int virtual_lanes = 64 / int(sizeof(T));

template <class V>
struct VecTraits;

#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_AVX2) || defined(BPC_ISA_NEON)

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  typedef float Vec __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t Int __attribute__((vector_size(vector_bytes)));
  typedef std::uint32_t UInt __attribute__((vector_size(vector_bytes)));
};
template <>
struct VecOf<double> {
  typedef double Vec __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t Int __attribute__((vector_size(vector_bytes)));
  typedef std::uint64_t UInt __attribute__((vector_size(vector_bytes)));
};
template <class T>
using Vec = typename VecOf<T>::Vec;

template <>
struct VecTraits<Vec<float>> {
  using Element = float;
  using Int = VecOf<float>::Int;
  using UInt = VecOf<float>::UInt;
};
template <>
struct VecTraits<Vec<double>> {
  using Element = double;
  using Int = VecOf<double>::Int;
  using UInt = VecOf<double>::UInt;
};

#else

template <class T>
using Vec = T;

template <>
struct VecTraits<float> {
  using Element = float;
  using Int = std::int32_t;
  using UInt = std::uint32_t;
};
template <>
struct VecTraits<double> {
  using Element = double;
  using Int = std::int64_t;
  using UInt = std::uint64_t;
};

#endif

template <class V>
using Element = typename VecTraits<V>::Element;
template <class V>
using Int = typename VecTraits<V>::Int;
template <class V>
using UInt = typename VecTraits<V>::UInt;
// The signed integer as wide as V's element.
template <class V>
using IntElement = std::conditional_t<sizeof(Element<V>) == 4, std::int32_t, std::int64_t>;
template <class V>
using UIntElement = std::make_unsigned_t<IntElement<V>>;
template <class T>
inline constexpr int lanes = int(sizeof(Vec<T>) / sizeof(T));

// --- fused multiply-add: a·b + c with one rounding; splat: s in every lane -----------------------------------------------
// A splat is written with the intrinsic: `v{} + s` would cost an addition.

#if defined(BPC_ISA_AVX512)
BPC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm512_fmadd_ps(a, b, c); }
BPC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm512_fmadd_pd(a, b, c); }
BPC_INLINE Vec<float> splat(float s) { return _mm512_set1_ps(s); }
BPC_INLINE Vec<double> splat(double s) { return _mm512_set1_pd(s); }
BPC_INLINE Vec<float> sqrt(Vec<float> a) { return _mm512_sqrt_ps(a); }
BPC_INLINE Vec<double> sqrt(Vec<double> a) { return _mm512_sqrt_pd(a); }
#elif defined(BPC_ISA_AVX2)
BPC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm256_fmadd_ps(a, b, c); }
BPC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm256_fmadd_pd(a, b, c); }
BPC_INLINE Vec<float> splat(float s) { return _mm256_set1_ps(s); }
BPC_INLINE Vec<double> splat(double s) { return _mm256_set1_pd(s); }
BPC_INLINE Vec<float> sqrt(Vec<float> a) { return _mm256_sqrt_ps(a); }
BPC_INLINE Vec<double> sqrt(Vec<double> a) { return _mm256_sqrt_pd(a); }
#elif defined(BPC_ISA_NEON)
BPC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return vfmaq_f32(c, a, b); }
BPC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return vfmaq_f64(c, a, b); }
BPC_INLINE Vec<float> splat(float s) { return vdupq_n_f32(s); }
BPC_INLINE Vec<double> splat(double s) { return vdupq_n_f64(s); }
BPC_INLINE Vec<float> sqrt(Vec<float> a) { return vsqrtq_f32(a); }
BPC_INLINE Vec<double> sqrt(Vec<double> a) { return vsqrtq_f64(a); }
#else
#if defined(__MINGW32__)
BPC_INLINE float fma(float a, float b, float c) { return exact_fma(a, b, c); }
BPC_INLINE double fma(double a, double b, double c) { return exact_fma(a, b, c); }
#else
BPC_INLINE float fma(float a, float b, float c) { return std::fma(a, b, c); }
BPC_INLINE double fma(double a, double b, double c) { return std::fma(a, b, c); }
#endif
BPC_INLINE float splat(float s) { return s; }
BPC_INLINE double splat(double s) { return s; }
BPC_INLINE float sqrt(float a) { return std::sqrt(a); }
BPC_INLINE double sqrt(double a) { return std::sqrt(a); }
#endif

// Lane k of v in every lane.
#if defined(BPC_ISA_AVX512)
BPC_INLINE Vec<float> lane(Vec<float> v, std::size_t k) {
  return _mm512_maskz_permutexvar_ps(0xffff, _mm512_set1_epi32(static_cast<int>(k)), v);
}
BPC_INLINE Vec<double> lane(Vec<double> v, std::size_t k) {
  return _mm512_maskz_permutexvar_pd(0xff, _mm512_set1_epi64(static_cast<long long>(k)), v);
}
#elif defined(BPC_ISA_AVX2)
BPC_INLINE Vec<float> lane(Vec<float> v, std::size_t k) {
  return _mm256_permutevar8x32_ps(v, _mm256_set1_epi32(static_cast<int>(k)));
}
BPC_INLINE Vec<double> lane(Vec<double> v, std::size_t k) {
  const long long both_halves = static_cast<long long>(2 * k) | static_cast<long long>(2 * k + 1) << 32;
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), _mm256_set1_epi64x(both_halves)));
}
#else
template <class V>
BPC_INLINE V lane(V v, std::size_t k) {
  Element<V> e[sizeof(V) / sizeof(Element<V>)];
  std::memcpy(e, &v, sizeof v);
  return splat(e[k]);
}
#endif

// a < b ? a : b and a > b ? a : b: the second where either is NaN. NEON's own instructions differ in that. The masks of
// all ones are for GCC 12, which warns of uninitialised values within the plain intrinsics.
#if defined(BPC_ISA_AVX512)
BPC_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return _mm512_maskz_min_ps(0xffff, a, b); }
BPC_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return _mm512_maskz_min_pd(0xff, a, b); }
BPC_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return _mm512_maskz_max_ps(0xffff, a, b); }
BPC_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return _mm512_maskz_max_pd(0xff, a, b); }
#elif defined(BPC_ISA_AVX2)
BPC_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return _mm256_min_ps(a, b); }
BPC_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return _mm256_min_pd(a, b); }
BPC_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return _mm256_max_ps(a, b); }
BPC_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return _mm256_max_pd(a, b); }
#else
BPC_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return a < b ? a : b; }
BPC_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return a < b ? a : b; }
BPC_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return a > b ? a : b; }
BPC_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return a > b ? a : b; }
#endif

// A constant in V's element type, in every lane.
template <class V>
BPC_INLINE V constant(double s) {
  return splat(static_cast<Element<V>>(s));
}

// --- memory ---------------------------------------------------------------------------------------------------------------

template <class V>
BPC_INLINE V load(const Element<V>* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class V>
BPC_INLINE void store(Element<V>* p, V v) {
  std::memcpy(p, &v, sizeof v);
}

// The first n lanes (0 < n < lanes); the others read as 0 and are not written.
#if defined(BPC_ISA_AVX512)
BPC_INLINE __mmask16 first_lanes(const float*, std::size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
BPC_INLINE __mmask8 first_lanes(const double*, std::size_t n) { return static_cast<__mmask8>((1u << n) - 1u); }
BPC_INLINE Vec<float> masked_load(const float* p, __mmask16 m) { return _mm512_maskz_loadu_ps(m, p); }
BPC_INLINE Vec<double> masked_load(const double* p, __mmask8 m) { return _mm512_maskz_loadu_pd(m, p); }
BPC_INLINE void masked_store(float* p, Vec<float> v, __mmask16 m) { _mm512_mask_storeu_ps(p, m, v); }
BPC_INLINE void masked_store(double* p, Vec<double> v, __mmask8 m) { _mm512_mask_storeu_pd(p, m, v); }
#elif defined(BPC_ISA_AVX2)
alignas(32) static constexpr std::int32_t lane_switch_32[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
alignas(32) static constexpr std::int64_t lane_switch_64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
BPC_INLINE __m256i first_lanes(const float*, std::size_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_switch_32 + 8 - n));
}
BPC_INLINE __m256i first_lanes(const double*, std::size_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_switch_64 + 4 - n));
}
BPC_INLINE Vec<float> masked_load(const float* p, __m256i m) { return _mm256_maskload_ps(p, m); }
BPC_INLINE Vec<double> masked_load(const double* p, __m256i m) { return _mm256_maskload_pd(p, m); }
BPC_INLINE void masked_store(float* p, Vec<float> v, __m256i m) { _mm256_maskstore_ps(p, m, v); }
BPC_INLINE void masked_store(double* p, Vec<double> v, __m256i m) { _mm256_maskstore_pd(p, m, v); }
#else
template <class T>
BPC_INLINE std::size_t first_lanes(const T*, std::size_t n) {
  return n;
}
template <class T>
BPC_INLINE Vec<T> masked_load(const T* p, std::size_t n) {
  T lane[lanes<T>] = {};
  for (std::size_t i = 0; i < n; ++i) lane[i] = p[i];
  return load<Vec<T>>(lane);
}
template <class T>
BPC_INLINE void masked_store(T* p, Vec<T> v, std::size_t n) {
  T lane[lanes<T>];
  store<Vec<T>>(lane, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = lane[i];
}
#endif

template <class V>
BPC_INLINE V load_first(const Element<V>* p, std::size_t n) {
  return masked_load(p, first_lanes(p, n));
}

template <class V>
BPC_INLINE void store_first(Element<V>* p, V v, std::size_t n) {
  masked_store(p, v, first_lanes(p, n));
}

// v in the first n lanes (0 < n < lanes), 0 in the others.
#if defined(BPC_ISA_AVX512)
BPC_INLINE Vec<float> keep_first(Vec<float> v, std::size_t n) {
  return _mm512_maskz_mov_ps(first_lanes(static_cast<const float*>(nullptr), n), v);
}
BPC_INLINE Vec<double> keep_first(Vec<double> v, std::size_t n) {
  return _mm512_maskz_mov_pd(first_lanes(static_cast<const double*>(nullptr), n), v);
}
#elif defined(BPC_ISA_AVX2)
BPC_INLINE Vec<float> keep_first(Vec<float> v, std::size_t n) {
  return _mm256_and_ps(v, _mm256_castsi256_ps(first_lanes(static_cast<const float*>(nullptr), n)));
}
BPC_INLINE Vec<double> keep_first(Vec<double> v, std::size_t n) {
  return _mm256_and_pd(v, _mm256_castsi256_pd(first_lanes(static_cast<const double*>(nullptr), n)));
}
#else
template <class V>
BPC_INLINE V keep_first(V v, std::size_t n) {
  Element<V> lane[sizeof(V) / sizeof(Element<V>)];
  store<V>(lane, v);
  return load_first<V>(lane, n);
}
#endif

// The sum of a vector's lanes: the upper half is added to the lower one until one lane is left.
#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_AVX2)
BPC_INLINE float fold_quarter(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}
BPC_INLINE double fold_quarter(__m128d v) { return _mm_cvtsd_f64(_mm_add_sd(v, _mm_unpackhi_pd(v, v))); }
BPC_INLINE float fold_half(__m256 v) {
  return fold_quarter(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}
BPC_INLINE double fold_half(__m256d v) {
  return fold_quarter(_mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1)));
}
#endif
#if defined(BPC_ISA_AVX512)
BPC_INLINE float fold(Vec<float> v) {
  return fold_half(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}
BPC_INLINE double fold(Vec<double> v) {
  return fold_half(_mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)));
}
#elif defined(BPC_ISA_AVX2)
BPC_INLINE float fold(Vec<float> v) { return fold_half(v); }
BPC_INLINE double fold(Vec<double> v) { return fold_half(v); }
#elif defined(BPC_ISA_NEON)
BPC_INLINE float fold(Vec<float> v) {
  const float32x2_t half = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
BPC_INLINE double fold(Vec<double> v) { return vgetq_lane_f64(v, 0) + vgetq_lane_f64(v, 1); }
#else
BPC_INLINE float fold(float v) { return v; }
BPC_INLINE double fold(double v) { return v; }
#endif

// --- transposes -----------------------------------------------------------------------------------------------------------

// A square block of transpose_size rows and columns. Where that happens in registers, its columns can be had as 256-bit
// vectors too.
#if defined(BPC_ISA_AVX512) || defined(BPC_ISA_AVX2)
template <class T>
inline constexpr int transpose_size = 32 / int(sizeof(T));
template <class T>
struct ColumnOf {
  typedef T Column __attribute__((vector_size(32)));
};
template <class T>
using Column = typename ColumnOf<T>::Column;

BPC_INLINE __m256 fma_column(float a, __m256 b, __m256 c) { return _mm256_fmadd_ps(_mm256_set1_ps(a), b, c); }
BPC_INLINE __m256d fma_column(double a, __m256d b, __m256d c) { return _mm256_fmadd_pd(_mm256_set1_pd(a), b, c); }

// column[c][r] = row[r][at + c]
BPC_INLINE void load_transposed(const float* const* row, std::ptrdiff_t at, __m256 (&column)[8]) {
  __m256 r[8], p[8], q[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(row[i] + at);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    p[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    p[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    q[i] = _mm256_shuffle_ps(p[i], p[i + 2], 0x44);
    q[i + 1] = _mm256_shuffle_ps(p[i], p[i + 2], 0xee);
    q[i + 2] = _mm256_shuffle_ps(p[i + 1], p[i + 3], 0x44);
    q[i + 3] = _mm256_shuffle_ps(p[i + 1], p[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    column[i] = _mm256_permute2f128_ps(q[i], q[i + 4], 0x20);
    column[i + 4] = _mm256_permute2f128_ps(q[i], q[i + 4], 0x31);
  }
}

BPC_INLINE void load_transposed(const double* const* row, std::ptrdiff_t at, __m256d (&column)[4]) {
  __m256d r[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r[i] = _mm256_loadu_pd(row[i] + at);
  const __m256d p0 = _mm256_unpacklo_pd(r[0], r[1]), p1 = _mm256_unpackhi_pd(r[0], r[1]);
  const __m256d p2 = _mm256_unpacklo_pd(r[2], r[3]), p3 = _mm256_unpackhi_pd(r[2], r[3]);
  column[0] = _mm256_permute2f128_pd(p0, p2, 0x20);
  column[1] = _mm256_permute2f128_pd(p1, p3, 0x20);
  column[2] = _mm256_permute2f128_pd(p0, p2, 0x31);
  column[3] = _mm256_permute2f128_pd(p1, p3, 0x31);
}

// to[c·to_stride + r] = row[r][at + c]
template <class T>
BPC_INLINE void transpose(const T* const* row, std::ptrdiff_t at, T* to, std::ptrdiff_t to_stride) {
  Column<T> column[transpose_size<T>];
  load_transposed(row, at, column);
#pragma GCC unroll 8
  for (int c = 0; c < transpose_size<T>; ++c) std::memcpy(to + c * to_stride, &column[c], sizeof column[c]);
}
#else
// A panel is a whole number of vectors wide, and packed in whole blocks: so NEON's may be no wider than a vector.
template <class T>
inline constexpr int transpose_size = lanes<T> > 1 ? lanes<T> : 4;

template <class T>
BPC_INLINE void transpose(const T* const* row, std::ptrdiff_t at, T* to, std::ptrdiff_t to_stride) {
  for (int c = 0; c < transpose_size<T>; ++c)
    for (int r = 0; r < transpose_size<T>; ++r) to[c * to_stride + r] = row[r][at + c];
}
#endif

// --- bits -----------------------------------------------------------------------------------------------------------------

template <class V>
BPC_INLINE Int<V> bits(V v) {
  Int<V> i;
  std::memcpy(&i, &v, sizeof i);
  return i;
}

template <class V>
BPC_INLINE V from_bits(Int<V> i) {
  V v;
  std::memcpy(&v, &i, sizeof v);
  return v;
}

// The same bits as unsigned integers: their shifts bring in zeros and their sums wrap around.
template <class V>
BPC_INLINE UInt<V> unsigned_bits(V v) {
  UInt<V> u;
  std::memcpy(&u, &v, sizeof u);
  return u;
}

template <class V>
BPC_INLINE V from_bits(UInt<V> u) {
  V v;
  std::memcpy(&v, &u, sizeof v);
  return v;
}

// |v|, by clearing the sign bit: right for -0 and NaN too.
template <class V>
BPC_INLINE V abs(V v) {
  constexpr std::int64_t magnitude = sizeof(Element<V>) == 4 ? std::int64_t{INT32_MAX} : INT64_MAX;
  return from_bits<V>(bits(v) & IntElement<V>(magnitude));
}

}  // namespace backpropc::BPC_ISA
