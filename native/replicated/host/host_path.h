#pragma once

#include <memory>
#include <vector>

#include "kv/disk_lane.h"
#include "kv/span_copier.h"
#include "replicated/host/host_board.h"
#include "replicated/phase_clock.h"
#include "replicated/piece_plan.h"

namespace railrunner {

// One strategy on the host device, compiled. Every rank takes what it needs from the rank of its node where
// it came in (ipc: from the previous rank): copies are made by the receiver. Load k + 1 goes before taking k, so that
// peers find theirs.
class HostPath {
 public:
  using Board = HostBoard;

  HostPath(HostBoard& board, ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares);

  void execute(int64_t iteration, RunControl& control, PhaseTimes& times);
  ReplicatedFacts facts() const;

 private:
  using Spans = std::vector<CopySpan>;
  // Of one chunk, on this rank.
  struct Take {
    int fromRank;  // of this node, or this rank: who holds it first
    int sender;    // who puts it there
    int origin;    // a rank of this node whose load may fail; as sender where it comes over the network
    uint32_t step;
    Spans spans;           // empty: it comes over the network by itself
    bool handsOn = false;  // others take it from this rank
  };
  struct Chunk {
    Spans load;
    std::vector<std::unique_ptr<DiskLane<CpuHop>>> diskLoads;
    Spans runs;  // of the own share, for other nodes
    std::vector<Take> takes;
  };

  void compileChunk(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk);
  void addDiskLoads(const Piece& piece, Chunk& chunk);
  void load(const Chunk& chunk, int64_t iteration, RunControl& control);
  void handOn(uint32_t chunk, int64_t iteration, PhaseTimes& times);
  void take(const Chunk& chunk, int64_t iteration, RunControl& control, PhaseTimes& times);
  void dieIfPlanted(int64_t iteration) const;
  void finish();
  // Whom this rank of the node has that share from.
  int holderOf(uint32_t share) const;
  void findTakers();
  uint32_t stepOf(uint32_t chunk, uint32_t share) const { return chunk * numShares_ + share; }
  void requireIssued() const;

  HostBoard& board_;
  ReplicatedStrategy strategy_;
  uint32_t numShares_;
  int ownShare_ = -1;        // the share that this rank loads
  std::vector<int> takers_;  // ranks of the node that take from this one
  std::vector<Chunk> chunks_;
  std::unique_ptr<SpanCopier> copier_;
  ReplicatedFacts facts_;
  uint64_t planned_ = 0;  // bytes that this rank copies or sends an iteration
  uint64_t issued_ = 0;
};

}  // namespace railrunner
