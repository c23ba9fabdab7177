#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/layout_memory.h"

// Sparse dispatch of rank-major rows by their sources, which need no counts for it: a row is stored into the source's slots
// at each peer that hosts one of its experts, at the position of its token. So rows leave while other blocks compute
// positions, as stores, which the links carry faster than loads, and a rank's own rows stay where they are: a multiprocessor
// moves 32 bytes per clock each way, whatever the other end is, and eight of them are enough for what crosses the links.
namespace railrunner::moe::cuda::high_throughput {

// The pieces that one warp pushes, in order; all lanes hold the same. A token's choices are asked for one token ahead.
struct Walk {
  const CallArguments& a;
  const int32_t* ids;
  uint32_t lane;
  uint32_t local;
  uint32_t end;
  uint32_t step;
  uint32_t pieces;
  uint32_t following;
  int32_t coming;
  uint32_t token = 0;
  uint32_t hosts = 0;  // bit of each peer that the row goes to
  uint32_t piece = 0;

  __device__ Walk(const Call& call, uint32_t begin, uint32_t until, uint32_t stride, uint32_t numPieces)
      : a(call.a),
        ids(reinterpret_cast<const int32_t*>(call.at(call.a.rank, call.a.map.ids))),
        lane(threadIdx.x % 32),
        local(call.a.shape.numLocalExperts()),
        end(until),
        step(stride),
        pieces(numPieces),
        following(begin),
        coming(choiceOf(begin)) {}

  __device__ int32_t choiceOf(uint32_t which) const {
    if (which >= end || lane >= a.shape.numTopk) return -1;
    return __ldcg(ids + static_cast<uint64_t>(which) * a.shape.numTopk + lane);
  }

  // A choice that is no expert goes nowhere here: the layout step refuses it.
  __device__ bool next() {
    if (hosts != 0 && ++piece < pieces) return true;
    piece = 0;
    do {
      token = following;
      hosts = 0;
      if (token >= end) return false;
      following += step;
      const int32_t id = coming;
      coming = choiceOf(following);
      const bool exists = id >= 0 && id < static_cast<int32_t>(a.shape.numExperts);
      hosts =
          __reduce_or_sync(kAll, exists ? 1U << (static_cast<uint32_t>(id) / local) : 0U) & ~(1U << a.rank);
    } while (hosts == 0);
    return true;
  }
};

struct PushRing {
  std::byte* slots;
  uint64_t* barriers;
  uint32_t pieceBytes;
  uint32_t slotBytes;
};

struct Pusher {
  const Call& call;
  const CallArguments& a;
  const PushRing& ring;
  uint32_t rowBytes;

  __device__ Pusher(const Call& theCall, const PushRing& theRing)
      : call(theCall),
        a(theCall.a),
        ring(theRing),
        rowBytes(static_cast<uint32_t>(theCall.a.shape.payloadRowBytes())) {}

  __device__ uint32_t bytesOf(const Walk& at) const {
    return min(ring.pieceBytes, rowBytes - at.piece * ring.pieceBytes);
  }
  __device__ std::byte* slot(uint32_t stage) const {
    return ring.slots + static_cast<uint64_t>(stage) * ring.slotBytes;
  }

  // Lane 0.
  __device__ void load(const Walk& at, uint32_t stage) const {
    const uint32_t scaleBytes = at.piece == 0 ? a.map.scaleBytes : 0;
    arriveExpecting(ring.barriers + stage, bytesOf(at) + scaleBytes);
    bulkLoad(slot(stage), call.rowAt(a.rank, at.token) + at.piece * ring.pieceBytes, bytesOf(at),
             ring.barriers + stage);
    if (scaleBytes == 0) return;
    bulkLoad(slot(stage) + ring.pieceBytes, call.scalesAt(a.rank, at.token), scaleBytes,
             ring.barriers + stage);
  }

