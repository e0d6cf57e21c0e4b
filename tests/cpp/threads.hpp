// The numbers of threads whose results must be the same bits.
#pragma once

#include <cstddef>

#if __has_include("parallel/pool.hpp")
#include "parallel/pool.hpp"
#endif

namespace threads {

#if __has_include("parallel/pool.hpp")
inline constexpr std::size_t counts[] = {1, 2, 3, 7};
inline void use(std::size_t n) { backpropc::set_num_threads(n); }
#else
inline constexpr std::size_t counts[] = {1};
inline void use(std::size_t) {}
#endif

}  // namespace threads
