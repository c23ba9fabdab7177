#include <string>

#include "core/error.h"
#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/launch.h"

// All of a rank's tokens into its slots at every peer, by copy engines: no processor for the wire.
namespace railrunner::moe::cuda::high_throughput {

namespace {

// The word that copy engines copy to the peers after a piece: nobody waits for a rank's own words here.
__device__ uint64_t* ownWord(const Call& call) {
  return call.words(call.a.rank, call.a.map.pushed) + static_cast<uint64_t>(call.a.rank) * kMostBlocks;
}

// Before copy engines write into the peers' slots: they have begun the call and need none of the call before.
__global__ void awaitReadyKernel(const __grid_constant__ CallArguments a) {
  awaitPredecessor();
  const Call call(a);
  if ((a.phases & kAnnounce) != 0) call.announce();
  if (threadIdx.x == 0) storeRelaxed(ownWord(call), wordOf(call.epoch, 0));
  uint32_t unused = 0;
  if (threadIdx.x < a.shape.worldSize) call.awaitReady(threadIdx.x, &unused);
}

// Tells every peer that what the stream has copied there is whole, and waits for what comes from them.
__global__ void finishGatherKernel(const __grid_constant__ CallArguments a) {
  awaitPredecessor();
  const Call call(a);
  if (threadIdx.x >= a.shape.worldSize) return;
  const uint32_t peer = threadIdx.x;
  if (a.seam.silent == 0) storeRelease(call.words(peer, a.map.gathered) + a.rank, wordOf(call.epoch, 0));
  uint64_t unused = 0;
  call.await(call.words(a.rank, a.map.gathered) + peer, &unused, Missing::kGathered, peer, 0);
}

void copy(const CallArguments& a, uint32_t peer, uint64_t to, uint64_t from, uint64_t bytes,
          cudaStream_t stream) {
  if (bytes == 0) return;
  const cudaError_t status =
      cudaMemcpyAsync(a.base[peer] + to, a.base[a.rank] + from, bytes, cudaMemcpyDeviceToDevice, stream);
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kCuda, "copying tokens to rank " + std::to_string(peer) + ": " +
                                    std::string(cudaGetErrorString(status)));
}

}  // namespace

void queueGather(const CallArguments& a, cudaStream_t stream) {
  launch(awaitReadyKernel, "awaitReady", {1, kMaxPeers, 0}, stream, a);
  const uint32_t pieces = a.gatherPieces == 0 ? 1 : a.gatherPieces;
  const uint32_t perPiece = tokensOfPiece(a.numTokens, pieces);
  const uint64_t rowBytes = a.shape.payloadRowBytes();
  const uint64_t words = a.map.pushed + 8ULL * a.rank * kMostBlocks;
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    const uint32_t first = piece * perPiece;
    if (first >= a.numTokens) break;
    const uint32_t tokens = perPiece < a.numTokens - first ? perPiece : a.numTokens - first;
    const uint64_t x = a.map.xOffset(a.shape, a.rank) + first * rowBytes;
    const uint64_t scales =
        a.map.scalesOffset(a.shape, a.rank) + static_cast<uint64_t>(first) * a.map.scaleBytes;
    for (uint32_t step = 1; step < a.shape.worldSize; ++step) {
      const uint32_t peer = (a.rank + step) % a.shape.worldSize;
      if ((a.staged >> peer & 1U) != 0) continue;
      copy(a, peer, x, x, tokens * rowBytes, stream);
      copy(a, peer, scales, scales, static_cast<uint64_t>(tokens) * a.map.scaleBytes, stream);
      if (a.gatherPieces != 0) copy(a, peer, words + 8ULL * piece, words, 8, stream);
    }
  }
  if (a.gatherPieces == 0) launch(finishGatherKernel, "finishGather", {1, kMaxPeers, 0}, stream, a);
}

void prepareGather() {
  allowShared(reinterpret_cast<const void*>(finishGatherKernel));
  allowShared(reinterpret_cast<const void*>(awaitReadyKernel));
}

}  // namespace railrunner::moe::cuda::high_throughput