  // Lane 0: one group of stores, from the next rank on, so that ranks do not meet at one peer.
  __device__ void store(const Walk& at, uint32_t stage) const {
    const uint64_t row = a.map.xOffset(a.shape, a.rank) + static_cast<uint64_t>(at.token) * rowBytes;
    const uint64_t scales =
        a.map.scalesOffset(a.shape, a.rank) + static_cast<uint64_t>(at.token) * a.map.scaleBytes;
    for (uint32_t step = 1; step < a.shape.worldSize; ++step) {
      const uint32_t peer = (a.rank + step) % a.shape.worldSize;
      if ((at.hosts >> peer & 1U) == 0) continue;
      bulkStore(call.at(peer, row + at.piece * ring.pieceBytes), slot(stage), bytesOf(at));
      if (at.piece == 0 && a.map.scaleBytes != 0) {
        bulkStore(call.at(peer, scales), slot(stage) + ring.pieceBytes, a.map.scaleBytes);
      }
    }
    commitStores();
  }
};

// A warp: until all peers have begun the call, so that their slots are free. False if the wait ended.
__device__ inline bool awaitPeers(const Call& call) {
  const uint32_t lane = threadIdx.x % 32;
  uint32_t unused = 0;
  const bool ok = lane >= call.a.shape.worldSize || call.awaitReady(lane, &unused);
  fenceProxy();
  return __all_sync(kAll, ok) != 0;
}

// A warp: tokens begin, begin + step, ... below end. Loads run kPushAhead pieces before stores, the first of them while peers
// still begin the call; a ring slot is loaded again once its stores have been read. False if a wait ended.
__device__ inline bool pushTokens(const Call& call, const PushRing& ring, uint32_t begin, uint32_t end,
                                  uint32_t step, uint32_t pieces) {
  constexpr uint32_t kStages = kPushStages;
  constexpr uint32_t kAhead = kPushAhead;
  static_assert(kAhead >= 1 && kAhead < kStages);
  const Pusher pusher(call, ring);
  const bool leads = threadIdx.x % 32 == 0;
  Walk loads(call, begin, end, step, pieces);
  Walk stores(call, begin, end, step, pieces);
  uint32_t loaded = 0;
  bool more = true;
  const auto load = [&] {
    more = more && loads.next();
    if (!more) return;
    if (leads) pusher.load(loads, loaded);
    loaded = loaded + 1 == kStages ? 0 : loaded + 1;
  };
  for (uint32_t i = 0; i < kAhead; ++i) load();
  if (!awaitPeers(call)) {
    for (uint32_t i = 0; i < loaded; ++i)
      awaitBarrier(ring.barriers + i, 0);  // no block may end before its copies
    return false;
  }
  uint32_t stage = 0;
  uint32_t parity = 0;
  while (stores.next()) {
    if (leads) awaitStoresReadBut<kStages - kAhead - 1>();
    __syncwarp();
    load();
    if (leads) {
      awaitBarrier(ring.barriers + stage, parity);
      pusher.store(stores, stage);
    }
    __syncwarp();
    if (++stage < kStages) continue;
    stage = 0;
    parity ^= 1U;
  }
  if (leads) awaitStores();
  return true;
}

// One thread per peer: the rows that this block has stored there are complete.
__device__ inline void publishRows(const Call& call) {
  const CallArguments& a = call.a;
  if (threadIdx.x >= a.shape.worldSize || a.seam.silent != 0) return;
  uint64_t* words = call.words(threadIdx.x, a.map.pushed);
  storeRelease(words + static_cast<uint64_t>(a.rank) * kMostBlocks + call.block, wordOf(call.epoch, 0));
}

// All threads of a block that pushes; `barriers`: [kMostPushWarps, kPushStages]. Ends when the rows that peers' blocks of the
// same number push are here too.
__device__ inline void pushShare(const Call& call, const PushPlan& plan, std::byte* shared,
                                 uint64_t* barriers) {
  const CallArguments& a = call.a;
  const uint32_t warp = threadIdx.x / 32;
  uint64_t* own = barriers + warp * kPushStages;
  if (warp < plan.warps && threadIdx.x % 32 == 0) {
    for (uint32_t stage = 0; stage < kPushStages; ++stage) initBarrier(own + stage, 1);
    fenceBarriers();
  }
  __syncwarp();
  if (a.seam.relaxed != 0) {
    publishRows(call);
    for (uint32_t i = 0; i < 100; ++i) __nanosleep(20'000);
  }
  fenceProxy();
  bool ok = true;
  if (warp < plan.warps) {
    const PushRing ring{shared + static_cast<uint64_t>(warp) * kPushStages * plan.slotBytes, own,
                        plan.pieceBytes, plan.slotBytes};
    const GroupRange tokens = part(a.numTokens, call.block, call.blocks);
    ok = pushTokens(call, ring, tokens.begin + warp, tokens.end, plan.warps, plan.pieces);
  }
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return;
  if (a.seam.relaxed == 0) publishRows(call);
  if (threadIdx.x >= a.shape.worldSize) return;
  uint64_t word = 0;
  const uint64_t* here = call.words(a.rank, a.map.pushed) + static_cast<uint64_t>(threadIdx.x) * kMostBlocks;
  call.await(here + call.block, &word, Missing::kGathered, threadIdx.x, call.block);
}

}  // namespace railrunner::moe::cuda::high_throughput
