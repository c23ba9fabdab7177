#pragma once

#include <memory>
#include <vector>

#include "kv/cuda/copy_calls.h"
#include "kv/cuda/staged_copy.h"

namespace railrunner::cuda {

struct DeviceCopyOptions {
  CopyDirection direction = CopyDirection::kDeviceToHost;
  CopyStrategy strategy = CopyStrategy::kAuto;
  bool bothDirections = false;  // another copy runs the other way at the same time
  uint64_t chunkBytes = 0;      // of a staged step; 0: chosen by the payload
  uint32_t maxConcurrent = 4;   // streams that transfers take turns on
};

// Copies one list of regions in one direction: compiled once, then issued any number of times. Tables lie in
// device memory, staging buffers, streams and events exist before the first issue. For one thread at a time;
// what it copies from and to must outlive it, and so must work that was issued.
class DeviceCopy {
 public:
  // Each list is one transfer request. `auto` makes one of them; the others keep them apart, at most
  // maxConcurrent under way (staged: one pipeline, in order). `memcpy` makes a call a region as given; the
  // others join regions that touch. Throws kUnsupportedHere where the strategy cannot run here.
  DeviceCopy(int ordinal, const std::vector<std::vector<CopyRegion>>& lists,
             const DeviceCopyOptions& options);

  CopyStrategy used() const { return used_; }
  uint64_t payloadBytes() const { return payloadBytes_; }
  // True where one issue() is short enough to be put whole behind a held stream: CUDA queues about 1000
  // operations of a stream, and the call that makes it more waits for the hold to end.
  bool fitsBehindHold() const;

  // Puts the whole copy on `stream`: what follows on it comes after the copy's end. The device must be
  // current.
  void issue(cudaStream_t stream);

 private:
  struct Part {
    uint32_t first;
    uint32_t count;
  };
  struct Lane {
    Stream stream;
    Event done;
  };

  void compileCalls(const std::vector<std::vector<CopyRegion>>& lists, uint32_t maxCallRegions);
  void compileKernel(const std::vector<std::vector<CopyRegion>>& lists);
  void issuePart(const Part& part, cudaStream_t stream);

  CopyDirection direction_;
  CopyStrategy used_;
  uint64_t payloadBytes_ = 0;
  std::vector<Part> parts_;
  std::vector<Lane> lanes_;
  Event started_;
  CallList calls_;
  PieceTable pieces_;
  CopyGrid grid_{};
  std::unique_ptr<StagedCopy> staged_;
};

}  // namespace railrunner::cuda
