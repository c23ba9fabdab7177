#pragma once

#include "moe/cuda/high_throughput/arguments.h"
#include "moe/cuda/high_throughput/bulk.cuh"

// What the kernels of a call share: its epoch, the peers' memory, waits and refusals.
namespace railrunner::moe::cuda::high_throughput {

// Groups of kGroupTokens tokens of a source that block `block` of `blocks` has: by any rank the same, so that what a
// host's block has summed is what the owner's block of the same number reads.
struct GroupRange {
  uint32_t begin;
  uint32_t end;
};
__device__ inline GroupRange part(uint32_t groups, uint32_t index, uint32_t parts) {
  return {static_cast<uint32_t>(static_cast<uint64_t>(groups) * index / parts),
          static_cast<uint32_t>(static_cast<uint64_t>(groups) * (index + 1) / parts)};
}
__device__ inline uint32_t groupsOf(uint32_t numTokens) {
  return (numTokens + kGroupTokens - 1) / kGroupTokens;
}

struct Call {
  const CallArguments& a;
  uint32_t epoch;
  uint32_t block;   // among those that do the same
  uint32_t blocks;  // that do the same

  __device__ explicit Call(const CallArguments& arguments) : Call(arguments, 0, gridDim.x) {}
  // One of `count` blocks of the grid, from number `first` on.
  __device__ Call(const CallArguments& arguments, uint32_t first, uint32_t count)
      : a(arguments), block(blockIdx.x - first), blocks(count) {
    epoch = a.epoch + (a.epochBase != nullptr ? *a.epochBase : 0);
  }
  __device__ uint32_t layoutEpoch() const { return a.layout != 0 ? a.layout : epoch; }
  __device__ std::byte* at(uint32_t rank, uint64_t offset) const { return a.base[rank] + offset; }
  __device__ uint64_t* words(uint32_t rank, uint64_t offset) const {
    return reinterpret_cast<uint64_t*>(at(rank, offset));
  }

  // Where the row of a source's token is read: at the source, or where all were gathered.
  __device__ const std::byte* rowAt(uint32_t source, uint32_t token) const {
    const uint32_t holder = a.gathered != 0 ? a.rank : source;
    return at(holder,
              a.map.xOffset(a.shape, a.map.slots > 1 ? source : 0) + token * a.shape.payloadRowBytes());
  }
  __device__ const std::byte* scalesAt(uint32_t source, uint32_t token) const {
    const uint32_t holder = a.gathered != 0 ? a.rank : source;
    return at(holder, a.map.scalesOffset(a.shape, a.map.slots > 1 ? source : 0) +
                          static_cast<uint64_t>(token) * a.map.scaleBytes);
  }

  // One block, all threads: what this stream has stored before is whole, and the peers may read it.
  __device__ void announce() const {
    if (a.seam.silent != 0) return;
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += blockDim.x) {
      storeRelaxed(words(peer, a.map.layouts) + a.rank, layoutEpoch());
      storeRelease(words(peer, a.map.ready) + a.rank, wordOf(epoch, a.numTokens));
    }
  }

  // Tells the host what was refused, once per call. False, for the caller to return.
  __device__ bool refuse(Missing wrong, uint32_t rank, uint32_t index, uint32_t value) const {
    if (atomicCAS(&a.control->failed, 0U, 1U) == 0U) {
      a.control->rank = rank;
      a.control->missing = static_cast<uint32_t>(wrong);
      a.control->index = index;
      a.control->epoch = epoch;
      a.control->value = value;
      __threadfence_system();
    }
    return false;
  }

  // Spins until the word carries this call's epoch or a later one: graphs run ahead.
  __device__ bool await(const uint64_t* word, uint64_t* value, Missing missing, uint32_t rank,
                        uint32_t index) const {
    for (uint32_t polls = 1;; ++polls) {
      *value = loadAcquire(word);
      if (static_cast<int32_t>(static_cast<uint32_t>(*value >> 32) - epoch) >= 0) return true;
      if ((polls & 1023U) == 0 && isWaitOver(*a.control, missing, rank, index, epoch)) return false;
    }
  }

  // Until a source's row is in its slot here, where copy engines bring them in pieces.
  __device__ bool awaitPiece(uint32_t source, uint32_t token, uint32_t numTokens) const {
    const uint32_t piece = token / tokensOfPiece(numTokens, a.gatherPieces);
    const uint64_t* word = words(a.rank, a.map.pushed) + static_cast<uint64_t>(source) * kMostBlocks + piece;
    uint64_t unused = 0;
    return await(word, &unused, Missing::kGathered, source, piece);
  }

  // All received tokens of a source.
  __device__ ChunkRange receivedFrom(uint32_t source) const {
    const int32_t* begin = a.result.sourceBegin + source;
    const auto first = static_cast<uint32_t>(__ldcg(begin));
    return {first, static_cast<uint32_t>(__ldcg(begin + 1)) - first};
  }

  // A lane or thread per source: until it is ready. Its number of tokens.
  __device__ bool awaitReady(uint32_t source, uint32_t* numTokens) const {
    uint64_t word = 0;
    if (!await(words(a.rank, a.map.ready) + source, &word, Missing::kBegun, source, 0)) return false;
    *numTokens = static_cast<uint32_t>(word);
    if (*numTokens > a.shape.maxDispatchTokensPerRank)
      return refuse(Missing::kWrongTokens, source, 0, *numTokens);
    const uint64_t layout = loadRelaxed(words(a.rank, a.map.layouts) + source);
    // One that runs ahead in a graph has a later epoch where every call makes a layout of its own.
    if (a.layout != 0 && layout != a.layout) {
      return refuse(Missing::kWrongLayout, source, 0, static_cast<uint32_t>(layout));
    }
    return true;
  }

  // All threads of all blocks that do the same. False where the host has ended the waits.
  __device__ bool meet() const {
    __shared__ uint32_t met;
    __syncthreads();
    if (threadIdx.x == 0) {
      uint32_t* arrivals = a.work.meeting;
      auto* generation = a.work.meeting + 1;
      const uint32_t before = *reinterpret_cast<volatile uint32_t*>(generation);
      __threadfence();
      met = 1;
      if (atomicAdd(arrivals, 1U) + 1 == blocks) {
        *reinterpret_cast<volatile uint32_t*>(arrivals) = 0;
        __threadfence();
        atomicAdd(generation, 1U);
      } else {
        for (uint32_t polls = 1; *reinterpret_cast<volatile uint32_t*>(generation) == before; ++polls) {
          if ((polls & 1023U) != 0 || *reinterpret_cast<volatile uint32_t*>(&a.control->abort) == 0) continue;
          met = 0;
          break;
        }
      }
      __threadfence();
    }
    __syncthreads();
    return met != 0;
  }
};

}  // namespace railrunner::moe::cuda::high_throughput
