#pragma once

#include <cstdint>
#include <vector>

#include "kv/block_ids.h"

namespace railrunner {

// One contiguous copy, as offsets into both pools.
struct CopySpan {
  uint64_t sourceOffset;
  uint64_t targetOffset;
  uint64_t bytes;
};

// Puts a run behind `spans`, of which those from `first` on may grow by it: joined to the last where it goes on there on
// both sides, and cut into pieces of at most maxSpanBytes.
void addRun(std::vector<CopySpan>& spans, size_t first, CopySpan run, uint64_t maxSpanBytes);

// Who copies what where between two memories, compiled once per point. Batches follow each other in order;
// batch b is spans[b == 0 ? 0 : batchEnds[b - 1] .. batchEnds[b]).
struct CopyPlan {
  std::vector<CopySpan> spans;
  std::vector<uint32_t> batchEnds;
  uint64_t payloadBytes = 0;  // sum of all spans
  uint64_t numRegions = 0;
};

struct CopyPlanOptions {
  bool coalesce = true;           // false: one span per region, in the order block, group, layer, outer
  uint32_t maxTransferBatchSize;  // blocks a batch
  uint64_t maxSpanBytes;          // longer runs are cut, so that work spreads and aborts are seen; 0 = never
};

// Runs are joined where they are contiguous on both sides, inside a batch.
CopyPlan compileCopyPlan(const LaneRequest& lane, const CopyPlanOptions& options);

}  // namespace railrunner
