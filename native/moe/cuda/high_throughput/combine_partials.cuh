#pragma once

#include "moe/cuda/high_throughput/combine_ring.cuh"

// The first part of combine of expert-major outputs: one bf16 row for each received token, the sum of its experts'
// rows in the order of choices. Source by source, and each owner is told when a block has made its part. Whole rows
// come by bulk copies: loads by warps, a piece of many rows at a time, miss the address translation again and again.
namespace railrunner::moe::cuda::high_throughput {

// The lane's choice of one received token: its expert row, or -1.
__device__ inline int32_t chosenRow(const CallArguments& a, const ChunkRange& chunk, uint32_t index,
                                    uint32_t lane) {
  if (lane >= a.shape.numTopk || index >= chunk.count) return -1;
  return __ldcg(a.result.tokenRow + static_cast<uint64_t>(chunk.first + index) * a.shape.numTopk + lane);
}

// A loading warp: what the team will sum.
__device__ inline void loadChosen(const CallArguments& a, Ring& ring, const ChunkRange& chunk, uint32_t team,
                                  uint32_t lane) {
  const auto* y = reinterpret_cast<const std::byte*>(a.y);
  int32_t coming = chosenRow(a, chunk, team, lane);
  for (uint32_t i = team; i < chunk.count; i += kTeams) {
    const int32_t row = coming;
    coming = chosenRow(a, chunk, i + kTeams, lane);
    loadRows(a, ring, __ballot_sync(kAll, row >= 0), row, lane, [&](uint32_t) { return y; });
  }
}

// A team's summing threads. Choices and weights are asked for one token ahead.
__device__ inline void sumChosen(const CallArguments& a, Ring& ring, const ChunkRange& chunk, uint32_t team) {
  const uint32_t lane = threadIdx.x % 32;
  std::byte* to = a.base[a.rank] + a.map.y;
  const auto weightOf = [&](uint32_t index) {
    if (a.weighted == 0 || lane >= a.shape.numTopk || index >= chunk.count) return 1.0F;
    return __ldcg(a.result.tokenWeight + static_cast<uint64_t>(chunk.first + index) * a.shape.numTopk + lane);
  };
  int32_t rowNext = chosenRow(a, chunk, team, lane);
  float weightNext = weightOf(team);
  for (uint32_t i = team; i < chunk.count; i += kTeams) {
    const uint32_t chosen = __ballot_sync(kAll, rowNext >= 0);
    const float weight = weightNext;
    rowNext = chosenRow(a, chunk, i + kTeams, lane);
    weightNext = weightOf(i + kTeams);
    sumRows<true>(a, ring, chosen, weight, DirectOut{to + (chunk.first + i) * a.shape.bf16RowBytes()},
                  threadIdx.x % (32 * kTeamWarps));
  }
}

// One thread: this block's sums for the tokens of `owner` are made.
__device__ inline void publishPartials(const Call& call, uint32_t owner) {
  const CallArguments& a = call.a;
  if (a.seam.silent != 0) return;
  storeRelease(call.words(owner, a.map.partials) + static_cast<uint64_t>(a.rank) * kMostBlocks + blockIdx.x,
               wordOf(call.epoch, 0));
}

// All threads.
__device__ inline void makePartials(const Call& call, Ring& ring, bool loads, uint32_t team) {
  const CallArguments& a = call.a;
  if (loads) fenceProxy();
  for (uint32_t j = 1; j <= a.shape.worldSize; ++j) {
    const uint32_t owner = (a.rank + j) % a.shape.worldSize;
    const ChunkRange chunk = a.work.chunks[blockIdx.x * a.shape.worldSize + owner];
    if (a.seam.relaxed != 0) {
      if (threadIdx.x == 0) publishPartials(call, owner);
      __nanosleep(20'000);
    }
    if (loads) {
      loadChosen(a, ring, chunk, team, threadIdx.x % 32);
    } else {
      sumChosen(a, ring, chunk, team);
    }
    __syncthreads();
    if (threadIdx.x == 0 && a.seam.relaxed == 0) {
      __threadfence_system();
      publishPartials(call, owner);
    }
  }
}

}  // namespace railrunner::moe::cuda::high_throughput
