#pragma once

#include <memory>
#include <vector>

#include "kv/cuda/cuda_hop.h"
#include "kv/cuda/device_copy.h"
#include "kv/disk_lane.h"
#include "replicated/cuda/cuda_board.h"
#include "replicated/piece_plan.h"

namespace railrunner::cuda {

// Runs this long on average are moved where they lie: what a call costs is lost in them.
constexpr uint64_t kDirectRunBytes = uint64_t{1} << 20;

inline uint64_t addressOf(const void* memory) { return reinterpret_cast<uint64_t>(memory); }
std::vector<CopyRegion> regionsOf(const std::vector<CopySpan>& spans, const void* source, const void* target);
// The whole transfer as one lane from `source`; from the target's own pool, blocks keep their ids.
LaneRequest laneOf(BlockPool* source, const ReplicatedRequest& request);

// What this rank loads of one chunk, compiled.
class ChunkLoad {
 public:
  // From host memory. `isOneOfMany`: other chunks follow on the same stream. Counts bytes in `facts`.
  void addMemory(CudaBoard& board, std::vector<CopyRegion> regions, bool isOneOfMany, ReplicatedFacts& facts);
  // From disk into the rank's pool.
  void addDisk(CudaBoard& board, const Piece& piece, ReplicatedFacts& facts);
  // What comes from memory is put on the stream; what comes from disk is there when this returns.
  void issue(cudaStream_t stream, RunControl& control);

 private:
  std::unique_ptr<DeviceCopy> memory_;
  std::vector<std::unique_ptr<DiskLane<CudaHop>>> disk_;
};

}  // namespace railrunner::cuda
