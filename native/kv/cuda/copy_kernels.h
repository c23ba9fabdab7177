#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace railrunner::cuda {

// A contiguous run of bytes with one source and one target. Either side may be device memory or registered
// host memory, at any alignment.
struct CopyPiece {
  uint64_t source;
  uint64_t target;
  uint32_t bytes;
  uint32_t reserved;
};

// How much of the GPU a copy takes. A warp moves a piece at a time.
struct CopyGrid {
  uint32_t blocks;
  uint32_t threads;
};

// Added to every piece's addresses, so that one table serves buffers that are chosen later.
struct CopyBases {
  uint64_t source;
  uint64_t target;
};

// Copies every piece, in no order. `pieces` is device memory and must stay until the stream has passed.
cudaError_t launchCopyPieces(const CopyPiece* pieces, uint32_t count, CopyBases bases, CopyGrid grid,
                             cudaStream_t stream);

// Loads the kernels now: loading one later may wait for kernels that spin.
cudaError_t preloadCopyKernels();

}  // namespace railrunner::cuda
