#include <algorithm>

#include "moe/cuda/low_latency/dispatch_plan.cuh"
#include "moe/cuda/low_latency/dispatch_receive.cuh"
#include "moe/cuda/low_latency/dispatch_send.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/cuda/low_latency/network_forward.cuh"
#include "moe/cuda/low_latency/network_receive.cuh"

// Dispatch. The first blocks send: a group of warps takes one slice of a token at a time, and each warp of it
// stores the row to one destination rank and publishes it there as soon as it is whole. The other blocks
// first count where this rank's tokens will stand in the experts' lists and send that as records of
// self-validating words; then they receive, a warp per message. A full link holds up whatever else its
// processor does, so the two kinds of work share none. No barrier of the grid: words that come over the wire
// order everything.
namespace railrunner::moe::cuda {

namespace {

template <bool kFp8, bool kNetwork>
__global__ void __launch_bounds__(kThreads, 2) dispatchKernel(const __grid_constant__ KernelArguments a) {
  extern __shared__ __align__(128) std::byte rows[];
  __shared__ Token tokens[kPlanGroups];
  __shared__ uint64_t barriers[kReceivingWarps];
  __shared__ uint32_t numTokens[kMaxRanks];
  awaitPredecessor();
  const Call<kNetwork> call(a);
  const uint32_t blocks = workingBlocks(call);
  if (kNetwork && blockIdx.x == blocks) {
    if (threadIdx.x / 32 == kReceivingWarps) listenToNetwork(call, threadIdx.x % 32);
    if (threadIdx.x / 32 < kReceivingWarps && call.forwards()) forwardToNode<kFp8>(call, rows, barriers);
    return;
  }
  if (threadIdx.x == 0) call.stamp(0);
  const bool sends = (a.phases & kSend) != 0 && a.seam.silent == 0;
  if (blockIdx.x < a.sendBlocks) {
    if (sends) {
      sendTokens<kFp8>(call, rows, barriers);
      endSends(call, 0, blocks, 8 * planWords(a.shape, a.numTokens),
               call.outgoing(WrongWord::kTokens, a.numTokens));
    }
  } else {
    const uint32_t block = blockIdx.x - a.sendBlocks;
    const uint32_t numBlocks = blocks - a.sendBlocks;
    if (sends) {
      sendPlan(call, tokens, rows, block, numBlocks);
      endSends(call, 0, blocks, 8 * planWords(a.shape, a.numTokens),
               call.outgoing(WrongWord::kTokens, a.numTokens));
    }
    if (threadIdx.x == 0) call.stamp(3);
    if ((a.phases & kReceive) != 0) receiveTokens<kFp8>(call, rows, barriers, numTokens, block, numBlocks);
  }
  if (threadIdx.x == 0) call.stamp(7);
}

using Kernel = void (*)(KernelArguments);

Kernel kernelFor(bool fp8, bool network) {
  if (fp8) return network ? dispatchKernel<true, true> : dispatchKernel<true, false>;
  return network ? dispatchKernel<false, true> : dispatchKernel<false, false>;
}

__global__ void advanceEpochKernel(uint32_t* epochBase, uint32_t count) { *epochBase += count; }

}  // namespace

void launchDispatch(const KernelArguments& arguments, uint32_t blocks, cudaStream_t stream) {
  const uint32_t bytes = dispatchSharedBytes(arguments.shape, arguments.slices);
  const bool fp8 = arguments.shape.payload == DispatchDtype::kFp8E4m3;
  const Kernel kernel = kernelFor(fp8, arguments.overNetwork != 0);
  const bool overlaps = arguments.numTokens * arguments.slices <= arguments.sendBlocks * arguments.groups;
  launchOverlapped(kernel, "dispatch", arguments, blocks + listeningBlocks(arguments), bytes, stream,
                   overlaps);
}

void launchAdvanceEpoch(uint32_t* epochBase, uint32_t count, cudaStream_t stream) {
  advanceEpochKernel<<<1, 1, 0, stream>>>(epochBase, count);
  requireLaunched("advanceEpoch");
}

void prepareDispatch() {
  for (const bool fp8 : {false, true}) {
    for (const bool network : {false, true})
      allowShared(reinterpret_cast<const void*>(kernelFor(fp8, network)));
  }
}

uint32_t dispatchBlocksPerProcessor(bool fp8, uint32_t sharedBytes) {
  uint32_t blocks = UINT32_MAX;
  for (const bool network : {false, true}) {
    const auto* kernel = reinterpret_cast<const void*>(kernelFor(fp8, network));
    blocks = std::min(blocks, blocksPerProcessor(kernel, kThreads, sharedBytes));
  }
  return blocks;
}

}  // namespace railrunner::moe::cuda
