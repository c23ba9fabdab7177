#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "kv/cuda/copy_kernels.h"
#include "kv/cuda/copy_schedule.h"

namespace railrunner::cuda {

// True where cudaMemcpyBatchAsync is both in this build (CUDA >= 12.8) and answered by the driver.
bool memcpyBatchAvailable();
// Throws kUnsupportedHere where it is not.
void requireMemcpyBatch();

// Arguments of copy calls, laid out as cudaMemcpyBatchAsync takes them.
class CallList {
 public:
  void clear();
  void add(uint64_t source, uint64_t target, uint64_t bytes);
  uint32_t size() const { return static_cast<uint32_t>(sizes_.size()); }
  // One cudaMemcpyAsync each.
  void issueSingly(uint32_t first, uint32_t count, cudaMemcpyKind kind, cudaStream_t stream);
  // cudaMemcpyBatchAsync, never on the NULL stream, in calls of at most 1024: longer ones are slower.
  void issueBatched(uint32_t first, uint32_t count, cudaStream_t stream);

 private:
  std::vector<void*> sources_;
  std::vector<void*> targets_;
  std::vector<size_t> sizes_;
};

// A table of pieces in device memory. None is longer than kPieceBytes.
class PieceTable {
 public:
  // What a warp moves before it looks for the next piece: long enough to hide reading the table.
  static constexpr uint64_t kPieceBytes = 16384;
  void upload(const std::vector<CopyRegion>& pieces);
  void issue(uint32_t first, uint32_t count, CopyBases bases, CopyGrid grid, cudaStream_t stream) const;

 private:
  Buffer table_;
};

// Threads of a block of the copy kernel. Four such blocks hold enough loads in flight to saturate the link.
constexpr uint32_t kCopyThreads = 1024;

cudaMemcpyKind memcpyKind(CopyDirection direction);

}  // namespace railrunner::cuda
