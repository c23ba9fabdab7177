#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/layout_memory.h"

// The layout step inside dispatch: every block counts its chunk of each source's tokens, the blocks meet, and each
// finds the places of its chunk. A chunk is cut into units, one for a warp; a unit's tokens go in groups, a lane each.
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
        lane(threadIdx.x % 32) {}

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
    const GroupRange chunk = part(groupsOf(numTokens[source]), blockIdx.x, gridDim.x);
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

  // A lane: the rank of a choice, or worldSize where it is none.
  __device__ uint32_t hostOf(int32_t id) const {
    return id < 0 ? a.shape.worldSize : static_cast<uint32_t>(id) / local;
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
            const int32_t id = chosen[k];
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
      a.work.blockCounts[blockIdx.x * pairs + i] = sum;
    }
    for (uint32_t i = threadIdx.x; a.agreeOnRoom != 0 && i < a.shape.numExperts; i += blockDim.x) {
      a.work.expertTotals[blockIdx.x * a.shape.numExperts + i] = words(memory.experts)[i];
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
      for (uint32_t b = 0; b < gridDim.x; ++b) {
        const uint32_t one = __ldcg(a.work.blockCounts + b * pairs + i);
        if (b == blockIdx.x) below = sum;
        sum += one;
      }
      words(memory.totals)[i] = sum;
      words(memory.before)[i] = below;
    }
    for (uint32_t i = threadIdx.x; a.agreeOnRoom != 0 && i < a.shape.numExperts; i += blockDim.x) {
      uint32_t sum = 0;
#pragma unroll 8
      for (uint32_t b = 0; b < gridDim.x; ++b)
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

  // All threads: counts of units become where each unit's rows and tokens begin.
  __device__ void beginUnits() const {
    for (uint32_t i = threadIdx.x; i < a.shape.worldSize * columns; i += blockDim.x) {
      const uint32_t source = i / columns;
      const uint32_t column = i - source * columns;
      uint32_t at = before(source)[column];
      if (column < local) {
        at += words(memory.expertBegin)[column];
        for (uint32_t s = 0; s < source; ++s) at += totals(s)[column];
      } else {
        at += tokensBefore(source, column - local);
      }
      const uint32_t first = at;
      for (uint32_t j = 0; j < perSource; ++j) {
        uint32_t& place = counts(source * perSource + j)[column];
        const uint32_t there = place;
        place = at;
        at += there;
      }
      if (column == local + a.rank) {
        a.work.chunks[blockIdx.x * a.shape.worldSize + source] = {first, at - first};
      }
    }
  }

  // A lane of a group: the rows of one token here, in order of tokens among all that chose the expert.
  __device__ bool placeUnit(uint32_t unit) const {
    const uint32_t source = unit / perSource;
    const uint32_t numTopk = a.shape.numTopk;
    uint32_t* next = counts(unit);
    uint32_t* lanes = words(memory.masks) + warp * local;
    const uint32_t lower = (1U << lane) - 1;
    const GroupRange groups = groupsOfUnit(source, unit % perSource);
    return forEachGroup(
        source, groups, memory.oneStage(groups.end - groups.begin), true,
        [&](uint32_t group, uint32_t token) {
          const uint32_t slot = (group * kGroupTokens + lane) * numTopk;
          const int32_t* chosen = ids() + slot;
          const bool exists = token < numTokens[source];
          uint32_t hosts = 0;
          for (uint32_t k = 0; exists && k < numTopk; ++k) {
            if (chosen[k] < 0) continue;
            const uint32_t host = hostOf(chosen[k]);
            hosts |= 1U << host;
            if (host == a.rank) atomicOr(lanes + (chosen[k] - host * local), 1U << lane);
          }
          __syncwarp();
          const bool isHere = (hosts >> a.rank & 1U) != 0;
          const uint32_t received = next[local + a.rank] + __popc(__ballot_sync(kAll, isHere) & lower);
          if (source == a.rank) placeAtHosts(token, exists, hosts, next + local, lower);
          bool ok = true;
          if (isHere) ok = placeRows(source, token, received, chosen, weights() + slot, next, lanes, lower);
          __syncwarp();
          for (uint32_t k = 0; isHere && k < numTopk; ++k) {
            if (chosen[k] < 0 || hostOf(chosen[k]) != a.rank) continue;
            const uint32_t expert = chosen[k] - a.rank * local;
            const uint32_t all = lanes[expert];
            if (all == 0 || (all & lower) != 0) continue;  // the first of them moves it on
            next[expert] += __popc(all);
            lanes[expert] = 0;
          }
          __syncwarp();
          const uint32_t arrived = __popc(__ballot_sync(kAll, isHere));
          if (source != a.rank && lane == 0) next[local + a.rank] += arrived;
          __syncwarp();
          return __all_sync(kAll, ok) != 0;
        });
  }

  // Own tokens: their places at the ranks that host them.
  __device__ void placeAtHosts(uint32_t token, bool exists, uint32_t hosts, uint32_t* next,
                               uint32_t lower) const {
    for (uint32_t host = 0; host < a.shape.worldSize; ++host) {
      const bool isThere = (hosts >> host & 1U) != 0;
      const uint32_t there = __ballot_sync(kAll, isThere);
      const uint32_t place = next[host] + __popc(there & lower);
      if (exists) {
        a.work.tokenPlace[static_cast<uint64_t>(token) * a.shape.worldSize + host] =
            isThere ? static_cast<int32_t>(place) : -1;
      }
      __syncwarp();
      if (lane == 0) next[host] += __popc(there);
      __syncwarp();
    }
  }

  // A lane: notes one received token and its rows. False where what came cannot be: it would be out of bounds.
  __device__ bool placeRows(uint32_t source, uint32_t token, uint32_t received, const int32_t* chosen,
                            const float* weight, const uint32_t* next, const uint32_t* lanes,
                            uint32_t lower) const {
    const ReceivedRows& result = a.result;
    result.sourceToken[received] = static_cast<int32_t>(token);
    for (uint32_t k = 0; k < a.shape.numTopk; ++k) {
      const uint64_t at = static_cast<uint64_t>(received) * a.shape.numTopk + k;
      int32_t expert = -1;
      int32_t row = -1;
      if (chosen[k] >= 0 && hostOf(chosen[k]) == a.rank) {
        expert = chosen[k] - static_cast<int32_t>(a.rank * local);
        row = static_cast<int32_t>(next[expert] + __popc(lanes[expert] & lower));
        if (static_cast<uint32_t>(row) >= a.capacity.rows) {
          return call.refuse(Missing::kWrongChoice, source, token, static_cast<uint32_t>(chosen[k]));
        }
        result.rowToken[row] = static_cast<int32_t>(received);
      }
      result.tokenRow[at] = row;
      result.tokenExpert[at] = expert;
      result.tokenWeight[at] = weight[k];
    }
    return true;
  }

  // All threads: places of the block's chunk. Whether none was refused.
  __device__ bool place() const {
    for (uint32_t i = threadIdx.x; i < memory.warps * local; i += blockDim.x) words(memory.masks)[i] = 0;
    beginUnits();
    __syncthreads();
    bool ok = true;
    for (uint32_t unit = warp; ok && warp < memory.warps && unit < memory.units; unit += memory.warps) {
      ok = placeUnit(unit);
    }
    noteTotals();
    return __syncthreads_and(static_cast<int>(ok)) != 0;
  }

  // All threads: what the next kernel reads to find an expert's rows.
  __device__ void noteTotals() const {
    const uint32_t* begin = words(memory.expertBegin);
    const uint32_t stride = blockDim.x * gridDim.x;
    for (uint32_t expert = blockIdx.x; expert < local; expert += gridDim.x) {
      uint32_t rows = 0;
      for (uint32_t source = 0; source < a.shape.worldSize; ++source) rows += totals(source)[expert];
      if (threadIdx.x == 0) a.result.count[expert] = static_cast<int32_t>(rows);
      for (uint32_t row = begin[expert] + rows + threadIdx.x; row < begin[expert + 1]; row += blockDim.x) {
        a.result.rowToken[row] = -1;
      }
    }
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    for (uint32_t i = thread; i <= local; i += stride)
      a.result.expertBegin[i] = static_cast<int32_t>(begin[i]);
    for (uint32_t i = thread; i <= a.shape.worldSize; i += stride) {
      a.result.sourceBegin[i] = static_cast<int32_t>(tokensBefore(i, a.rank));
    }
  }
};

}  // namespace railrunner::moe::cuda::high_throughput
