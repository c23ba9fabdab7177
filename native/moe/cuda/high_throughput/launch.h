#pragma once

#include <tuple>

#include "moe/cuda/high_throughput/arguments.h"

// What the kernels' files share about launches.
namespace railrunner::moe::cuda::high_throughput {

struct Grid {
  uint32_t blocks;
  uint32_t threads;
  uint32_t sharedBytes;
  uint32_t rows = 1;  // of blocks
};

// Throws kCuda. The kernel's blocks may take their places while the one before it on the stream ends; its
// awaitPredecessor() holds them until that one is over and its stores are seen.
void launchKernel(const void* kernel, const char* name, const Grid& grid, void** parameters,
                  cudaStream_t stream, bool overlaps);

template <class... Parameters>
void launch(void (*kernel)(Parameters...), const char* name, const Grid& grid, cudaStream_t stream,
            Parameters... values) {
  void* parameters[] = {&values...};
  launchKernel(reinterpret_cast<const void*>(kernel), name, grid, parameters, stream, true);
}
// One that begins when all before it on the stream is over, and has no awaitPredecessor().
template <class... Parameters>
void launchPlain(void (*kernel)(Parameters...), const char* name, const Grid& grid, cudaStream_t stream,
                 Parameters... values) {
  void* parameters[] = {&values...};
  launchKernel(reinterpret_cast<const void*>(kernel), name, grid, parameters, stream, false);
}

// As much dynamic shared memory as the device leaves alongside the kernel's own; throw kCuda.
uint32_t sharedLimit(const void* kernel);
void allowShared(const void* kernel);

void prepareDispatch();
void prepareCombine();
void prepareGather();
uint32_t dispatchSharedLimit();
uint32_t pushSharedLimit();
uint32_t combineSharedLimit();

}  // namespace railrunner::moe::cuda::high_throughput
