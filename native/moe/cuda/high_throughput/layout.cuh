#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/layout_memory.h"

// The layout step inside dispatch, first part: every block counts its chunk of each source's tokens. After the blocks
// have met each finds the places of its chunk (places.cuh). A chunk is cut into units, one for a warp; a unit's tokens
// go in groups, a lane each.
namespace railrunner::moe::cuda::high_throughput {

// Columns of counts: rows of each local expert, then tokens for each rank.
struct LayoutStep {
  const Call& call;
  const CallArguments& a;
  const LayoutMemory memory;
  std::byte* shared;
  const uint32_t* numTokens;  // [worldSize]
  uint32_t local;             // experts of a rank
  uint32_t columns;
  uint32_t perSource;  // units of one source
  uint32_t warp;
  uint32_t lane;
  uint32_t reciprocal;  // 2^32 / local, rounded up

  __device__ LayoutStep(const Call& theCall, const LayoutMemory& theMemory, std::byte* theShared,
                        const uint32_t* tokens)
      : call(theCall),
        a(theCall.a),
        memory(theMemory),
        shared(theShared),
        numTokens(tokens),
        local(theCall.a.shape.numLocalExperts()),
        columns(theMemory.columns),
        perSource(theMemory.perSource),
        warp(threadIdx.x / 32),
        lane(threadIdx.x % 32),
        reciprocal(0xffffffffU / local + 1) {}

  __device__ uint32_t* words(uint64_t offset) const { return reinterpret_cast<uint32_t*>(shared + offset); }
  __device__ uint32_t* counts(uint32_t unit) const { return words(memory.counts) + unit * columns; }
  __device__ uint32_t* totals(uint32_t source) const { return words(memory.totals) + source * columns; }
  __device__ uint32_t* before(uint32_t source) const { return words(memory.before) + source * columns; }
  __device__ int32_t* ids() const {
    return reinterpret_cast<int32_t*>(shared + memory.stages +
                                      static_cast<uint64_t>(warp) * 2 * memory.stageBytes);
  }
  __device__ float* weights() const { return reinterpret_cast<float*>(ids()) + memory.stageBytes / 4; }

  __device__ GroupRange groupsOfUnit(uint32_t source, uint32_t index) const {
    const GroupRange chunk = part(groupsOf(numTokens[source]), call.block, call.blocks);
    const GroupRange cut = part(chunk.end - chunk.begin, index, perSource);
    return {chunk.begin + cut.begin, chunk.begin + cut.end};
  }

  // A warp: starts to load a stage of ids, then of weights (two groups of copies).
  __device__ void stage(uint32_t source, uint32_t group, uint32_t numGroups) const {
    const uint32_t tokenBytes = 4 * a.shape.numTopk;
    const uint64_t offset = static_cast<uint64_t>(group) * kGroupTokens * tokenBytes;
    const uint32_t bytes = numGroups * kGroupTokens * tokenBytes;
    for (uint32_t i = 16 * lane; i < bytes; i += 16 * 32) {
      loadAsync16(reinterpret_cast<std::byte*>(ids()) + i, call.at(source, a.map.ids + offset) + i);
    }
    commitAsync();
    for (uint32_t i = 16 * lane; i < bytes; i += 16 * 32) {
      loadAsync16(reinterpret_cast<std::byte*>(weights()) + i, call.at(source, a.map.weights + offset) + i);
    }
    commitAsync();
  }

  // A warp: each(group of the stage, token) for all groups of a unit; stages them unless `staged` says that it is one
  // stage and still there.
  template <class Each>
  __device__ bool forEachGroup(uint32_t source, const GroupRange& groups, bool staged, bool withWeights,
                               Each&& each) const {
    const uint32_t perStage = memory.groupsOfStage;
    for (uint32_t first = groups.begin; first < groups.end; first += perStage) {
      const uint32_t count = min(perStage, groups.end - first);
      if (!staged) {
        awaitAsync<0>();  // of the stage before
        __syncwarp();
        stage(source, first, count);
      }
      if (withWeights) {
        awaitAsync<0>();
      } else {
        awaitAsync<1>();
      }
      __syncwarp();
      for (uint32_t g = 0; g < count; ++g) {
        if (!each(g, (first + g) * kGroupTokens + lane)) return false;
      }
    }
    return true;
  }

  // A lane: the rank of a choice that is one. Experts are few: the product is exact to one.
  __device__ uint32_t hostOf(int32_t id) const {
    if (local == 1) return static_cast<uint32_t>(id);
    const uint32_t host = __umulhi(static_cast<uint32_t>(id), reciprocal);
    return host * local > static_cast<uint32_t>(id) ? host - 1 : host;
  }
  // A lane: its k-th choice to look at. Each begins with another, or their shared memory would be of few banks.
  __device__ uint32_t turned(uint32_t k) const {
    const uint32_t at = k + lane * a.shape.numTopk / 32;
    return at < a.shape.numTopk ? at : at - a.shape.numTopk;
  }

