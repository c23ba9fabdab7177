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
  bool merged = false;          // all lists are one, whatever the strategy; `auto` merges always
  uint64_t chunkBytes = 0;      // of a staged step; 0: chosen by the payload
  uint32_t maxConcurrent = 4;   // streams that transfers take turns on, where they are not merged
  uint32_t maxBlocks = 8;       // thread blocks that its kernels take together
};

// All lists as one, sorted by host address, regions that touch made one.
std::vector<CopyRegion> mergeLists(const std::vector<std::vector<CopyRegion>>& lists,
                                   CopyDirection direction);

// Copies one list of regions in one direction: compiled once, then issued any number of times. Tables lie in
// device memory, staging buffers, streams and events exist before the first issue. For one thread at a time;
// what it copies from and to must outlive it, and so must work that was issued.
class DeviceCopy {
 public:
  // Each list is one transfer request. Kept apart, at most maxConcurrent are in flight (staged: one pipeline,
  // in order). `memcpy` makes a call per region as given; the others join regions that touch. `auto` takes the
  // first of candidates(). Throws kUnsupportedHere where the strategy cannot run here, and for staged+kernel
  // with bothDirections.
  DeviceCopy(int ordinal, const std::vector<std::vector<CopyRegion>>& lists,
             const DeviceCopyOptions& options);

  CopyStrategy used() const { return used_; }
  uint64_t payloadBytes() const { return payloadBytes_; }
  // Copy calls of one issue(): DMAs and kernels.
  uint64_t numCopies() const;
  // True where one issue() is short enough to be put whole behind a held stream: CUDA queues about 1000
  // operations of a stream, and the call that makes it more waits for the hold to end.
  bool fitsBehindHold() const;

  // Puts the whole copy on `stream`: what follows on it comes after the copy's end. The device must be
  // current.
  void issue(cudaStream_t stream);

 private:
  using Lists = std::vector<std::vector<CopyRegion>>;
  struct Part {
    uint32_t first;
    uint32_t count;
  };
  struct Lane {
    Stream stream;
    Event done;
  };

  void compile(const Lists& lists, const DeviceCopyOptions& options);
  void compileCalls(const Lists& lists, uint32_t maxCallRegions);
  void compileKernel(const Lists& lists);
  void makeLanes(uint32_t maxLanes);
  void issuePart(const Part& part, cudaStream_t stream);
  void issueParts(cudaStream_t stream);

  CopyDirection direction_;
  CopyStrategy used_;
  uint64_t payloadBytes_ = 0;
  std::vector<Part> parts_;  // of calls_, or of pieces_
  std::vector<Lane> lanes_;
  Event started_;
  CallList calls_;
  PieceTable pieces_;
  CopyGrid grid_{};
  std::unique_ptr<StagedCopy> staged_;
};

}  // namespace railrunner::cuda
