#pragma once

#include "moe/cuda/device_memory.cuh"

// Blocks for peers that share no memory: kernels fill them in host memory, as they would the peer's own, and
// tell a proxy of the network by triggers what to take from there. The word that begins the call is its
// signal and goes last: the peer sees it when all that this rank sent it in the call is whole.
namespace railrunner::moe::cuda {

// Into the ring of the proxy that serves the peer and slot. A ring that stays full until the host ends the
// wait loses the trigger, and is used no more: the control's abort is never taken back.
template <bool kNetwork>
__device__ void pushTrigger(const Call<kNetwork>& call, const Trigger& trigger) {
  const NetworkPath& path = *call.a.network;
  const auto isStopped = [&] { return call.stopped(Missing::kRoom, trigger.peer, 0); };
  static_cast<void>(path.rings[path.ring[trigger.peer][trigger.slot]].push(trigger, isStopped));
}

// What lies in the block for `peer` at `offset`, under the slot of that token. Stores to it are over (bulk
// copies) or come before by the caller's barrier and fence.
template <bool kNetwork>
__device__ __noinline__ void putToNetwork(const Call<kNetwork>& call, uint32_t peer, uint32_t token,
                                          uint64_t offset, uint64_t bytes) {
  const NetworkPath& path = *call.a.network;
  Trigger trigger;
  trigger.kind = TriggerKind::kPut;
  trigger.peer = peer;
  trigger.slot = token % path.numSlots;
  trigger.region = path.region;
  trigger.epoch = call.epoch;
  trigger.offset = path.incoming[peer] + call.half + offset;
  trigger.sourceOrValue = path.outgoing[peer] + call.half + offset;
  trigger.bytes = bytes;
  pushTrigger(call, trigger);
}

// Ends every slot of the call: all puts are in the rings.
template <bool kNetwork>
__device__ void signalToNetwork(const Call<kNetwork>& call, uint32_t peer, uint32_t value) {
  const NetworkPath& path = *call.a.network;
  Trigger trigger;
  trigger.kind = TriggerKind::kSignal;
  trigger.peer = peer;
  trigger.region = path.region;
  trigger.epoch = call.epoch;
  trigger.sourceOrValue = wordOf(call.epoch, value);
  for (trigger.slot = 0; trigger.slot < path.numSlots; ++trigger.slot) {
    trigger.offset = path.incoming[peer] + call.half + call.a.map.begun + 8ULL * trigger.slot;
    pushTrigger(call, trigger);
  }
}

// One lane: a slice of a token's dispatch rows. Whole rows go with their scales, all copies at once.
template <bool kNetwork>
__device__ inline void putRows(const Call<kNetwork>& call, uint32_t peer, uint32_t token, uint32_t firstBlock,
                               uint32_t numBlocks, uint32_t blockBytes, uint32_t copies) {
  const KernelArguments& a = call.a;
  uint64_t row = call.rowOffset(token);
  if (a.slices == 1) {
    putToNetwork(call, peer, token, row, copies * a.map.messageBytes);
    return;
  }
  for (; copies > 0; --copies, row += a.map.messageBytes) {
    putToNetwork(call, peer, token, row + static_cast<uint64_t>(firstBlock) * blockBytes,
                 numBlocks * blockBytes);
    if (a.shape.payload != DispatchDtype::kFp8E4m3) continue;
    putToNetwork(call, peer, token, row + a.shape.payloadRowBytes() + 4ULL * firstBlock,
                 (4 * numBlocks + 15) / 16 * 16);
  }
}

// All threads of each of `blocks` blocks of the grid, once it has sent its part of the call (`which`: 0
// dispatch, 1 combine). The last of them sends the words of each plan, planBytes from messageCount on, and
// the signal with `value`.
template <bool kNetwork>
__device__ inline void endSends(const Call<kNetwork>& call, uint32_t which, uint32_t blocks,
                                uint64_t planBytes, uint32_t value) {
  const KernelArguments& a = call.a;
  if (!kNetwork) return;
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence_system();
  if (atomicAdd(&a.network->ended[which], 1U) + 1 != blocks) return;
  a.network->ended[which] = 0;
  __threadfence_system();
  for (uint32_t peer = 0; peer < a.shape.worldSize; ++peer) {
    if (!call.isOverNetwork(peer)) continue;
    for (uint32_t plan = 0; planBytes != 0 && plan < a.network->routes.ranksPerNode; ++plan) {
      putToNetwork(call, peer, plan, a.map.messageCount + plan * a.map.planBytes, planBytes);
    }
    signalToNetwork(call, peer, value);
  }
}

}  // namespace railrunner::moe::cuda
