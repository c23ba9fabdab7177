#include <algorithm>

#include "moe/cuda/high_throughput/launch.h"
#include "moe/cuda/high_throughput/move.cuh"
#include "moe/cuda/high_throughput/places.cuh"
#include "moe/cuda/high_throughput/push.cuh"

// Dispatch: waits for every source, finds the places of all rows (or takes those of an earlier layout), and brings
// the rows. One block per processor.
namespace railrunner::moe::cuda::high_throughput {

namespace {

// All threads, after addUp(). Whether every rank (or, where they do not agree, this one) has room for what comes: all
// blocks, and all ranks, find the same.
__device__ bool hasRoom(const LayoutStep& step) {
  const CallArguments& a = step.a;
  const uint32_t worldSize = a.shape.worldSize;
  uint32_t* hostRows = step.words(step.memory.hostRows);
  if (a.agreeOnRoom == 0) {
    const uint32_t tokens = step.tokensBefore(worldSize, a.rank);
    const uint32_t rows = step.words(step.memory.expertBegin)[step.local];
    if (tokens <= a.capacity.tokens && rows <= a.capacity.rows) return true;
    return step.call.refuse(Missing::kNoRoom, a.rank, tokens, rows);
  }
  for (uint32_t host = threadIdx.x; host < worldSize; host += blockDim.x) hostRows[host] = 0;
  __syncthreads();
  for (uint32_t expert = threadIdx.x; expert < a.shape.numExperts; expert += blockDim.x) {
    const uint32_t rows = step.words(step.memory.experts)[expert];
    atomicAdd(hostRows + expert / step.local,
              static_cast<uint32_t>(moe::high_throughput::alignRows(rows, a.expertAlignment)));
  }
  __syncthreads();
  bool ok = true;
  for (uint32_t host = 0; host < worldSize; ++host) {
    const uint32_t tokens = step.tokensBefore(worldSize, host);
    if (step.call.block == 0 && threadIdx.x == 0) {
      a.report->tokens[host] = tokens;
      a.report->rows[host] = hostRows[host];
    }
    if (ok && (tokens > a.room[host].tokens || hostRows[host] > a.room[host].rows)) {
      ok = step.call.refuse(Missing::kNoRoom, host, tokens, hostRows[host]);
    }
  }
  if (step.call.block == 0 && threadIdx.x == 0) {
    __threadfence_system();
    *reinterpret_cast<volatile uint32_t*>(&a.report->epoch) = step.call.epoch;
  }
  return ok;
}

// All threads. False where a wait has ended, or what came was refused.
__device__ bool findPlaces(const Call& call, uint32_t layoutWarps, std::byte* shared,
                           const uint32_t* numTokens) {
  const PlaceStep step(call, layoutMemory(call.a.shape, layoutWarps), shared, numTokens);
  const bool counted = step.count();
  if (!call.meet() || !counted) return false;
  step.addUp();
  return hasRoom(step) && step.place();
}

// All threads.
__device__ void moveRows(const Call& call, uint32_t moveWarps, std::byte* shared, uint64_t* barriers,
                         const uint32_t* numTokens) {
  const CallArguments& a = call.a;
  __shared__ ChunkRange chunks[kMaxPeers];
  __shared__ uint32_t cursor;
  const uint32_t warp = threadIdx.x / 32;
  const uint32_t lane = threadIdx.x % 32;
  if (threadIdx.x < a.shape.worldSize) {
    const ChunkRange* chunk = a.work.chunks + blockIdx.x * a.shape.worldSize + threadIdx.x;
    chunks[threadIdx.x] = a.gatherPieces != 0 ? call.receivedFrom(threadIdx.x)
                                              : ChunkRange{__ldcg(&chunk->first), __ldcg(&chunk->count)};
  }
  if (threadIdx.x == 0) cursor = 0;
  if (warp < moveWarps && lane == 0) {
    initBarrier(barriers + warp, 1);
    fenceBarriers();
  }
  fenceProxy();  // the layout step used the same shared memory, and what is read was acquired
  __syncthreads();
  if (warp >= moveWarps) return;
  const bool arrives = a.gatherPieces != 0;
  uint32_t most = 0;
  for (uint32_t source = 0; source < a.shape.worldSize; ++source) {
    if (!arrives || source != a.rank) most = max(most, chunks[source].count);
  }
  const uint64_t rowBytes = a.shape.payloadRowBytes();
  Mover mover{call,
              a,
              chunks,
              numTokens,
              arrives ? chunks[a.rank].count : 0,
              arrives ? a.shape.worldSize - 1 : a.shape.worldSize,
              most,
              piecesOf(rowBytes),
              pieceBytesOf(rowBytes),
              &cursor,
              shared + static_cast<uint64_t>(warp) * moveSlotBytes(a.shape, a.map.scaleBytes),
              barriers + warp,
              lane};
  mover.run();
}

__global__ void __launch_bounds__(kMoveThreads, 1)
    dispatchKernel(const __grid_constant__ CallArguments a, uint32_t layoutWarps, uint32_t moveWarps) {
  extern __shared__ __align__(128) std::byte shared[];
  __shared__ uint64_t barriers[kMoveThreads / 32];
  __shared__ uint32_t numTokens[kMaxPeers];
  if (!kBulk) return;  // launchPlan() refuses such devices
  awaitPredecessor();
  const Call call(a);
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  if ((a.phases & (kLayout | kMove)) == 0) return;
  bool ok = true;
  if (threadIdx.x < a.shape.worldSize) ok = call.awaitReady(threadIdx.x, numTokens + threadIdx.x);
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return;
  if ((a.phases & kLayout) != 0) {
    const bool found = findPlaces(call, layoutWarps, shared, numTokens);
    if ((a.phases & kMove) == 0) return;
    // Blocks that take rows in turn move what others have placed; one that refused must not keep them waiting.
    if (a.gatherPieces != 0 && !call.meet()) return;
    if (!found) return;
  }
  moveRows(call, moveWarps, shared, barriers, numTokens);
}

// Rank-major: the first blocks push rows, the others compute positions. A kernel of its own, so that the other one keeps
// its registers and is as fast as without.
__global__ void __launch_bounds__(kMoveThreads, 1)
    pushingKernel(const __grid_constant__ CallArguments a, uint32_t layoutWarps,
                  const __grid_constant__ PushPlan push) {
  extern __shared__ __align__(128) std::byte shared[];
  __shared__ uint64_t barriers[kMostPushWarps * kPushStages];
  __shared__ uint32_t numTokens[kMaxPeers];
  if (!kBulk) return;  // launchPlan() refuses such devices
  awaitPredecessor();
  const bool pushes = blockIdx.x < push.blocks;
  const Call call(a, pushes ? 0 : push.blocks, pushes ? push.blocks : gridDim.x - push.blocks);
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  if (pushes) {
    pushShare(call, push, shared, barriers);
    return;
  }
  bool ok = true;
  if (threadIdx.x < a.shape.worldSize) ok = call.awaitReady(threadIdx.x, numTokens + threadIdx.x);
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return;
  findPlaces(call, layoutWarps, shared, numTokens);
}

}  // namespace

void launchDispatch(const CallArguments& arguments, const LaunchPlan& plan, cudaStream_t stream) {
  if (plan.push.blocks == 0) {
    launch(dispatchKernel, "dispatch", {plan.blocks, kMoveThreads, plan.dispatchBytes}, stream, arguments,
           plan.layoutWarps, plan.moveWarps);
    return;
  }
  const uint32_t layoutBytes = layoutMemory(arguments.shape, plan.layoutWarps).totalBytes;
  launch(pushingKernel, "push",
         {plan.push.blocks + plan.blocks, kMoveThreads, std::max(layoutBytes, plan.push.sharedBytes)}, stream,
         arguments, plan.layoutWarps, plan.push);
}

void prepareDispatch() {
  allowShared(reinterpret_cast<const void*>(dispatchKernel));
  allowShared(reinterpret_cast<const void*>(pushingKernel));
}

uint32_t dispatchSharedLimit() { return sharedLimit(reinterpret_cast<const void*>(dispatchKernel)); }
uint32_t pushSharedLimit() { return sharedLimit(reinterpret_cast<const void*>(pushingKernel)); }

}  // namespace railrunner::moe::cuda::high_throughput
