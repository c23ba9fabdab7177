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

// A warp of the block behind the working ones: a lane a source.
template <bool kNetwork>
__device__ void listenToNetwork(const Call<kNetwork>& call, uint32_t lane) {
  for (uint32_t source = lane; source < call.a.shape.worldSize; source += 32) {
    if (!call.isOverNetwork(source)) continue;
    const uint64_t* words = call.wordsFrom(source, call.a.map.begun);
    uint32_t value = 0;
    bool ok = true;
    for (uint32_t slot = 0; ok && slot < call.a.network->numSlots; ++slot) {
      ok = call.awaitFlag(words + slot, &value, Missing::kBegun, source, 0);
    }
    if (ok) storeRelease(&call.a.network->arrived[source], wordOf(call.epoch, value));
  }
}

}  // namespace railrunner::moe::cuda
