#include <algorithm>

#include "moe/cuda/low_latency/combine_receive.cuh"
#include "moe/cuda/low_latency/combine_relay.cuh"
#include "moe/cuda/low_latency/combine_send.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/cuda/low_latency/network_receive.cuh"

// Combine. The first blocks send: a group of warps takes one message at a time, adds its experts' rows in the
// order of k in fp32, rounds once (expertMajor, dedup) or takes the row as it is, stores it to the token's
// owner; the block publishes what its groups have stored. The other blocks sum up this rank's tokens as their
// rows arrive.
namespace railrunner::moe::cuda {

namespace {

template <bool kNetwork>
__global__ void __launch_bounds__(kThreads) combineKernel(const __grid_constant__ KernelArguments a) {
  extern __shared__ __align__(128) std::byte rows[];
  __shared__ uint64_t barriers[kWarps];
  awaitPredecessor();
  const Call<kNetwork> call(a);
  const uint32_t blocks = workingBlocks(call);
  if (kNetwork && blockIdx.x == blocks) {
    if (threadIdx.x < 32) listenToNetwork(call, threadIdx.x);
    return;
  }
  const bool sends = (a.phases & kSend) != 0 && a.seam.silent == 0;
  if (threadIdx.x == 0) call.stamp(0);
  // Where every block sends, every block receives afterwards.
  const uint32_t firstReceiving = a.sendBlocks < blocks ? a.sendBlocks : 0;
  const uint32_t block = blockIdx.x - firstReceiving;
  const uint32_t numBlocks = blocks - firstReceiving;
  if (sends && blockIdx.x == firstReceiving) {
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += kThreads) {
      call.begin(peer, 1);
    }
  }
  if (sends && blockIdx.x < a.sendBlocks) {
    sendMessages(call, rows, barriers);
    if (!call.forwards()) endSends(call, 1, a.sendBlocks, 0, 1);
  }
  if (threadIdx.x == 0) call.stamp(1);
  if ((a.phases & kReceive) == 0 || blockIdx.x < firstReceiving) return;
  bool ok = true;
  if (call.forwards()) {
    ok = sumForNodes(call, block, numBlocks);
    if (ok && a.seam.silent == 0) endSends(call, 1, numBlocks, 0, 1);
  }
  for (uint32_t unit = block; ok && unit < a.numTokens * a.slices; unit += numBlocks) {
    ok = receiveToken(call, RowSlice(a, unit));
  }
  if (threadIdx.x == 0) call.stamp(2);
  if (ok && block == 0) {
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += kThreads) {
      uint32_t unused = 0;
      if (call.via(peer) == peer) call.awaitBegun(peer, &unused);
    }
  }
  if (threadIdx.x == 0) call.stamp(3);
}

using Kernel = void (*)(KernelArguments);

Kernel kernelFor(bool network) { return network ? combineKernel<true> : combineKernel<false>; }

}  // namespace

void launchCombine(const KernelArguments& arguments, uint32_t blocks, cudaStream_t stream) {
  const uint32_t bytes = combineSharedBytes(arguments.shape, arguments.slices);
  const Kernel kernel = kernelFor(arguments.overNetwork != 0);
  launchOverlapped(kernel, "combine", arguments, blocks + listeningBlocks(arguments), bytes, stream);
}

void prepareCombine() {
  for (const bool network : {false, true}) allowShared(reinterpret_cast<const void*>(kernelFor(network)));
}

uint32_t combineBlocksPerProcessor(uint32_t sharedBytes) {
  uint32_t blocks = UINT32_MAX;
  for (const bool network : {false, true}) {
    const auto* kernel = reinterpret_cast<const void*>(kernelFor(network));
    blocks = std::min(blocks, blocksPerProcessor(kernel, kThreads, sharedBytes));
  }
  return blocks;
}

}  // namespace railrunner::moe::cuda
