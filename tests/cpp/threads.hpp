// The numbers of threads whose results must be the same bits.
#pragma once

#include <cstddef>

namespace threads {

inline constexpr std::size_t counts[] = {1, 2, 3, 7};

}  // namespace threads
