#pragma once

#include <cstdint>
#include <vector>

#include "kv/block_ids.h"
#include "kv/copy_plan.h"

namespace railrunner {

// A part of a lane, as rectangles of (entries of the block lists) x layers: what one rank moves in one step.
// Cut by layers of blocks, so that all ranks cut alike whatever the layouts of their pools.
using Piece = std::vector<LaneRequest>;

// How a lane falls into `numChunks` steps, and each step into `numShares` parts of equal size (to a layer of
// a block).
class PiecePlan {
 public:
  // Fewer chunks where there are not as many layers of blocks. Chunks end at whole blocks where there are
  // enough of them to stay even.
  PiecePlan(const LaneRequest& lane, uint32_t numChunks, uint32_t numShares);

  uint32_t numChunks() const { return numChunks_; }
  uint32_t numShares() const { return numShares_; }
  // May be empty, where a step has fewer layers of blocks than shares.
  Piece piece(uint32_t chunk, uint32_t share) const;

 private:
  uint64_t chunkBegin(uint32_t chunk) const;

  LaneRequest lane_;
  uint32_t numLayers_;
  uint64_t numUnits_;  // layers of blocks
  uint64_t step_;      // chunks begin at multiples of it
  uint32_t numChunks_;
  uint32_t numShares_;
};

// Below it a step costs more than it hides.
constexpr uint64_t kLeastChunkBytes = uint64_t{64} << 10;

// Steps of a transfer that overlaps: of `chunkBytes`, or (0) a sixteenth of the payload, from 1 to 64 MiB; at
// least 8 wherever each still has leastChunkBytes.
uint32_t chooseNumChunks(uint64_t payloadBytes, uint64_t chunkBytes,
                         uint64_t leastChunkBytes = kLeastChunkBytes);
// Of payloads up to a GiB with chunkBytes 0; above, the number only grows.
constexpr uint32_t kMostChunksOfSmall = 17;

// Runs from source to target pool. `wholeRuns` false: none longer than a block's own (what a broadcast a
// block moves).
std::vector<CopySpan> spansOf(const Piece& piece, bool wholeRuns);

uint64_t bytesOf(const std::vector<CopySpan>& spans);

}  // namespace railrunner