  __device__ bool countUnit(uint32_t unit) const {
    const uint32_t source = unit / perSource;
    uint32_t* mine = counts(unit);
    return forEachGroup(
        source, groupsOfUnit(source, unit % perSource), false, false, [&](uint32_t group, uint32_t token) {
          const int32_t* chosen = ids() + (group * kGroupTokens + lane) * a.shape.numTopk;
          const bool exists = token < numTokens[source];
          uint32_t hosts = 0;
          bool ok = true;
          for (uint32_t k = 0; exists && k < a.shape.numTopk; ++k) {
            const int32_t id = chosen[turned(k)];
            if (id < -1 || id >= static_cast<int32_t>(a.shape.numExperts)) {
              ok = call.refuse(Missing::kWrongChoice, source, token, static_cast<uint32_t>(id));
            } else if (id >= 0) {
              const uint32_t host = hostOf(id);
              hosts |= 1U << host;
              if (host == a.rank) atomicAdd(mine + (id - host * local), 1U);
              if (a.agreeOnRoom != 0) atomicAdd(words(memory.experts) + id, 1U);
            }
          }
          for (uint32_t host = 0; host < a.shape.worldSize; ++host) {
            const uint32_t there = __popc(__ballot_sync(kAll, (hosts >> host & 1U) != 0));
            if (lane == 0) mine[local + host] += there;
          }
          return __all_sync(kAll, ok) != 0;
        });
  }

  // All threads. Whether no block was sent a choice that is none.
  __device__ bool count() const {
    for (uint32_t i = threadIdx.x; i < memory.units * columns; i += blockDim.x) words(memory.counts)[i] = 0;
    for (uint32_t i = threadIdx.x; a.agreeOnRoom != 0 && i < a.shape.numExperts; i += blockDim.x) {
      words(memory.experts)[i] = 0;
    }
    __syncthreads();
    bool ok = true;
    for (uint32_t unit = warp; ok && warp < memory.warps && unit < memory.units; unit += memory.warps) {
      ok = countUnit(unit);
    }
    if (__syncthreads_and(static_cast<int>(ok)) == 0) return false;
    const uint32_t pairs = a.shape.worldSize * columns;
    for (uint32_t i = threadIdx.x; i < pairs; i += blockDim.x) {
      const uint32_t source = i / columns;
      uint32_t sum = 0;
      for (uint32_t j = 0; j < perSource; ++j) sum += counts(source * perSource + j)[i - source * columns];
      a.work.blockCounts[call.block * pairs + i] = sum;
    }
    for (uint32_t i = threadIdx.x; a.agreeOnRoom != 0 && i < a.shape.numExperts; i += blockDim.x) {
      a.work.expertTotals[call.block * a.shape.numExperts + i] = words(memory.experts)[i];
    }
    return true;
  }

  // All threads, after the meeting: what all blocks and those before this one have counted.
  __device__ void addUp() const {
    const uint32_t pairs = a.shape.worldSize * columns;
    for (uint32_t i = threadIdx.x; i < pairs; i += blockDim.x) {
      uint32_t sum = 0;
      uint32_t below = 0;
#pragma unroll 8
      for (uint32_t b = 0; b < call.blocks; ++b) {
        const uint32_t one = __ldcg(a.work.blockCounts + b * pairs + i);
        if (b == call.block) below = sum;
        sum += one;
      }
      words(memory.totals)[i] = sum;
      words(memory.before)[i] = below;
    }
    for (uint32_t i = threadIdx.x; a.agreeOnRoom != 0 && i < a.shape.numExperts; i += blockDim.x) {
      uint32_t sum = 0;
#pragma unroll 8
      for (uint32_t b = 0; b < call.blocks; ++b)
        sum += __ldcg(a.work.expertTotals + b * a.shape.numExperts + i);
      words(memory.experts)[i] = sum;
    }
    __syncthreads();
    if (warp == 0) scanExperts();
    __syncthreads();
  }

  // One warp: where each local expert begins.
  __device__ void scanExperts() const {
    uint32_t* begin = words(memory.expertBegin);
    uint32_t sum = 0;
    for (uint32_t first = 0; first < local; first += 32) {
      const uint32_t expert = first + lane;
      uint32_t rows = 0;
      for (uint32_t source = 0; expert < local && source < a.shape.worldSize; ++source) {
        rows += totals(source)[expert];
      }
      const auto aligned = static_cast<uint32_t>(moe::high_throughput::alignRows(rows, a.expertAlignment));
      uint32_t until = aligned;
      for (uint32_t step = 1; step < 32; step *= 2) {
        const uint32_t below = __shfl_up_sync(kAll, until, step);
        if (lane >= step) until += below;
      }
      if (expert < local) begin[expert] = sum + until - aligned;
      sum += __shfl_sync(kAll, until, 31);
    }
    if (lane == 0) begin[local] = sum;
  }

  // Received tokens of a host from the sources before `source`.
  __device__ uint32_t tokensBefore(uint32_t source, uint32_t host) const {
    uint32_t sum = 0;
    for (uint32_t s = 0; s < source; ++s) sum += totals(s)[local + host];
    return sum;
  }
};

}  // namespace railrunner::moe::cuda::high_throughput
