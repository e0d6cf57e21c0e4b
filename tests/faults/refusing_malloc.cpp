// Loaded before a program (LD_PRELOAD), an allocator that refuses when it is told to: after `granted` more allocations the
// next `refused` fail, those after them are granted again.
//
//   void refuse(long granted, long refused);   refuse(0, 0): none fails
//   int asked();                               allocations since that call
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

// glibc's own, by the names under which it keeps them for those who take the usual ones.
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* __libc_calloc(std::size_t, std::size_t);
extern "C" void* __libc_realloc(void*, std::size_t);
extern "C" void* __libc_memalign(std::size_t, std::size_t);

namespace {

std::atomic<long> count{0}, first{0}, last{0};  // of the allocations counted, those from first up to last fail

bool refused() {
  const long number = count.fetch_add(1);
  if (number < first.load() || number >= last.load()) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {

void refuse(long granted, long refused) {
  first = last = 0;
  count = 0;
  first = granted;
  last = granted + refused;
}

int asked() { return static_cast<int>(count); }

void* malloc(std::size_t size) { return refused() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t n, std::size_t size) { return refused() ? nullptr : __libc_calloc(n, size); }
void* realloc(void* p, std::size_t size) { return refused() ? nullptr : __libc_realloc(p, size); }
void* memalign(std::size_t alignment, std::size_t size) {
  return refused() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
  *p = memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
}
