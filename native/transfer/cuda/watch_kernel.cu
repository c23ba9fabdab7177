#include "transfer/cuda/watch_kernel.h"

namespace railrunner::cuda {

namespace {

constexpr uint32_t kThreads = 128;

__device__ __forceinline__ uint64_t loadAcquire(const uint64_t* word) {
  uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}

__global__ void watchKernel(WatchArguments arguments) {
  const WatchTask task = arguments.tasks[blockIdx.x];
  WatchOutcome* outcome = arguments.outcomes + blockIdx.x;
  __shared__ uint32_t state;
  __shared__ uint32_t firstEarly;
  if (threadIdx.x == 0) {
    firstEarly = WatchOutcome::kNoPlace;
    state = WatchOutcome::kSeen;
    while (loadAcquire(task.word) < arguments.epoch) {
      if (*static_cast<const volatile uint32_t*>(arguments.stop) != 0) {
        state = WatchOutcome::kStopped;
        break;
      }
      __nanosleep(200);
    }
  }
  __syncthreads();
  // Plain loads: what the acquire ordered is what every kernel may rely on.
  for (uint32_t i = threadIdx.x; i < task.numPlaces && state == WatchOutcome::kSeen; i += blockDim.x) {
    if (*reinterpret_cast<const uint64_t*>(arguments.places[task.firstPlace + i]) == arguments.poison)
      atomicMin(&firstEarly, i);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  outcome->firstEarly = firstEarly;
  __threadfence_system();
  *static_cast<volatile uint32_t*>(&outcome->state) = state;
}

}  // namespace

cudaError_t launchWatch(const WatchArguments& arguments, uint32_t numTasks, cudaStream_t stream) {
  if (numTasks == 0) return cudaSuccess;
  watchKernel<<<numTasks, kThreads, 0, stream>>>(arguments);
  return cudaGetLastError();
}

cudaError_t preloadWatchKernel() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, watchKernel);
}

}  // namespace railrunner::cuda
