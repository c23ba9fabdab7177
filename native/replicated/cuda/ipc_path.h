#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kv/cuda/copy_calls.h"
#include "replicated/cuda/chunk_load.h"
#include "replicated/cuda/peer_pools.h"
#include "replicated/cuda/strategy_path.h"

namespace railrunner::cuda {

// Blocks handed on inside a node without a collective library: each rank copies from its own pool to the same place in
// the pools of those that take from it (ReplicatedTopology::ipcTakers), then writes a word for which their streams
// wait. By copy engines, which take no multiprocessor, or by a kernel of few thread blocks where runs are short.
class IpcPath : public StrategyPath {
 public:
  enum class Copier { kEngine, kKernel };

  // The board has mapped its peers.
  IpcPath(CudaBoard& board, uint32_t numChunks, uint32_t numShares, Copier copier);

  // Whether runs are long enough for a call of the copy engine each.
  static bool suitsEngine(const ReplicatedRequest& request);

  void execute(int64_t iteration, RunControl& control, PhaseTimes& times) override;
  ReplicatedFacts facts() const override { return facts_; }

 private:
  // Steps of a rank take turns on two streams: the gap between two copies of one is filled by the other's.
  static constexpr uint32_t kNumLanes = 2;
  // Steps whose copies may be queued: enough to keep the GPU busy, few enough that a launch never waits for one that
  // waits for a peer (CUDA queues about 1000 operations of a stream).
  static constexpr uint32_t kStepsAhead = 16;

  struct Send {
    int taker;
    uint32_t first;  // of calls_, or of pieces_
    uint32_t count;
  };
  // One share of one chunk, on this rank.
  struct Step {
    uint32_t number = 0;  // of its word
    bool isOwn = false;   // this rank loads it, or has it
    bool awaitsLoad = false;
    ChunkLoad load;
    std::vector<Send> sends;
  };

  void compileStep(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk, uint32_t share);
  void addSend(Step& step, int taker, const std::vector<CopySpan>& runs);
  void run(int64_t iteration, RunControl& control);
  void load(Step& step, int64_t iteration, RunControl& control);
  void handOn(const Step& step, cudaStream_t stream, int64_t iteration);
  // Polls for the event, for a rank that says it failed, and for the abort word.
  void wait(const Event& event, const RunControl& control) const;
  void giveUp() noexcept;

  CudaBoard& board_;
  Copier copier_;
  uint32_t numShares_;
  uint32_t numLanes_;
  CopyGrid grid_{};
  std::vector<Step> steps_;
  std::vector<int> takers_;
  CallList calls_;
  std::vector<CopyRegion> pieces_;  // until uploaded
  PieceTable pieceTable_;
  std::array<Stream, kNumLanes> lanes_;
  Stream arrivals_;
  Event loaded_;
  Event laneEnd_;
  std::array<Event, kStepsAhead> stepEnd_;
  PhaseEvents events_;
  ReplicatedFacts facts_;
};

}  // namespace railrunner::cuda
