#pragma once

#include <vector>

#include "device/cuda/cuda_handles.h"
#include "transfer/copy_task.h"
#include "transfer/cuda/row_kernels.h"

namespace railrunner::cuda {

// Where copies say how far they are: a counter of the kernel's, and a word in host memory that kernels store.
struct ProgressWords {
  uint32_t* finished = nullptr;
  uint64_t* done = nullptr;
};

// Launches copies of one GPU in order, on a stream of its own. What is held back goes out as one kernel for all,
// however many peers they are for: each call to CUDA costs the host microseconds. Of one thread at a time.
class CopyLauncher final : public StartGroup {
 public:
  explicit CopyLauncher(int ordinal);

  // Words of a new copy; they live as long as the launcher.
  ProgressWords newWords();
  const Stream& stream() const { return stream_; }

  // Launched now, or by send().
  void add(const RowPart& part);

  void hold() override { isHeld_ = true; }
  void send() override {
    isHeld_ = false;
    launch();
  }
  void forget() noexcept override {
    isHeld_ = false;
    gathered_.numParts = 0;
  }

  // Throws what ended the stream early. Kernels store their words themselves; that they cannot is seen here alone.
  void requireRunning(const uint64_t* done, uint64_t awaited) const;
  // Returns when nothing that was launched is running.
  void drain() noexcept;

 private:
  void launch();

  const int ordinal_;
  Stream stream_;
  // Words are never moved: kernels and tasks have their addresses. The last slab is filled up to wordsUsed_.
  std::vector<Buffer> counters_, doneWords_;
  uint32_t wordsUsed_ = 0;
  RowLaunch gathered_;
  bool isHeld_ = false;
};

}  // namespace railrunner::cuda
