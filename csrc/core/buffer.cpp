#include "core/buffer.hpp"

#include <cstdint>
#include <new>
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace backpropc::detail {

namespace {

constexpr std::align_val_t cache_line{64};

std::size_t physical_memory() {
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_size);
#endif
  return PTRDIFF_MAX;
}

}  // namespace

void* allocate(std::size_t count, std::size_t element_size) {
  static const std::size_t limit = physical_memory();
  if (count > limit / element_size) throw std::bad_alloc();
  return ::operator new(count * element_size, cache_line);
}

void release(void* p) noexcept { ::operator delete(p, cache_line); }

}  // namespace backpropc::detail
