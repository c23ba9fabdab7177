#include "moe/cuda/high_throughput/combine_partials.cuh"
#include "moe/cuda/high_throughput/launch.h"
#include "moe/cuda/high_throughput/layout_memory.h"

// Combine: each block reads the rows of its chunk of this rank's tokens from every rank that hosts them and sums them
// in the order of ranks. One warp keeps a ring of pieces in shared memory full, the others sum.
namespace railrunner::moe::cuda::high_throughput {

namespace {

struct Ring {
  std::byte* pieces;
  uint64_t* full;   // [slots]
  uint64_t* empty;  // [slots]
  uint32_t slots;
  uint32_t slotBytes;
  uint32_t slot = 0;
  uint32_t parity = 0;

  __device__ std::byte* piece() const { return pieces + static_cast<uint64_t>(slot) * slotBytes; }
  __device__ void next() {
    if (++slot < slots) return;
    slot = 0;
    parity ^= 1U;
  }
};

// Both sides of the ring go through the same tokens, pieces and hosts in the same order.
struct TokenWalk {
  const CallArguments& a;
  uint32_t token;
  uint32_t end;
  uint32_t lane;
  int32_t coming;  // lane's host's place of `token`

  __device__ TokenWalk(const CallArguments& arguments, uint32_t theLane) : a(arguments), lane(theLane) {
    const GroupRange groups = part(groupsOf(a.numTokens), blockIdx.x, gridDim.x);
    token = groups.begin * kGroupTokens;
    end = min(groups.end * kGroupTokens, a.numTokens);
    coming = read(token);
  }
  __device__ int32_t read(uint32_t which) const {
    if (which >= end || lane >= a.shape.worldSize) return -1;
    return __ldcg(a.work.tokenPlace + static_cast<uint64_t>(which) * a.shape.worldSize + lane);
  }
  // Lane's host's place of the token, and the next one's on its way.
  __device__ int32_t take() {
    const int32_t now = coming;
    coming = read(token + 1);
    return now;
  }
};

__device__ void produce(const Call& call, Ring ring, uint32_t lane) {
  const CallArguments& a = call.a;
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieces = piecesOf(rowBytes);
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
  fenceProxy();
  for (TokenWalk walk(a, lane); walk.token < walk.end; ++walk.token) {
    const int32_t place = walk.take();
    const uint32_t hosts = __ballot_sync(kAll, place >= 0);
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      const uint32_t offset = piece * pieceBytes;
      const uint32_t bytes = min(pieceBytes, static_cast<uint32_t>(rowBytes) - offset);
      for (uint32_t left = hosts; left != 0; left &= left - 1) {
        const uint32_t host = __ffs(left) - 1;
        const auto row = static_cast<uint64_t>(__shfl_sync(kAll, place, host));
        if (lane == 0) {
          awaitBarrier(ring.empty + ring.slot, ring.parity ^ 1U);
          arriveExpecting(ring.full + ring.slot, bytes);
          bulkLoad(ring.piece(), call.at(host, a.map.y + row * rowBytes + offset), bytes,
                   ring.full + ring.slot);
        }
        __syncwarp();
        ring.next();
      }
    }
  }
}

// The consuming warps' threads.
__device__ void consume(const Call& call, Ring ring, uint32_t thread, uint32_t lane) {
  constexpr uint32_t kThreads = 32 * kConsumerWarps;
  constexpr uint32_t kUnits = kMostPieceBytes / 16 / kThreads;  // of a thread in a piece
  const CallArguments& a = call.a;
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieces = piecesOf(rowBytes);
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
  for (TokenWalk walk(a, lane); walk.token < walk.end; ++walk.token) {
    const uint32_t hosts = __ballot_sync(kAll, walk.take() >= 0);
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      const uint32_t offset = piece * pieceBytes;
      const uint32_t numUnits = min(pieceBytes, static_cast<uint32_t>(rowBytes) - offset) / 16;
      float sums[kUnits][8] = {};
      for (uint32_t left = hosts; left != 0; left &= left - 1) {
        awaitBarrier(ring.full + ring.slot, ring.parity);
        const auto* row = reinterpret_cast<const uint4*>(ring.piece());
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) {
          const uint32_t unit = thread + u * kThreads;
          if (unit < numUnits) addRow(sums[u], row[unit]);
        }
        __syncwarp();
        if (lane == 0) arrive(ring.empty + ring.slot);
        ring.next();
      }
      auto* out = reinterpret_cast<std::byte*>(a.out) + walk.token * rowBytes + offset;
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        const uint32_t unit = thread + u * kThreads;
        if (unit < numUnits) storeOnce(out + unit * 16ULL, rounded(sums[u]));
      }
    }
  }
}

// All threads: until what this block reads has been made. Each thread waits for some of the hosts.
__device__ bool awaitRows(const Call& call) {
  const CallArguments& a = call.a;
  bool ok = true;
  if (threadIdx.x < a.shape.worldSize) {
    const uint32_t host = threadIdx.x;
    if (a.shape.outputLayout == OutputLayout::kRankMajor) {
      uint32_t unused = 0;
      ok = call.awaitReady(host, &unused);
    } else {
      uint64_t unused = 0;
      const uint64_t* word =
          call.words(a.rank, a.map.partials) + static_cast<uint64_t>(host) * kMostBlocks + blockIdx.x;
      ok = call.await(word, &unused, Missing::kPartials, host, blockIdx.x);
    }
  }
  return __syncthreads_and(static_cast<int>(ok)) != 0;
}

__global__ void __launch_bounds__(kCombineThreads, 1)
    combineKernel(const __grid_constant__ CallArguments a, uint32_t slots) {
  extern __shared__ __align__(128) std::byte shared[];
  if (!kBulk) return;  // launchPlan() refuses such devices
  awaitPredecessor();
  const Call call(a);
  const uint32_t warp = threadIdx.x / 32;
  const uint32_t lane = threadIdx.x % 32;
  const uint32_t slotBytes = pullSlotBytes(a.shape);
  auto* barriers = reinterpret_cast<uint64_t*>(shared + static_cast<uint64_t>(slots) * slotBytes);
  const Ring ring{shared, barriers, barriers + slots, slots, slotBytes};
  if (threadIdx.x == 0) {
    for (uint32_t slot = 0; slot < slots; ++slot) {
      initBarrier(ring.full + slot, 1);
      initBarrier(ring.empty + slot, kConsumerWarps);
    }
    fenceBarriers();
  }
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  if ((a.phases & kPartials) != 0) makePartials(call);
  if ((a.phases & kPull) == 0 || !awaitRows(call)) return;
  if (warp == kConsumerWarps) {
    produce(call, ring, lane);
  } else {
    consume(call, ring, threadIdx.x, lane);
  }
}

}  // namespace

void launchCombine(const CallArguments& arguments, const LaunchPlan& plan, cudaStream_t stream) {
  launch(combineKernel, "combine", {plan.blocks, kCombineThreads, plan.combineBytes}, stream, arguments,
         plan.pullSlots);
}

void prepareCombine() { allowShared(reinterpret_cast<const void*>(combineKernel)); }

uint32_t combineSharedLimit() { return sharedLimit(reinterpret_cast<const void*>(combineKernel)); }

}  // namespace railrunner::moe::cuda::high_throughput
