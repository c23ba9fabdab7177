#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "core/threads.h"
#include "storage/disk_queue.h"

namespace railrunner {

// How to have several requests at a time without io_uring: threads that block in preadv and pwritev.
class DiskThreads {
 public:
  // Throws kAllocation where threads are refused.
  DiskThreads(int descriptor, uint32_t depth);
  DiskThreads(const DiskThreads&) = delete;
  DiskThreads& operator=(const DiskThreads&) = delete;

  // `operation` must stay where it is until its completion.
  void start(uint32_t slot, const DiskOperation& operation);
  // Waits up to `waitNs` for at least one completion.
  uint32_t collect(DiskCompletion* completions, int64_t waitNs);

 private:
  void work();

  struct Item {
    uint32_t slot;
    const DiskOperation* operation;
  };

  int descriptor_;
  std::mutex mutex_;
  std::condition_variable started_;
  std::condition_variable finished_;
  std::deque<Item> queue_;
  std::vector<DiskCompletion> done_;
  bool ending_ = false;
  ThreadGroup threads_;
};

}  // namespace railrunner
