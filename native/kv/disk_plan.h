#pragma once

#include <cstdint>
#include <vector>

#include "kv/block_ids.h"

namespace railrunner {

// Bytes [requestOffset, + bytes) of a request lie at memoryOffset of the memory pool.
struct DiskPiece {
  uint64_t memoryOffset;
  uint32_t requestOffset;
  uint32_t bytes;
};

// One aligned read or write of the file.
struct DiskRequest {
  uint64_t fileOffset;
  uint32_t bytes;       // multiple of kDiskBlockBytes
  uint32_t payloadEnd;  // the pieces end here; what follows is padding of the extent
  uint32_t pieceBegin, pieceEnd;
  bool direct;     // between the file and the pool's memory, without the slot's buffer
  bool readFirst;  // a write that shares its first or last sector with layers that are not transferred
};

// Who moves what between a memory pool and a file, compiled once per point. Batches as in CopyPlan.
struct DiskPlan {
  std::vector<DiskRequest> requests;
  std::vector<DiskPiece> pieces;
  std::vector<uint32_t> batchEnds;
  uint64_t payloadBytes = 0;
  uint64_t numRegions = 0;
  uint64_t diskBytes = 0;  // of all requests, with padding and what readFirst reads
};

struct DiskPlanOptions {
  uint32_t maxTransferBatchSize;  // blocks a batch
  uint32_t requestBytes;          // multiple of kDiskBlockBytes
  bool coalesce;                  // false: a piece per region even where regions are neighbours in memory
  // Requests may go straight to the pool's memory where CPUs reach it and every piece's address and length is
  // a multiple of this; 0: never.
  uint64_t directAlignmentBytes;
};

// One side of the lane is the disk tier.
DiskPlan compileDiskPlan(const LaneRequest& lane, const DiskPlanOptions& options);

}  // namespace railrunner
