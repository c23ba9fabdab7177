#pragma once

#include "moe/cuda/high_throughput/layout.cuh"

// The layout step's second part: from the counts to where each received token and each of its rows belong.
namespace railrunner::moe::cuda::high_throughput {

struct PlaceStep : LayoutStep {
  using LayoutStep::LayoutStep;

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
        a.work.chunks[call.block * a.shape.worldSize + source] = {first, at - first};
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
    return forEachGroup(source, groups, memory.oneStage(groups.end - groups.begin), true,
                        [&](uint32_t group, uint32_t token) {
                          const uint32_t slot = (group * kGroupTokens + lane) * numTopk;
                          const int32_t* chosen = ids() + slot;
                          const bool exists = token < numTokens[source];
                          uint32_t hosts = 0;
                          for (uint32_t k = 0; exists && k < numTopk; ++k) {
                            const int32_t id = chosen[turned(k)];
                            if (id < 0) continue;
                            const uint32_t host = hostOf(id);
                            hosts |= 1U << host;
                            if (host == a.rank) atomicOr(lanes + (id - host * local), 1U << lane);
                          }
                          __syncwarp();
                          const bool isHere = (hosts >> a.rank & 1U) != 0;
                          const uint32_t here = __ballot_sync(kAll, isHere);
                          const uint32_t first = next[local + a.rank];
                          __syncwarp();
                          if (source == a.rank) {
                            placeAtHosts(token, exists, hosts, next + local, lower);
                          } else if (lane == 0) {
                            next[local + a.rank] += __popc(here);
                          }
                          noteChoices(group, here, first);
                          const uint32_t received = first + __popc(here & lower);
                          if (isHere) a.result.sourceToken[received] = static_cast<int32_t>(token);
                          const bool ok =
                              !isHere || placeRows(source, token, received, slot, next, lanes, lower);
                          __syncwarp();
                          noteRows(group, here, first);
                          moveOn(isHere, chosen, next, lanes, lower);
                          __syncwarp();
                          return __all_sync(kAll, ok) != 0;
                        });
  }

  // A group, after all lanes have read where their rows are: each expert moves on by as many as chose it, once, by the
  // first of them.
  __device__ void moveOn(bool isHere, const int32_t* chosen, uint32_t* next, uint32_t* lanes,
                         uint32_t lower) const {
    uint32_t first = 0;  // bit k: this lane is the first with choice k's expert
    for (uint32_t i = 0; isHere && i < a.shape.numTopk; ++i) {
      const uint32_t k = turned(i);
      if (chosen[k] < 0 || hostOf(chosen[k]) != a.rank) continue;
      first |= (lanes[chosen[k] - a.rank * local] & lower) == 0 ? 1U << k : 0;
    }
    __syncwarp();
    for (uint32_t left = first; left != 0; left &= left - 1) {
      const uint32_t expert = chosen[__ffs(left) - 1] - a.rank * local;
      next[expert] += __popc(lanes[expert]);
      lanes[expert] = 0;
    }
  }

  // Own tokens: their places at the ranks that host them.
  __device__ void placeAtHosts(uint32_t token, bool exists, uint32_t hosts, uint32_t* next,
                               uint32_t lower) const {
    if (exists) a.work.tokenHosts[token] = hosts;
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

  // A group: what of each choice of the tokens that are here goes where, choice by choice, so that stores are of
  // neighbours. `first`: number of the first of these tokens.
  template <class Store>
  __device__ void forEachReceivedChoice(uint32_t group, uint32_t here, uint32_t first, Store&& store) const {
    const uint32_t numTopk = a.shape.numTopk;
    const uint32_t slots = group * kGroupTokens * numTopk;
    uint32_t token = lane / numTopk;
    uint32_t k = lane - token * numTopk;
    const uint32_t tokenStep = 32 / numTopk;
    const uint32_t choiceStep = 32 - tokenStep * numTopk;
    for (uint32_t i = lane; i < kGroupTokens * numTopk; i += 32) {
      if ((here >> token & 1U) != 0) {
        const uint64_t received = first + __popc(here & ((1U << token) - 1));
        store(received * numTopk + k, slots + i);
      }
      token += tokenStep;
      k += choiceStep;
      if (k >= numTopk) {
        k -= numTopk;
        ++token;
      }
    }
  }
  __device__ void noteChoices(uint32_t group, uint32_t here, uint32_t first) const {
    forEachReceivedChoice(group, here, first, [this](uint64_t at, uint32_t slot) {
      const int32_t id = ids()[slot];
      const bool isHosted = id >= 0 && hostOf(id) == a.rank;
      a.result.tokenExpert[at] = isHosted ? id - static_cast<int32_t>(a.rank * local) : -1;
      a.result.tokenWeight[at] = weights()[slot];
    });
    __syncwarp();
  }
  // After placeRows().
  __device__ void noteRows(uint32_t group, uint32_t here, uint32_t first) const {
    forEachReceivedChoice(group, here, first, [this](uint64_t at, uint32_t slot) {
      a.result.tokenRow[at] = reinterpret_cast<const int32_t*>(weights())[slot];
    });
  }

  // A lane: rows of one received token, noted where its weights were (they are stored already). False where what came
  // cannot be: it would be out of bounds.
  __device__ bool placeRows(uint32_t source, uint32_t token, uint32_t received, uint32_t slot,
                            const uint32_t* next, const uint32_t* lanes, uint32_t lower) const {
    const int32_t* chosen = ids() + slot;
    auto* rows = reinterpret_cast<int32_t*>(weights()) + slot;
    bool ok = true;
    for (uint32_t i = 0; i < a.shape.numTopk; ++i) {
      const uint32_t k = turned(i);
      const int32_t id = chosen[k];
      int32_t row = -1;
      if (id >= 0 && hostOf(id) == a.rank) {
        const uint32_t expert = id - a.rank * local;
        row = static_cast<int32_t>(next[expert] + __popc(lanes[expert] & lower));
        if (static_cast<uint32_t>(row) >= a.capacity.rows) {
          ok = call.refuse(Missing::kWrongChoice, source, token, static_cast<uint32_t>(id));
          row = -1;
        } else {
          a.result.rowToken[row] = static_cast<int32_t>(received);
        }
      }
      rows[k] = row;
    }
    return ok;
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
    const uint32_t stride = blockDim.x * call.blocks;
    for (uint32_t expert = call.block; expert < local; expert += call.blocks) {
      uint32_t rows = 0;
      for (uint32_t source = 0; source < a.shape.worldSize; ++source) rows += totals(source)[expert];
      if (threadIdx.x == 0) a.result.count[expert] = static_cast<int32_t>(rows);
      for (uint32_t row = begin[expert] + rows + threadIdx.x; row < begin[expert + 1]; row += blockDim.x) {
        a.result.rowToken[row] = -1;
      }
    }
    const uint32_t thread = call.block * blockDim.x + threadIdx.x;
    for (uint32_t i = thread; i <= local; i += stride)
      a.result.expertBegin[i] = static_cast<int32_t>(begin[i]);
    for (uint32_t i = thread; i <= a.shape.worldSize; i += stride) {
      a.result.sourceBegin[i] = static_cast<int32_t>(tokensBefore(i, a.rank));
    }
  }
};

}  // namespace railrunner::moe::cuda::high_throughput
