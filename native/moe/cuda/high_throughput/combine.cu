#include "moe/cuda/high_throughput/combine_partials.cuh"
#include "moe/cuda/high_throughput/launch.h"
#include "moe/cuda/high_throughput/layout_memory.h"

// Combine: each block reads the rows of its chunk of this rank's tokens from every rank that hosts them and sums them
// in the order of ranks. Teams of warps take tokens in turn. Each has a warp of its own that keeps a ring of pieces in
// shared memory full: in a ring that teams shared, one that passes over the others' pieces could take a slot for filled
// whose earlier load has not come yet, since a barrier tells neighbouring rounds apart and no more.
namespace railrunner::moe::cuda::high_throughput {

namespace {

// Of one team.
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

// Shared memory of a block: the pieces of all teams, then their barriers.
__device__ Ring ringOf(std::byte* shared, uint32_t team, uint32_t slots, uint32_t slotBytes) {
  auto* barriers = reinterpret_cast<uint64_t*>(shared + static_cast<uint64_t>(kTeams) * slots * slotBytes);
  uint64_t* full = barriers + 2ULL * team * slots;
  return {shared + static_cast<uint64_t>(team) * slots * slotBytes, full, full + slots, slots, slotBytes};
}

// Tokens of this rank that the block sums; a team takes every kTeams-th of them.
struct TokenRange {
  uint32_t begin;
  uint32_t end;
};
__device__ TokenRange tokensOfBlock(const CallArguments& a) {
  const GroupRange groups = part(groupsOf(a.numTokens), blockIdx.x, gridDim.x);
  return {groups.begin * kGroupTokens, min(groups.end * kGroupTokens, a.numTokens)};
}

// A warp: loads what the team will sum. The lane's rank's place of a token is asked for one token ahead.
__device__ void produce(const Call& call, Ring ring, uint32_t team, uint32_t lane) {
  const CallArguments& a = call.a;
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieces = piecesOf(rowBytes);
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
  fenceProxy();
  const TokenRange tokens = tokensOfBlock(a);
  const auto placeOf = [&](uint32_t token) {
    if (token >= tokens.end || lane >= a.shape.worldSize) return -1;
    return __ldcg(a.work.tokenPlace + static_cast<uint64_t>(token) * a.shape.worldSize + lane);
  };
  int32_t coming = placeOf(tokens.begin + team);
  for (uint32_t token = tokens.begin + team; token < tokens.end; token += kTeams) {
    const int32_t place = coming;
    coming = placeOf(token + kTeams);
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

// A team: one token, whose rows come next in its ring.
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

// A team's summing threads.
__device__ void consume(const CallArguments& a, Ring ring, uint32_t team) {
  const TokenRange tokens = tokensOfBlock(a);
  const auto hostsOf = [&](uint32_t token) {
    return token < tokens.end ? __ldcg(a.work.tokenHosts + token) : 0;
  };
  uint32_t coming = hostsOf(tokens.begin + team);
  for (uint32_t token = tokens.begin + team; token < tokens.end; token += kTeams) {
    const uint32_t hosts = coming;
    coming = hostsOf(token + kTeams);
    sumToken(a, ring, token, hosts, threadIdx.x % (32 * kTeamWarps));
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
  const uint32_t slotBytes = pullSlotBytes(a.shape);
  if (threadIdx.x < kTeams) {
    const Ring ring = ringOf(shared, threadIdx.x, slots, slotBytes);
    for (uint32_t slot = 0; slot < slots; ++slot) {
      initBarrier(ring.full + slot, 1);
      initBarrier(ring.empty + slot, a.seam.allArrive != 0 ? 32 * kTeamWarps : kTeamWarps);
    }
    fenceBarriers();
  }
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  if ((a.phases & kPartials) != 0) makePartials(call);
  if ((a.phases & kPull) == 0 || !awaitRows(call)) return;
  if (warp >= kConsumerWarps) {
    const uint32_t team = warp - kConsumerWarps;
    produce(call, ringOf(shared, team, slots, slotBytes), team, threadIdx.x % 32);
  } else {
    const uint32_t team = warp / kTeamWarps;
    consume(a, ringOf(shared, team, slots, slotBytes), team);
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
