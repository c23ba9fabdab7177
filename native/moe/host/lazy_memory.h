#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "core/error.h"

namespace railrunner::moe::host {

// Zeroed memory whose pages come when they are touched: results are sized for the worst routing, and a point
// touches little of them.
template <class T>
class LazyMemory {
 public:
  LazyMemory(uint64_t count, const char* what) : bytes_((count == 0 ? 1 : count) * sizeof(T)), count_(count) {
    void* mapped =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      throw errnoError(ErrorCode::kAllocation, std::string(what) + ": " + std::to_string(bytes_) + " bytes",
                       errno);
    }
    data_ = static_cast<T*>(mapped);
  }
  ~LazyMemory() { munmap(data_, bytes_); }
  LazyMemory(const LazyMemory&) = delete;
  LazyMemory& operator=(const LazyMemory&) = delete;

  T* data() const { return data_; }
  uint64_t count() const { return count_; }

 private:
  uint64_t bytes_;
  uint64_t count_;
  T* data_ = nullptr;
};

}  // namespace railrunner::moe::host
