// A block of memory on a cache-line boundary, zeroed unless that is not wanted, that is either had whole or not at all.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

namespace backpropc {

namespace detail {
// Throws std::bad_alloc also for what the operating system would promise but could never deliver: with overcommitted
// memory the promise is kept by killing the process.
void* allocate(std::size_t count, std::size_t element_size);
void release(void* p) noexcept;
}  // namespace detail

struct Uninitialized {};

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(std::size_t count, Uninitialized) : data_(static_cast<T*>(detail::allocate(count, sizeof(T)))), size_(count) {}
  explicit Buffer(std::size_t count) : Buffer(count, Uninitialized()) {
    if (count > 0) std::memset(data(), 0, count * sizeof(T));
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return data_.get()[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_.get()[i]; }

  // For scratch whose need varies: what it held is lost, and it never shrinks.
  void reserve(std::size_t count) {
    if (count > size_) *this = Buffer(count, Uninitialized());
  }

 private:
  struct Release {
    void operator()(T* p) const noexcept { detail::release(p); }
  };
  std::unique_ptr<T, Release> data_;
  std::size_t size_ = 0;
};

}  // namespace backpropc
