#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kv/cuda/copy_calls.h"
#include "replicated/cuda/chunk_load.h"
#include "replicated/cuda/strategy_path.h"
#include "replicated/staging_map.h"

namespace railrunner::cuda {

// A strategy of collectives. Three streams: loads, collectives, and what puts received bytes
// into their blocks. Scattered runs go through staging buffers, of which there are a few, so that a step is
// one collective and neighbouring steps overlap; long runs are broadcast where they lie.
class CudaPath : public StrategyPath {
 public:
  CudaPath(CudaBoard& board, ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares);

  void execute(int64_t iteration, RunControl& control, PhaseTimes& times) override;
  ReplicatedFacts facts() const override { return facts_; }

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
    ChunkLoad load;
    Part gather;   // into staging, on ranks that do
    Part scatter;  // out of it
    std::vector<Operation> broadcasts;
    uint64_t gatherAddress =
        0;  // all-gather: where the step's shares stand, and the bytes of one; 0 = broadcasts
    uint64_t gatherBytes = 0;
  };

  void compileStaged(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk);
  void compileDirect(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk);
  bool isOneOfMany() const { return chunks_.capacity() > 1; }
  uint64_t shareBytes(const PiecePlan& plan, uint32_t chunk) const;
  uint64_t stagingBytes(const PiecePlan& plan, uint32_t chunk) const {
    return numShares_ * shareBytes(plan, chunk);
  }

  void run(int64_t iteration, RunControl& control);
  void issueLoad(uint32_t chunk, int64_t iteration, RunControl& control);
  void handOn(uint32_t chunk);
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
  PhaseEvents events_;
  std::exception_ptr failure_;
  ReplicatedFacts facts_;
};

}  // namespace railrunner::cuda
