#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace railrunner::cuda {

// Holds the stream until *word reaches `epoch` or *abortWord is not 0, so that what is queued behind it
// starts at one moment on all ranks and the launch cost of it is out of the way. Both words lie in mapped
// pinned host memory. After limitNs it gives up by itself: a host that died must not leave a kernel spinning
// on a shared GPU.
cudaError_t launchHold(const uint32_t* word, uint32_t epoch, const uint32_t* abortWord, uint64_t limitNs,
                       cudaStream_t stream);

cudaError_t preloadHoldKernel();

}  // namespace railrunner::cuda
