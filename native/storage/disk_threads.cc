#include "storage/disk_threads.h"

#include <algorithm>
#include <chrono>

namespace railrunner {

namespace {

// More threads than this add switches and no bandwidth on any disk seen.
constexpr uint32_t kMaxThreads = 32;

}  // namespace

DiskThreads::DiskThreads(int descriptor, uint32_t depth)
    : descriptor_(descriptor), threads_("disk threads", [this] {
        {
          std::lock_guard lock(mutex_);
          ending_ = true;
        }
        started_.notify_all();
      }) {
  done_.reserve(depth);
  for (uint32_t i = 0; i < std::min(depth, kMaxThreads); ++i) threads_.start([this] { work(); });
}

void DiskThreads::start(uint32_t slot, const DiskOperation& operation) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({slot, &operation});
  }
  started_.notify_one();
}

uint32_t DiskThreads::collect(DiskCompletion* completions, int64_t waitNs) {
  std::unique_lock lock(mutex_);
  if (waitNs > 0)
    finished_.wait_for(lock, std::chrono::nanoseconds(waitNs), [this] { return !done_.empty(); });
  const auto count = static_cast<uint32_t>(done_.size());
  std::copy(done_.begin(), done_.end(), completions);
  done_.clear();
  return count;
}

void DiskThreads::work() {
  for (;;) {
    Item item{};
    {
      std::unique_lock lock(mutex_);
      started_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      item = queue_.front();
      queue_.pop_front();
    }
    const int error = transferRest(descriptor_, *item.operation, 0);
    {
      std::lock_guard lock(mutex_);
      done_.push_back({item.slot, error});
    }
    finished_.notify_one();
  }
}

}  // namespace railrunner
