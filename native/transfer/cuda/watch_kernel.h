#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace railrunner::cuda {

// One arrival: a word to wait for, and places to look at then.
struct WatchTask {
  const uint64_t* word;
  uint32_t firstPlace;
  uint32_t numPlaces;
};

struct WatchOutcome {
  static constexpr uint32_t kWaits = 0;
  static constexpr uint32_t kSeen = 1;
  static constexpr uint32_t kStopped = 2;
  static constexpr uint32_t kNoPlace = UINT32_MAX;
  uint32_t state;
  uint32_t firstEarly;  // index of a place that held poison; kNoPlace
};

// A thread block per task waits until its word has reached `epoch` or *stop is not 0, then looks at its places as any
// kernel does, and leaves its outcome. `outcomes` and `stop` are mapped host memory; the others device memory.
struct WatchArguments {
  const WatchTask* tasks;
  const uint64_t* places;  // addresses
  WatchOutcome* outcomes;
  const uint32_t* stop;
  uint64_t epoch;
  uint64_t poison;
};

cudaError_t launchWatch(const WatchArguments& arguments, uint32_t numTasks, cudaStream_t stream);
// As preloadCopyKernels.
cudaError_t preloadWatchKernel();

}  // namespace railrunner::cuda
