#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/layout_memory.h"
#include "moe/cuda/high_throughput/sums.cuh"

// How combine sums rows: a warp that loads brings them, piece by piece, into a ring in shared memory, and a team of warps
// adds them up. Each team has a ring and a loading warp of its own: in a ring that teams shared, one that passes over the
// others' pieces could take a slot for filled whose earlier load has not come yet, since a barrier tells neighbouring
// rounds apart and no more.
namespace railrunner::moe::cuda::high_throughput {

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
__device__ inline Ring ringOf(std::byte* shared, uint32_t team, uint32_t slots, uint32_t slotBytes) {
  auto* barriers = reinterpret_cast<uint64_t*>(shared + static_cast<uint64_t>(kTeams) * slots * slotBytes);
  uint64_t* full = barriers + 2ULL * team * slots;
  return {shared + static_cast<uint64_t>(team) * slots * slotBytes, full, full + slots, slots, slotBytes};
}

// A loading warp: row `row` of each lane that is in `mask`, from where from(lane) says that its rows begin. All pieces of a
// token's rows that are added up follow each other.
template <class From>
__device__ inline void loadRows(const CallArguments& a, Ring& ring, uint32_t mask, int32_t row, uint32_t lane,
                                From&& from) {
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
  for (uint32_t offset = 0; offset < rowBytes; offset += pieceBytes) {
    const uint32_t bytes = min(pieceBytes, static_cast<uint32_t>(rowBytes) - offset);
    for (uint32_t left = mask; left != 0; left &= left - 1) {
      const uint32_t which = __ffs(left) - 1;
      const auto at = static_cast<uint64_t>(__shfl_sync(kAll, row, which));
      if (lane == 0) {
        awaitBarrier(ring.empty + ring.slot, ring.parity ^ 1U);
        arriveExpecting(ring.full + ring.slot, bytes);
        bulkLoad(ring.piece(), from(which) + at * rowBytes + offset, bytes, ring.full + ring.slot);
      }
      __syncwarp();
      ring.next();
    }
  }
}

// Where a team's sums go: to memory, by every thread.
struct DirectOut {
  std::byte* to;
  __device__ void begin() const {}
  __device__ void put(uint32_t offset, uint32_t unit, uint4 value) const {
    storeOnce(to + offset + unit * 16ULL, value);
  }
  __device__ void end(uint32_t, uint32_t) const {}
};

// Through shared memory, a piece of a row at once by the bulk copy engine: stores of a warp cross the links as many small
// packets, which carry about two thirds of what bulk stores do. The team's first thread owns their completion.
struct StagedOut {
  std::byte* to;
  std::byte* stage;
  uint32_t team;
  uint32_t thread;

  __device__ void begin() const {
    if (thread == 0) awaitStoresRead();
    groupBarrier(team, 32 * kTeamWarps);
  }
  __device__ void put(uint32_t, uint32_t unit, uint4 value) const {
    reinterpret_cast<uint4*>(stage)[unit] = value;
  }
  __device__ void end(uint32_t offset, uint32_t bytes) const {
    fenceProxy();
    groupBarrier(team, 32 * kTeamWarps);
    if (thread != 0) return;
    bulkStore(to + offset, stage, bytes);
    commitStores();
  }
};

// A team: adds up the rows that loadRows() brings for `mask`, in the order of its bits; kScaled: each times the weight of
// its lane.
template <bool kScaled, class Out>
__device__ inline void sumRows(const CallArguments& a, Ring& ring, uint32_t mask, float weight,
                               const Out& out, uint32_t thread) {
  constexpr uint32_t kThreads = 32 * kTeamWarps;
  constexpr uint32_t kUnits = kMostPieceBytes / 16 / kThreads;  // of a thread in a piece
  const uint64_t rowBytes = a.shape.bf16RowBytes();
  const uint32_t pieceBytes = pieceBytesOf(rowBytes);
  for (uint32_t offset = 0; offset < rowBytes; offset += pieceBytes) {
    const uint32_t numUnits = min(pieceBytes, static_cast<uint32_t>(rowBytes) - offset) / 16;
    float sums[kUnits][8] = {};
    for (uint32_t left = mask; left != 0; left &= left - 1) {
      const float factor = kScaled ? __shfl_sync(kAll, weight, __ffs(left) - 1) : 1.0F;
      awaitBarrier(ring.full + ring.slot, ring.parity);
      const auto* row = reinterpret_cast<const uint4*>(ring.piece());
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        const uint32_t unit = thread + u * kThreads;
        if (unit >= numUnits) continue;
        if (kScaled) {
          addScaled(sums[u], row[unit], factor);
        } else {
          addRow(sums[u], row[unit]);
        }
      }
      __syncwarp();
      if (thread % 32 == 0 || a.seam.allArrive != 0) arrive(ring.empty + ring.slot);
      ring.next();
    }
    out.begin();
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t unit = thread + u * kThreads;
      if (unit < numUnits) out.put(offset, unit, rounded(sums[u]));
    }
    out.end(offset, numUnits * 16);
  }
}

}  // namespace railrunner::moe::cuda::high_throughput
