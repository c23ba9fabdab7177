#pragma once

#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/error.h"
#include "core/run_control.h"

// What ranks that are forked processes share.
namespace railrunner::moe::test {

// Mapped before the ranks are forked: a symmetric buffer per rank, and the word by which one that fails ends
// the waits of the others.
struct SharedMemory {
  SharedMemory(uint32_t ranks, uint64_t bytesOfRank) : stride((bytesOfRank + 4095) / 4096 * 4096) {
    void* mapped =
        mmap(nullptr, 4096 + ranks * stride, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw errnoError(ErrorCode::kAllocation, "mmap", errno);
    failed = new (mapped) std::atomic<uint32_t>(0);
    first = static_cast<std::byte*>(mapped) + 4096;
  }
  std::byte* buffer(uint32_t rank) const { return first + rank * stride; }
  uint64_t stride;
  std::atomic<uint32_t>* failed;
  std::byte* first;
};

// Sets this rank's abort word once any rank has failed.
class AbortWatch {
 public:
  AbortWatch(const SharedMemory& shared, RunControl& control)
      : thread_([this, &shared, &control] {
          while (!over_.load()) {
            if (shared.failed->load() != 0) control.abort.store(1);
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  ~AbortWatch() {
    over_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace railrunner::moe::test
