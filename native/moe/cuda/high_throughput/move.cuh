#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/layout_memory.h"

// The wire of dispatch: each warp brings one piece of one row at a time from its source into shared memory and stores
// it where it belongs. As many warps as pieces fit keep the link full; each takes the next piece when it is free. Blocks move
// what they have placed; where copy engines bring rows into slots meanwhile they take all rows in turn, own ones first, then
// those of others in the order of tokens.
namespace railrunner::moe::cuda::high_throughput {

// One row's piece, as lane 0 knows it; row < 0: none.
struct MoveItem {
  uint32_t received;
  uint32_t source;
  uint32_t token;
  uint32_t piece;
};

struct Mover {
  const Call& call;
  const CallArguments& a;
  const ChunkRange* chunks;   // [worldSize], shared memory: this block's part of each source, or all of each
  const uint32_t* numTokens;  // [worldSize], shared memory
  uint32_t ownFirst;          // own tokens that precede all others
  uint32_t others;            // sources that take turns after them
  uint32_t most;              // tokens of the longest of these
  uint32_t pieces;
  uint32_t pieceBytes;
  uint32_t* cursor;  // shared memory: items that were taken
  std::byte* slot;
  uint64_t* barrier;
  uint32_t lane;
  uint32_t parity = 0;

  // Lane 0: the next piece that is one. Neighbouring ones are of different sources, from this rank's next on.
  __device__ bool take(MoveItem& item) const {
    const uint32_t items = (ownFirst + most * others) * pieces;
    for (;;) {
      uint32_t index = atomicAdd(cursor, 1U);
      if (a.gatherPieces != 0) index = index * gridDim.x + blockIdx.x;
      if (index >= items) return false;
      uint32_t n = index / pieces;
      item.piece = index - n * pieces;
      item.source = a.rank;
      if (n >= ownFirst) {
        const uint32_t row = n - ownFirst;
        n = row / others;
        item.source = (a.rank + 1 + row - n * others) % a.shape.worldSize;
      }
      if (n >= chunks[item.source].count) continue;
      item.received = chunks[item.source].first + n;
      item.token = static_cast<uint32_t>(__ldcg(a.result.sourceToken + item.received));
      return true;
    }
  }

  // Lane 0: until the row can be loaded. False if the wait ended.
  __device__ bool awaitRow(const MoveItem& item) const {
    if (a.gatherPieces == 0 || item.source == a.rank) return true;
    const bool ok = call.awaitPiece(item.source, item.token, numTokens[item.source]);
    fenceProxy();
    return ok;
  }

  __device__ uint32_t bytesOf(const MoveItem& item) const {
    const auto rowBytes = static_cast<uint32_t>(a.shape.payloadRowBytes());
    return min(pieceBytes, rowBytes - item.piece * pieceBytes);
  }

  __device__ void load(const MoveItem& item) const {
    const uint32_t bytes = bytesOf(item);
    const uint32_t scaleBytes = item.piece == 0 ? a.map.scaleBytes : 0;
    arriveExpecting(barrier, bytes + scaleBytes);
    bulkLoad(slot, call.rowAt(item.source, item.token) + item.piece * pieceBytes, bytes, barrier);
    if (scaleBytes != 0) {
      bulkLoad(slot + pieceBytes, call.scalesAt(item.source, item.token), scaleBytes, barrier);
    }
  }

  // Lane 0: the piece to one row of x; bulk copies take scales where their rows begin at 16 bytes.
  __device__ void store(const MoveItem& item, uint64_t row) const {
    bulkStore(a.result.x + row * a.shape.payloadRowBytes() + item.piece * pieceBytes, slot, bytesOf(item));
    if (item.piece != 0 || a.map.scaleBytes != 4 * a.shape.numScales()) return;
    bulkStore(a.result.scales + row * a.shape.numScales(), slot + pieceBytes, a.map.scaleBytes);
  }
  // All lanes, where they do not.
  __device__ void storeScales(const MoveItem& item, uint64_t row) const {
    const uint32_t numScales = a.shape.numScales();
    if (item.piece != 0 || a.map.scaleBytes == 0 || a.map.scaleBytes == 4 * numScales) return;
    const auto* scales = reinterpret_cast<const float*>(slot + pieceBytes);
    for (uint32_t i = lane; i < numScales; i += 32) a.result.scales[row * numScales + i] = scales[i];
  }

  // All lanes.
  __device__ void run() {
    const bool rankMajor = a.shape.outputLayout == OutputLayout::kRankMajor;
    MoveItem item{};
    uint32_t more = 0;
    if (lane == 0) more = take(item) ? 1 : 0;
    for (;;) {
      if (lane == 0 && more != 0) more = awaitRow(item) ? 1 : 0;
      if (__shfl_sync(kAll, more, 0) == 0) break;
      if (lane == 0) load(item);
      MoveItem now;
      now.received = __shfl_sync(kAll, item.received, 0);
      now.piece = __shfl_sync(kAll, item.piece, 0);
      int32_t row = -1;
      if (rankMajor) {
        row = lane == 0 ? static_cast<int32_t>(now.received) : -1;
      } else if (lane < a.shape.numTopk) {
        row = __ldcg(a.result.tokenRow + static_cast<uint64_t>(now.received) * a.shape.numTopk + lane);
      }
      if (lane == 0) more = take(item) ? 1 : 0;
      awaitBarrier(barrier, parity);
      parity ^= 1U;
      for (uint32_t left = __ballot_sync(kAll, row >= 0); left != 0; left &= left - 1) {
        const auto to = static_cast<uint64_t>(__shfl_sync(kAll, row, __ffs(left) - 1));
        if (lane == 0) store(now, to);
        storeScales(now, to);
      }
      __syncwarp();
      if (lane == 0) {
        commitStores();
        awaitStoresRead();
      }
    }
    if (lane == 0) awaitStores();
  }
};

}  // namespace railrunner::moe::cuda::high_throughput
