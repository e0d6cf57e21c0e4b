// The pool's size as plain C functions, which the Python package threadpoolctl finds in the loaded library by their names.
#include "parallel/pool.hpp"

#include <algorithm>

#if defined(_WIN32)
#define BPC_EXPORT extern "C" __declspec(dllexport)
#else
#define BPC_EXPORT extern "C" __attribute__((visibility("default")))
#endif

BPC_EXPORT int backpropc_get_num_threads();
BPC_EXPORT void backpropc_set_num_threads(int n);
BPC_EXPORT const char* backpropc_get_version();

int backpropc_get_num_threads() { return static_cast<int>(backpropc::num_threads()); }

// Nothing can be thrown to C: a number out of range is the nearest within.
void backpropc_set_num_threads(int n) {
  backpropc::set_num_threads(static_cast<std::size_t>(std::clamp(n, 1, static_cast<int>(backpropc::max_threads))));
}

const char* backpropc_get_version() { return BACKPROPC_VERSION; }
