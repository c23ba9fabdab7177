#pragma once

#include "moe/cuda/high_throughput/combine_ring.cuh"

// Combine of expert-major outputs by their hosts: each sums the experts' rows of a token and stores the sum into its
// slot at the token's owner, which adds up what came. Tokens of all owners alternate, so that the links carry some of
// them while others, its own among them, are summed: stored one owner after the other, or read by the owners once made,
// processors and links wait for each other.
namespace railrunner::moe::cuda::high_throughput {

// The received tokens of this block that one team sums, in order: a row of items has one of each owner, turned by one
// from row to row, so that no team has one owner's alone. All lanes hold the same, but for their choice; the next token
// is asked for one ahead.
struct ChosenWalk {
  const CallArguments& a;
  const ChunkRange* chunks;  // [worldSize], shared memory
  uint32_t lane;
  uint32_t items = 0;
  uint32_t following;
  bool comes = false;
  uint32_t owner = 0, comingOwner = 0;
  uint32_t token = 0, comingToken = 0;  // of the owner
  int32_t row = -1, comingRow = -1;     // expert row of the lane's choice
  float weight = 1.0F, comingWeight = 1.0F;

  __device__ ChosenWalk(const CallArguments& arguments, const ChunkRange* ofOwners, uint32_t team)
      : a(arguments), chunks(ofOwners), lane(threadIdx.x % 32), following(team) {
    uint32_t most = 0;
    for (uint32_t which = 0; which < a.shape.worldSize; ++which) most = max(most, chunks[which].count);
    items = most * a.shape.worldSize;
    seek();
  }

  __device__ void seek() {
    const uint32_t worldSize = a.shape.worldSize;
    comes = false;
    while (following < items && !comes) {
      const uint32_t index = following / worldSize;
      comingOwner = (a.rank + 1 + following - index * worldSize + index) % worldSize;
      following += kTeams;
      if (index >= chunks[comingOwner].count) continue;
      comes = true;
      const uint32_t received = chunks[comingOwner].first + index;
      const uint64_t choice = static_cast<uint64_t>(received) * a.shape.numTopk + lane;
      const bool chooses = lane < a.shape.numTopk;
      comingToken = static_cast<uint32_t>(__ldcg(a.result.sourceToken + received));
      comingRow = chooses ? __ldcg(a.result.tokenRow + choice) : -1;
      comingWeight = chooses && a.weighted != 0 ? __ldcg(a.result.tokenWeight + choice) : 1.0F;
    }
  }

  __device__ bool next() {
    if (!comes) return false;
    owner = comingOwner, token = comingToken, row = comingRow, weight = comingWeight;
    seek();
    return true;
  }
};

// Where the sum of `host` for a token lies at the token's owner.
__device__ inline uint64_t sumOffset(const CallArguments& a, uint32_t host, uint32_t token) {
  const uint64_t slot = static_cast<uint64_t>(host) * a.shape.maxDispatchTokensPerRank;
  return a.map.y + (slot + token) * a.shape.bf16RowBytes();
}

// All threads, when every owner has begun the call: nobody reads the slots of the call before.
// `stage`: a slot's bytes of shared memory for each team.
__device__ inline void pushSums(const Call& call, Ring& ring, bool loads, uint32_t team,
                                const ChunkRange* chunks, std::byte* stage) {
  const CallArguments& a = call.a;
  ChosenWalk walk(a, chunks, team);
  if (loads) {
    fenceProxy();
    const auto* y = reinterpret_cast<const std::byte*>(a.y);
    while (walk.next()) {
      loadRows(a, ring, __ballot_sync(kAll, walk.row >= 0), walk.row, walk.lane, [&](uint32_t) { return y; });
    }
  } else {
    const uint32_t thread = threadIdx.x % (32 * kTeamWarps);
    while (walk.next()) {
      const StagedOut out{call.at(walk.owner, sumOffset(a, a.rank, walk.token)),
                          stage + static_cast<uint64_t>(team) * ring.slotBytes, team, thread};
      sumRows<true>(a, ring, __ballot_sync(kAll, walk.row >= 0), walk.weight, out, thread);
    }
    if (thread == 0) awaitStores();
    __threadfence_system();
  }
  __syncthreads();
}

}  // namespace railrunner::moe::cuda::high_throughput
