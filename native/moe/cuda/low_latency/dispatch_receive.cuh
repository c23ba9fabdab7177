#pragma once

#include "moe/cuda/low_latency/dispatch_send.cuh"

// The second part of dispatch's receiving blocks: messages become rows of their experts.
namespace railrunner::moe::cuda {

// What a source's record says of one token, as each lane of the receiving warp holds it.
struct Arrival {
  uint32_t place =
      kNone;  // of choice `lane`: local expert * maxDispatchTokensPerRank + index, kNone where it is not for this rank
  uint32_t weight = kNone;  // its weight's bits
  uint32_t copy = kNone;    // of the whole message among those of its source; kNone: none comes
  int64_t row = -1;         // of x for choice `lane` (rankMajor: for the message, in lane 0)
};

// The lane that reads a record's last word and notes the message: behind those of the choices, or lane 0 as well where
// 32 choices take every lane.
__device__ inline uint32_t messageLane(uint32_t numTopk) { return numTopk % 32; }

// False when the wait was ended from outside, or the record is refused.
template <bool kNetwork>
__device__ inline bool readRecord(const Call<kNetwork>& call, const Slice& slice, uint32_t source,
                                  uint32_t lane, Arrival& arrival) {
  const KernelArguments& a = call.a;
  const uint32_t numTopk = a.shape.numTopk;
  const uint64_t* record =
      call.planFrom(source, a.map.records) + static_cast<uint64_t>(slice.token) * recordWords(numTopk);
  bool ok = true;
  if (lane < numTopk) {
    ok = call.awaitWord(record + lane, &arrival.place, Missing::kRecord, source, slice.token) &&
         call.awaitWord(record + numTopk + lane, &arrival.weight, Missing::kRecord, source, slice.token);
  }
  if (ok && lane == messageLane(numTopk)) {
    ok = call.awaitWord(record + 2 * numTopk, &arrival.copy, Missing::kRecord, source, slice.token);
  }
  // They become indices: place of rows, counts and messages, copy of messages.
  if (ok && arrival.place != kNone &&
      arrival.place >= a.shape.numLocalExperts() * a.shape.maxDispatchTokensPerRank)
    ok = call.refuse(Missing::kWrongPlace, source, slice.token, arrival.place);
  if (ok && arrival.copy != kNone && arrival.copy >= a.shape.maxDispatchTokensPerRank)
    ok = call.refuse(Missing::kWrongCopy, source, slice.token, arrival.copy);
  if (!__all_sync(kAll, ok)) return false;
  // Without dedup each choice has a slot of its own, and there are no more slots than copies.
  if (!a.shape.dedup) {
    const uint32_t copies = __popc(__ballot_sync(kAll, arrival.place != kNone));
    if (copies > a.map.copies) return call.refuse(Missing::kWrongCopies, source, slice.token, copies);
  }
  arrival.copy = __shfl_sync(kAll, arrival.copy, messageLane(numTopk));
  return true;
}

// How many tokens of `source` a local expert gets. False when the wait was ended from outside, or the count is
// refused: more than the source may have would move later rows out of their expert's.
template <bool kNetwork>
__device__ inline bool awaitCount(const Call<kNetwork>& call, uint32_t source, uint32_t expert,
                                  uint32_t* count) {
  const KernelArguments& a = call.a;
  if (!call.awaitWord(call.planFrom(source, a.map.counts) + expert, count, Missing::kCount, source, expert))
    return false;
  return *count <= a.shape.maxDispatchTokensPerRank ||
         call.refuse(Missing::kWrongCount, source, expert, *count);
}

// Rows of a source begin behind those of the sources before it. False when a wait was ended from outside, or a
// count is refused.
template <bool kNetwork>
__device__ inline bool findRow(const Call<kNetwork>& call, uint32_t source, uint32_t lane, Arrival& arrival) {
  const KernelArguments& a = call.a;
  bool ok = true;
  if (a.shape.outputLayout == OutputLayout::kRankMajor) {
    if (lane == 0)
      arrival.row = static_cast<int64_t>(source) * a.shape.maxDispatchTokensPerRank + arrival.copy;
  } else if (arrival.place != kNone) {
    const uint32_t expert = arrival.place / a.shape.maxDispatchTokensPerRank;
    uint32_t begin = 0;
    for (uint32_t s = 0; s < source && ok; ++s) {
      uint32_t count = 0;
      ok = awaitCount(call, s, expert, &count);
      begin += count;
    }
    arrival.row = static_cast<int64_t>(expert) * a.shape.maxReceivedTokens() + begin +
                  (arrival.place - expert * a.shape.maxDispatchTokensPerRank);
  }
  return __all_sync(kAll, ok) != 0;
}

// What combine and the caller need to know of the message.
__device__ inline void noteMessage(const KernelArguments& a, uint32_t token, uint32_t source, uint32_t lane,
                                   const Arrival& arrival) {
  const DispatchResult& result = a.result;
  const uint32_t numTopk = a.shape.numTopk;
  const bool rankMajor = a.shape.outputLayout == OutputLayout::kRankMajor;
  const uint64_t message = static_cast<uint64_t>(source) * a.shape.maxDispatchTokensPerRank + arrival.copy;
  if (lane < numTopk) {
    int32_t row = -1;
    if (arrival.place != kNone) {
      row = rankMajor ? static_cast<int32_t>(arrival.place / a.shape.maxDispatchTokensPerRank)
                      : static_cast<int32_t>(arrival.row);
    }
    result.messageRow[message * numTopk + lane] = row;
    result.messageWeight[message * numTopk + lane] = __uint_as_float(arrival.weight);
    if (source == a.rank && !rankMajor) result.ownRow[static_cast<uint64_t>(token) * numTopk + lane] = row;
  }
  if (lane == messageLane(numTopk)) result.messageToken[message] = static_cast<int32_t>(token);
  if (arrival.row >= 0) result.sourceToken[arrival.row] = static_cast<int32_t>(token);
}

// The slice from where it lies to every row that it becomes. Without dedup each row has a slot of its own.
template <bool kFp8>
__device__ void placeRows(const KernelArguments& a, const Slice& slice, const std::byte* slot, bool oneSlot,
                          int64_t target, std::byte* row, RowCopies& copies) {
  const DispatchResult& result = a.result;
  const uint32_t bytes = slice.numBlocks * blockBytes<kFp8>();
  const uint32_t offset = slice.firstBlock * blockBytes<kFp8>();
  const uint64_t scaleOffset = a.shape.payloadRowBytes() + 4 * slice.firstBlock;
  float* scales = scalesOf(slice, row);
  bool loaded = false;
  for (uint32_t pending = __ballot_sync(kAll, target >= 0); pending != 0; pending &= pending - 1) {
    if (!loaded) {
      copies.finishReading();
      copies.expectLoads(bytes + scaleBytes<kFp8>(slice));
      copies.addLoad(row, slot + offset, bytes);
      if (kFp8) copies.addLoad(scales, slot + scaleOffset, scaleBytes<kFp8>(slice));
      copies.finishLoad();
      loaded = oneSlot;
    }
    const int64_t place = __shfl_sync(kAll, target, __ffs(pending) - 1);
    copies.startStore(result.x + place * a.shape.payloadRowBytes() + offset, row, bytes);
    copies.commit();
    if (kFp8) {
      float* targetScales = result.scales + place * a.shape.numScales() + slice.firstBlock;
      for (uint32_t i = copies.lane; i < slice.numBlocks; i += 32) targetScales[i] = scales[i];
    }
    if (!oneSlot) slot += a.map.messageBytes;
  }
}

// A receiving warp: one slice of one source's token. False when the wait was ended from outside.
template <bool kFp8, bool kNetwork>
__device__ bool receiveSlice(const Call<kNetwork>& call, const Slice& slice, uint32_t source, std::byte* row,
                             RowCopies& copies) {
  const KernelArguments& a = call.a;
  const uint32_t lane = copies.lane;
  const uint32_t numTopk = a.shape.numTopk;
  Arrival arrival;
  if (!readRecord(call, slice, source, lane, arrival)) return false;
  if (arrival.copy == kNone) {
    if (source == a.rank && slice.index == 0 && lane < numTopk) {
      a.result.ownRow[static_cast<uint64_t>(slice.token) * numTopk + lane] = -1;
    }
    return true;
  }
  if (!findRow(call, source, lane, arrival)) return false;
  if (slice.index == 0) noteMessage(a, slice.token, source, lane, arrival);

  const bool inPlace = !kFp8 && source == a.rank;
  bool ok = true;
  if (lane == 0 && !inPlace) ok = call.awaitRow(source, slice.token, slice.index, Missing::kRow);
  if (!__shfl_sync(kAll, static_cast<uint32_t>(ok), 0)) return false;
  RowCopies::fenceProxy();
  const std::byte* slot =
      inPlace ? reinterpret_cast<const std::byte*>(a.x) + slice.token * a.shape.payloadRowBytes()
              : call.from(source, call.rowOffset(slice.token));
  placeRows<kFp8>(a, slice, slot, a.shape.dedup || inPlace, arrival.row, row, copies);
  return true;
}

// One warp of each receiving block: what the counts add up to.
template <bool kNetwork>
__device__ inline void receiveCounts(const Call<kNetwork>& call, uint32_t lane, uint32_t block,
                                     uint32_t numBlocks) {
  const KernelArguments& a = call.a;
  const uint32_t worldSize = a.shape.worldSize;
  const bool rankMajor = a.shape.outputLayout == OutputLayout::kRankMajor;
  const uint32_t experts = rankMajor ? 0 : a.shape.numLocalExperts();
  for (uint32_t item = block; item < experts + worldSize; item += numBlocks) {
    if (item >= experts) {
      const uint32_t source = item - experts;
      uint32_t count = 0;
      if (lane != 0 || !call.awaitWord(call.planFrom(source, a.map.messageCount), &count,
                                       Missing::kMessageCount, source, 0)) {
        continue;
      }
      if (count > a.shape.maxDispatchTokensPerRank) {
        call.refuse(Missing::kWrongMessageCount, source, 0, count);
        return;
      }
      a.result.messageCount[source] = static_cast<int32_t>(count);
      if (!rankMajor) continue;
      a.result.count[source] = static_cast<int32_t>(count);
      a.result.layoutRange[source] =
          static_cast<uint64_t>(source) * a.shape.maxDispatchTokensPerRank << 32 | count;
      continue;
    }
    uint32_t begin = 0;
    for (uint32_t base = 0; base < worldSize; base += 32) {
      const uint32_t source = base + lane;
      uint32_t count = 0;
      bool ok = true;
      if (source < worldSize) ok = awaitCount(call, source, item, &count);
      if (!__all_sync(kAll, ok)) return;
      uint32_t until = count;
      for (uint32_t step = 1; step < 32; step *= 2) {
        const uint32_t below = __shfl_up_sync(kAll, until, step);
        if (lane >= step) until += below;
      }
      if (source < worldSize) {
        a.result.layoutRange[static_cast<uint64_t>(item) * worldSize + source] =
            static_cast<uint64_t>(begin + until - count) << 32 | count;
      }
      begin += __shfl_sync(kAll, until, 31);
    }
    if (lane == 0) a.result.count[item] = static_cast<int32_t>(begin);
  }
}

// The receiving blocks' second part: a warp per message's slice.
template <bool kFp8, bool kNetwork>
__device__ void receiveTokens(const Call<kNetwork>& call, std::byte* rows, uint64_t* barriers,
                              uint32_t* numTokens, uint32_t block, uint32_t numBlocks) {
  const KernelArguments& a = call.a;
  const uint32_t warp = threadIdx.x / 32;
  const uint32_t lane = threadIdx.x % 32;
  bool ok = true;
  for (uint32_t source = threadIdx.x; source < a.shape.worldSize; source += kThreads) {
    uint32_t count = 0;
    ok = call.awaitBegun(source, &count);
    numTokens[source] = count;
    if (block == 0) a.result.tokenCount[source] = static_cast<int32_t>(count);
  }
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return;
  if (warp >= kReceivingWarps) {
    if (warp == kReceivingWarps) receiveCounts(call, lane, block, numBlocks);
    return;
  }
  uint32_t most = 0;
  for (uint32_t source = 0; source < a.shape.worldSize; ++source) most = max(most, numTokens[source]);
  RowCopies copies(barriers + warp, lane);
  copies.prepare();
  __syncwarp();
  std::byte* row = rows + static_cast<uint64_t>(warp) * dispatchSliceBytes(a.shape, a.slices);
  const uint32_t worldSize = a.shape.worldSize;
  for (uint32_t unit = block + numBlocks * warp; ok && unit < most * a.slices * worldSize;
       unit += numBlocks * kReceivingWarps) {
    const Slice slice(a, unit / worldSize);
    const uint32_t source = unit % worldSize;
    if (slice.token < numTokens[source]) ok = receiveSlice<kFp8>(call, slice, source, row, copies);
  }
  call.stamp(4 + min(warp, 2U));
  copies.finishReading();  // what was stored is whole when the grid ends
}

}  // namespace railrunner::moe::cuda
