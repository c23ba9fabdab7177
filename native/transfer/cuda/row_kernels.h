#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kv/cuda/copy_kernels.h"
#include "transfer/row_plan.h"

namespace railrunner::cuda {

// Told when a launch has copied all its pieces: the word, of this GPU or of a peer's, takes the value with release order
// over the whole system, so that a kernel anywhere that reads it with acquire order may read the bytes.
struct ArrivalTell {
  uint32_t* finished = nullptr;  // thread blocks; device memory, 0 before each launch and after it
  uint64_t* word = nullptr;      // null: nobody is told
  uint64_t value = 0;
};

// Copies every piece (addresses), in no order, then tells. `pieces` is device memory and stays until the stream has
// passed. Without pieces it only tells.
cudaError_t launchCopyRows(const RowPiece* pieces, uint32_t count, CopyGrid grid, ArrivalTell tell,
                           cudaStream_t stream);

// As preloadCopyKernels.
cudaError_t preloadRowKernels();

}  // namespace railrunner::cuda
