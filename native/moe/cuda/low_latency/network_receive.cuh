#pragma once

#include "moe/cuda/device_memory.cuh"

// What comes over the network is announced in host memory. One block of its own polls there and passes the
// word on in device memory, where all others wait: a word of host memory that every block of a GPU polls over
// PCIe keeps the proxy that is to write it waiting (dispatch of one token took 1 ms by that).
namespace railrunner::moe::cuda {

// Host code adds this block to those of a launch that receives.
inline uint32_t listeningBlocks(const KernelArguments& a) {
  return a.overNetwork != 0 && (a.phases & kReceive) != 0 ? 1 : 0;
}

template <bool kNetwork>
__device__ uint32_t workingBlocks(const Call<kNetwork>& call) {
  return gridDim.x - (kNetwork && (call.a.phases & kReceive) != 0 ? 1 : 0);
}

// A warp of the block behind the working ones: a lane a source. Each round looks at every source once, so
// that one which has come is passed on whatever the others do.
template <bool kNetwork>
__device__ void listenToNetwork(const Call<kNetwork>& call, uint32_t lane) {
  const KernelArguments& a = call.a;
  uint64_t awaited = 0;  // bit i: source lane + 32 * i, at the slot of nextSlot
  for (uint32_t i = 0; lane + 32 * i < a.shape.worldSize; ++i) {
    if (call.isOverNetwork(lane + 32 * i)) awaited |= 1ULL << i;
  }
  uint32_t nextSlot[kMaxRanks / 32] = {};
  for (uint32_t polls = 1; awaited != 0; ++polls) {
#pragma unroll
    for (uint32_t i = 0; i < kMaxRanks / 32; ++i) {
      if ((awaited >> i & 1U) == 0) continue;
      const uint32_t source = lane + 32 * i;
      const uint64_t word = loadAcquire(call.wordsFrom(source, a.map.begun) + nextSlot[i]);
      if (static_cast<uint32_t>(word >> 32) != call.epoch) {
        if ((polls & 1023U) == 0 && call.stopped(Missing::kBegun, source, 0)) return;
        continue;
      }
      if (++nextSlot[i] < a.network->numSlots) continue;
      storeRelease(&a.network->arrived[source], word);
      awaited &= ~(1ULL << i);
    }
  }
}

}  // namespace railrunner::moe::cuda
