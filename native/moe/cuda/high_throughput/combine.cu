#include "moe/cuda/high_throughput/combine_partials.cuh"
#include "moe/cuda/high_throughput/combine_push.cuh"
#include "moe/cuda/high_throughput/launch.h"
#include "moe/cuda/high_throughput/layout_memory.h"

// Combine: each block reads the rows of its chunk of this rank's tokens from every rank that hosts them and sums them
// in the order of ranks. Teams of warps take tokens in turn.
namespace railrunner::moe::cuda::high_throughput {

namespace {

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
    if (a.pushedSums != 0) {
      loadRows(a, ring, hosts, static_cast<int32_t>(token), lane,
               [&](uint32_t host) { return call.at(a.rank, sumOffset(a, host, 0)); });
    } else {
      loadRows(a, ring, hosts, place, lane, [&](uint32_t host) { return call.at(host, a.map.y); });
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
    sumRows<false>(a, ring, hosts, 1.0F,
                   DirectOut{reinterpret_cast<std::byte*>(a.out) + token * a.shape.bf16RowBytes()},
                   threadIdx.x % (32 * kTeamWarps));
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

// All threads. False where a wait has ended.
__device__ bool pushAndPublish(const Call& call, Ring& ring, bool loads, uint32_t team, std::byte* stage) {
  const CallArguments& a = call.a;
  __shared__ ChunkRange chunks[kMaxPeers];
  bool ok = true;
  if (threadIdx.x < a.shape.worldSize) {
    uint32_t unused = 0;
    ok = call.awaitReady(threadIdx.x, &unused);
    const ChunkRange* chunk = a.work.chunks + blockIdx.x * a.shape.worldSize + threadIdx.x;
    chunks[threadIdx.x] = {__ldcg(&chunk->first), __ldcg(&chunk->count)};
  }
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return false;
  const bool publishes = threadIdx.x < a.shape.worldSize;
  if (a.seam.relaxed != 0) {
    if (publishes) publishPartials(call, threadIdx.x);
    for (uint32_t i = 0; i < 100; ++i) __nanosleep(20'000);
  }
  pushSums(call, ring, loads, team, chunks, stage);
  if (a.seam.relaxed == 0 && publishes) publishPartials(call, threadIdx.x);
  return true;
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
  __syncthreads();
  if ((a.phases & kAnnounce) != 0 && blockIdx.x == 0) call.announce();
  const bool loads = warp >= kConsumerWarps;
  const uint32_t team = loads ? warp - kConsumerWarps : warp / kTeamWarps;
  Ring ring = ringOf(shared, team, slots, slotBytes);
  if ((a.phases & kPartials) != 0) {
    if (a.pushedSums == 0) {
      makePartials(call, ring, loads, team);
    } else if (!pushAndPublish(call, ring, loads, team, shared + ringBytes(slots, slotBytes))) {
      return;
    }
  }
  if ((a.phases & kPull) == 0 || !awaitRows(call)) return;
  if (loads) {
    produce(call, ring, team, threadIdx.x % 32);
  } else {
    consume(a, ring, team);
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
