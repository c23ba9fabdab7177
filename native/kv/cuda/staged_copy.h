#pragma once

#include <vector>

#include "kv/cuda/copy_calls.h"

namespace railrunner::cuda {

// Device to host: a kernel gathers scattered device regions into a device buffer, and one DMA a contiguous
// host run takes them out, while the kernel fills the other buffer. Host to device: the reverse. The link
// then sees only long DMAs, whatever the region size.
class StagedCopy {
 public:
  // Each list is coalesced and forms a transfer of its own; lists follow each other in one pipeline.
  // stepBytes 0: chosen by each list's payload. No buffer is longer than maxBufferBytes, of which there are
  // two.
  StagedCopy(const std::vector<std::vector<CopyRegion>>& lists, CopyDirection direction, uint64_t stepBytes,
             uint64_t maxBufferBytes, uint32_t maxBlocks);

  // DMAs and kernels of one issue().
  uint64_t numCopies() const { return runs_.size() + steps_.size(); }
  // Operations that one issue() puts on streams.
  uint64_t numCalls() const { return numCalls_; }
  void issue(cudaStream_t stream);

 private:
  static constexpr uint32_t kNumBuffers = 2;
  struct Step {
    uint32_t firstPiece;
    uint32_t numPieces;
    uint32_t firstRun;
    uint32_t numRuns;
  };
  struct Slot {
    Buffer buffer;
    Event filled;   // the first hop of the step that uses it is done
    Event drained;  // the second one is
  };

  void compile(const std::vector<StagedSchedule>& schedules);
  void runKernel(const Step& step, cudaStream_t stream) const;
  void runDma(const Step& step, cudaStream_t stream);

  CopyDirection direction_;
  CopyGrid grid_;
  uint64_t numCalls_ = 0;
  std::vector<Step> steps_;
  PieceTable pieces_;
  CallList runs_;
  std::vector<Slot> slots_;
  Stream kernelStream_;
  Event started_;
};

}  // namespace railrunner::cuda
