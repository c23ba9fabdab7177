#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kv/cuda/cuda_hop.h"
#include "kv/cuda/device_copy.h"
#include "kv/disk_lane.h"
#include "replicated/cuda/cuda_board.h"
#include "replicated/phase_clock.h"
#include "replicated/piece_plan.h"
#include "replicated/staging_map.h"

namespace railrunner::cuda {

// One strategy on a cuda device, compiled. Three streams: loads, collectives, and what puts received bytes
// into their blocks. Scattered runs go through staging buffers, of which there are a few, so that a step is
// one collective and neighbouring steps overlap; long runs are broadcast where they lie.
class CudaPath {
 public:
  using Board = CudaBoard;

  CudaPath(CudaBoard& board, ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares);

  void execute(int64_t iteration, RunControl& control, PhaseTimes& times);
  ReplicatedFacts facts() const { return facts_; }

 private:
  static constexpr uint32_t kNumSlots = 3;
  struct Part {
    uint32_t first = 0;
    uint32_t count = 0;
  };
  struct Operation {
    uint64_t address;
    uint64_t bytes;
    int root;
  };
  struct Chunk {
    std::unique_ptr<DeviceCopy> load;
    std::vector<std::unique_ptr<DiskLane<CudaHop>>> diskLoads;
    Part gather;   // into staging, on ranks that do
    Part scatter;  // out of it
    std::vector<Operation> broadcasts;
    uint64_t gatherAddress =
        0;  // all-gather: where the step's shares stand, and the bytes of one; 0 = broadcasts
    uint64_t gatherBytes = 0;
  };

  void compileStaged(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk);
  void compileDirect(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk);
  void addLoad(Chunk& chunk, std::vector<CopyRegion> regions);
  void addDiskLoads(Chunk& chunk, const Piece& piece);
  uint64_t shareBytes(const PiecePlan& plan, uint32_t chunk) const;
  uint64_t stagingBytes(const PiecePlan& plan, uint32_t chunk) const {
    return numShares_ * shareBytes(plan, chunk);
  }

  void run(int64_t iteration, RunControl& control);
  void issueLoad(uint32_t chunk, int64_t iteration, RunControl& control);
  void handOn(uint32_t chunk);
  PhaseTimes timesOf() const;
  bool loads() const { return facts_.loadBytes > 0; }

  CudaBoard& board_;
  ReplicatedStrategy strategy_;
  uint32_t numShares_;
  int ownShare_ = -1;
  bool staged_ = false;
  bool canFail_ = true;
  bool scatters_ = true;  // false: this rank's pool has the blocks already
  std::vector<Chunk> chunks_;
  std::vector<Buffer> slots_;
  std::vector<CopyRegion> gathers_;  // until uploaded
  std::vector<CopyRegion> scatterPieces_;
  PieceTable gatherTable_;
  PieceTable scatterTable_;
  std::array<Event, kNumSlots> loaded_;
  std::array<Event, kNumSlots> moved_;
  std::array<Event, kNumSlots> scattered_;
  Event started_{Event::Use::kTime};
  Event loadEnd_{Event::Use::kTime};
  Event moveBegin_{Event::Use::kTime};
  Event moveEnd_{Event::Use::kTime};
  std::exception_ptr failure_;
  ReplicatedFacts facts_;
};

}  // namespace railrunner::cuda
