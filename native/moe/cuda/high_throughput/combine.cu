#include "moe/cuda/high_throughput/combine_partials.cuh"
#include "moe/cuda/high_throughput/launch.h"
#include "moe/cuda/high_throughput/layout_memory.h"

// Combine: each block reads the rows of its chunk of this rank's tokens from every rank that hosts them and sums them
// in the order of ranks. One warp keeps a ring of pieces in shared memory full, teams of the others sum a token each.
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
  __device__ void next(uint32_t count = 1) {
    for (slot += count; slot >= slots; slot -= slots) parity ^= 1U;
  }
};

// Tokens of this rank that the block sums.
struct TokenRange {
  uint32_t begin;
  uint32_t end;
};
__device__ TokenRange tokensOfBlock(const CallArguments& a) {
  const GroupRange groups = part(groupsOf(a.numTokens), blockIdx.x, gridDim.x);
  return {groups.begin * kGroupTokens, min(groups.end * kGroupTokens, a.numTokens)};
}

// A warp. The lane's rank's place of a token, asked for one token ahead.
struct PlaceReader {
  const CallArguments& a;
  TokenRange tokens;
  uint32_t lane;
  int32_t coming;

  __device__ PlaceReader(const CallArguments& arguments, const TokenRange& range, uint32_t theLane)
      : a(arguments), tokens(range), lane(theLane), coming(read(range.begin)) {}
  __device__ int32_t read(uint32_t token) const {
    if (token >= tokens.end || lane >= a.shape.worldSize) return -1;
    return __ldcg(a.work.tokenPlace + static_cast<uint64_t>(token) * a.shape.worldSize + lane);
  }
  __device__ int32_t take(uint32_t token) {
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
  const TokenRange tokens = tokensOfBlock(a);
  PlaceReader reader(a, tokens, lane);
  for (uint32_t token = tokens.begin; token < tokens.end; ++token) {
    const int32_t place = reader.take(token);
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

// A team: one token, whose rows come next in the ring.
__device__ void sumToken(const CallArguments& a, Ring& ring, uint32_t token, uint32_t hosts,
                         uint32_t thread) {
  constexpr uint32_t kThreads = 32 * kTeamWarps;
  constexpr uint32_t kUnits = kMostPieceBytes / 16 / kThreads;  // of a thread in a piece
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieces = piecesOf(rowBytes);
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
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
      if (thread % 32 == 0 || a.seam.allArrive != 0) arrive(ring.empty + ring.slot);
      ring.next();
    }
    auto* out = reinterpret_cast<std::byte*>(a.out) + token * rowBytes + offset;
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t unit = thread + u * kThreads;
      if (unit < numUnits) storeOnce(out + unit * 16ULL, rounded(sums[u]));
    }
  }
}

// The consuming warps' threads. Teams take tokens in turn, and know from the hosts of all where theirs are in the ring.
__device__ void consume(const CallArguments& a, Ring ring, uint32_t lane) {
  const uint32_t team = threadIdx.x / (32 * kTeamWarps);
  const uint32_t thread = threadIdx.x % (32 * kTeamWarps);
  const uint32_t pieces = piecesOf(a.shape.bf16RowBytes());
  const TokenRange tokens = tokensOfBlock(a);
  for (uint32_t first = tokens.begin; first < tokens.end; first += 32) {
    const uint32_t hostsOfLane = first + lane < tokens.end ? __ldcg(a.work.tokenHosts + first + lane) : 0;
    const uint32_t count = min(32U, tokens.end - first);
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t hosts = __shfl_sync(kAll, hostsOfLane, i);
      if (i % kTeams == team) {
        sumToken(a, ring, first + i, hosts, thread);
      } else {
        ring.next(__popc(hosts) * pieces);
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
      initBarrier(ring.empty + slot, a.seam.allArrive != 0 ? 32 * kTeamWarps : kTeamWarps);
    }
    fenceBarriers();
  }
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  if ((a.phases & kPartials) != 0) makePartials(call);
  if ((a.phases & kPull) == 0 || !awaitRows(call)) return;
  if (warp == kConsumerWarps) {
    produce(call, ring, lane);
  } else {
    consume(a, ring, lane);
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
