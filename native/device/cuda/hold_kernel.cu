#include "device/cuda/hold_kernel.h"

namespace railrunner::cuda {

namespace {

__device__ __forceinline__ uint32_t loadSystem(const uint32_t* word) {
  uint32_t value;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}

__device__ __forceinline__ uint64_t globalTimeNs() {
  uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
  return ns;
}

__global__ void holdKernel(const uint32_t* word, uint32_t epoch, const uint32_t* abortWord,
                           uint64_t limitNs) {
  const uint64_t startNs = globalTimeNs();
  // Signed distance, so that the epoch may wrap around.
  while (static_cast<int32_t>(loadSystem(word) - epoch) < 0) {
    if (loadSystem(abortWord) != 0 || globalTimeNs() - startNs > limitNs) return;
    __nanosleep(100);
  }
}

}  // namespace

cudaError_t launchHold(const uint32_t* word, uint32_t epoch, const uint32_t* abortWord, uint64_t limitNs,
                       cudaStream_t stream) {
  holdKernel<<<1, 1, 0, stream>>>(word, epoch, abortWord, limitNs);
  return cudaGetLastError();
}

cudaError_t preloadHoldKernel() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, holdKernel);
}

}  // namespace railrunner::cuda
