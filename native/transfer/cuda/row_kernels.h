#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "transfer/row_plan.h"

namespace railrunner::cuda {

// A word that takes a value with release order over the whole system, so that whoever reads it there with acquire order,
// a kernel of any GPU or a CPU, may read the bytes that were copied before. Null: nobody is told.
struct TellWord {
  uint64_t* word = nullptr;
  uint64_t value = 0;
};

// Pieces (addresses) that thread blocks of a launch copy, and who is told when all of them are written.
struct RowPart {
  const RowPiece* pieces = nullptr;  // device memory, which stays until the stream has passed
  uint32_t count = 0;                // 0: it only tells
  uint32_t numBlocks = 1;            // of rowBlocks
  uint32_t* finished = nullptr;      // thread blocks; device memory, 0 before each launch and after it
  TellWord arrival;                  // of this GPU or of a peer's
  TellWord done;                     // of the host
};

// As many parts as an argument of a kernel may well carry (1 KiB): those of a rank with 16 peers.
inline constexpr uint32_t kMaxRowParts = 16;
struct RowLaunch {
  RowPart parts[kMaxRowParts];
  uint32_t numParts = 0;
};

// Thread blocks for pieces, a warp for each: `most`, or as many as have something to do, and one to tell.
uint32_t rowBlocks(uint32_t count, uint32_t most);

// Copies every piece of every part, in no order, by one kernel; each part tells when it is done, whatever the others do.
cudaError_t launchCopyRows(const RowLaunch& launch, cudaStream_t stream);

// As preloadCopyKernels (kv/cuda).
cudaError_t preloadRowKernels();

}  // namespace railrunner::cuda
