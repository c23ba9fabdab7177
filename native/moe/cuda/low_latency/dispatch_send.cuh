#pragma once

#include <cuda_fp8.h>

#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/cuda/low_latency/network_send.cuh"
#include "moe/numerics.h"

// The sending blocks of dispatch: rows to the ranks that host their experts.
namespace railrunner::moe::cuda {

struct Slice {
  uint32_t token;
  uint32_t index;
  uint32_t firstBlock;  // of kScaleBlock channels
  uint32_t numBlocks;

  __device__ Slice(const KernelArguments& a, uint32_t unit) {
    token = unit / a.slices;
    index = unit - token * a.slices;
    firstBlock = firstBlockOf(a.shape, a.slices, index);
    numBlocks = firstBlockOf(a.shape, a.slices, index + 1) - firstBlock;
  }
};

template <bool kFp8>
__device__ uint32_t blockBytes() {
  return kFp8 ? kScaleBlock : 2 * kScaleBlock;
}

// Of a slice with its scales right behind its elements, as in a message, in shared memory.
template <bool kFp8>
__device__ uint32_t scaleBytes(const Slice& slice) {
  return kFp8 ? (4 * slice.numBlocks + 15) / 16 * 16 : 0;
}
__device__ inline float* scalesOf(const Slice& slice, std::byte* row) {
  return reinterpret_cast<float*>(row + slice.numBlocks * kScaleBlock);
}

// A group: a slice of bf16 channels becomes e4m3 codes with their scales behind them, all in shared memory. 16 lanes
// share a scale. A short loop: the code of an unrolled one takes longer to come than its work takes.
__device__ inline void quantizeSlice(const KernelArguments& a, const Slice& slice, uint32_t numThreads,
                                     const std::byte* channels, std::byte* row) {
  const uint32_t units = slice.numBlocks * 16;
  const uint32_t lane = threadIdx.x % 32;
  float* scales = scalesOf(slice, row);
  for (uint32_t base = threadIdx.x % numThreads - lane; base < units; base += numThreads) {
    const uint32_t unit = base + lane;
    const bool valid = unit < units;  // uniform over each half warp
    const uint4 loaded = valid ? reinterpret_cast<const uint4*>(channels)[unit] : uint4{0, 0, 0, 0};
    const uint32_t words[4] = {loaded.x, loaded.y, loaded.z, loaded.w};
    uint32_t largest = 0;  // magnitudes of finite bf16 are ordered as their bits are
#pragma unroll
    for (uint32_t word : words) {
      largest = max(largest, max(word & 0x7fffU, (word >> 16) & 0x7fffU));
    }
#pragma unroll
    for (uint32_t step = 8; step > 0; step /= 2) largest = max(largest, __shfl_xor_sync(kAll, largest, step));
    if (!valid) continue;
    const BlockScale scale = blockScale(bf16ToFloat(static_cast<uint16_t>(largest)), a.shape.roundScale);
    uint32_t out[2];
#pragma unroll
    for (uint32_t pair = 0; pair < 2; ++pair) {
      const uint32_t low = words[2 * pair];
      const uint32_t high = words[2 * pair + 1];
      const float2 first{multiplyRounded(floatFromBits(low << 16), scale.multiplier),
                         multiplyRounded(floatFromBits(low & 0xffff0000U), scale.multiplier)};
      const float2 second{multiplyRounded(floatFromBits(high << 16), scale.multiplier),
                          multiplyRounded(floatFromBits(high & 0xffff0000U), scale.multiplier)};
      out[pair] = __nv_cvt_float2_to_fp8x2(first, __NV_SATFINITE, __NV_E4M3) |
                  static_cast<uint32_t>(__nv_cvt_float2_to_fp8x2(second, __NV_SATFINITE, __NV_E4M3)) << 16;
    }
    reinterpret_cast<uint2*>(row)[unit] = uint2{out[0], out[1]};
    if ((unit & 15U) == 0) scales[unit / 16] = scale.scale;
  }
}

// A group's first warp: stores the slice to every rank that hosts one of its experts (or forwards to one that
// does), the next rank first, and publishes it there. One release serves all ranks: what it waits for is the
// link, the same for all of them.
template <bool kFp8, bool kNetwork>
__device__ void sendSlice(const Call<kNetwork>& call, const Slice& slice, int32_t id, std::byte* row,
                          RowCopies& copies) {
  const KernelArguments& a = call.a;
  const uint32_t lane = copies.lane;
  const uint32_t host = id >= 0 ? call.via(static_cast<uint32_t>(id) / a.shape.numLocalExperts()) : kNone;
  const uint32_t bytes = slice.numBlocks * blockBytes<kFp8>();
  const uint32_t offset = slice.firstBlock * blockBytes<kFp8>();
  const uint64_t flag = call.flag(slice.token, slice.index);
  // bf16 rows for this rank are read where they lie.
  const uint32_t steps = kFp8 ? a.shape.worldSize : a.shape.worldSize - 1;
  const uint32_t same = __match_any_sync(kAll, host);
  const bool publishes = host != kNone && (kFp8 || host != a.rank) && lane == __ffs(same) - 1;
  call.delay(1);
  if (a.seam.relaxedFlags != 0) {
    if (publishes) storeRelaxed(call.wordsTo(host, a.map.flags) + flag, wordOf(call.epoch, 1));
    call.delay(2);
  }
  for (uint32_t step = 1; step <= steps; ++step) {
    const uint32_t peer = (a.rank + step) % a.shape.worldSize;
    const uint32_t hosted = __popc(__ballot_sync(kAll, host == peer));
    if (hosted == 0) continue;
    std::byte* slot = call.to(peer, call.rowOffset(slice.token));
    for (uint32_t copy = 0; copy < (a.shape.dedup ? 1 : hosted); ++copy) {
      // All bulk stores: an ordinary store to a peer would be waited for by the next release of this
      // processor.
      if (a.slices == 1) {
        copies.startStore(slot, row, bytes + scaleBytes<kFp8>(slice));
      } else {
        copies.startStore(slot + offset, row, bytes);
        if (kFp8) {
          copies.startStore(slot + a.shape.payloadRowBytes() + 4 * slice.firstBlock, scalesOf(slice, row),
                            scaleBytes<kFp8>(slice));
        }
      }
      slot += a.map.messageBytes;
    }
  }
  copies.commit();
  copies.finishStores();
  call.delay(3);
  if (publishes) {
    if (call.isOverNetwork(host)) {
      putRows(call, host, slice.token, slice.firstBlock, slice.numBlocks, blockBytes<kFp8>(),
              a.shape.dedup ? 1 : __popc(same));
    } else {
      call.publish(call.to(host, 0), flag);
    }
  }
  __syncwarp();
}

template <bool kFp8, bool kNetwork>
__device__ void sendTokens(const Call<kNetwork>& call, std::byte* rows, uint64_t* barrier) {
  const KernelArguments& a = call.a;
  const uint32_t lane = threadIdx.x % 32;
  // Few tokens: a block has one, and all of it quantizes that.
  const uint32_t groups = kFp8 && a.numTokens * a.slices <= a.sendBlocks ? 1 : a.groups;
  const uint32_t numThreads = kThreads / groups;
  const uint32_t group = threadIdx.x / numThreads;
  const bool leads = threadIdx.x % numThreads < 32;
  const uint32_t rowBytes = dispatchSliceBytes(a.shape, a.slices);
  // A group's row as it is sent; with fp8 behind it the channels that it is made of.
  std::byte* row = rows + group * dispatchSendBytes(a.shape, a.slices);
  std::byte* loaded = kFp8 ? row + rowBytes : row;
  RowCopies copies(barrier + group, lane);
  if (leads) copies.prepare();
  groupBarrier(group, numThreads);
  const uint32_t first = blockIdx.x + a.sendBlocks * group;
  for (uint32_t unit = first; unit < a.numTokens * a.slices; unit += a.sendBlocks * groups) {
    const Slice slice(a, unit);
    if (kFp8 && unit != first) groupBarrier(group, numThreads);  // the row has been sent
    if (leads) {
      copies.startLoad(
          loaded,
          a.x + static_cast<uint64_t>(slice.token) * a.shape.paddedHidden() + slice.firstBlock * kScaleBlock,
          slice.numBlocks * blockBytes<false>());
    }
    const uint64_t choice = static_cast<uint64_t>(slice.token) * a.shape.numTopk + lane;
    const int32_t id = lane < a.shape.numTopk ? a.topkIdx[choice] : -1;
    if (kFp8) {
      copies.finishLoad();
      if (!kBulk) groupBarrier(group, numThreads);  // the first warp's lanes have loaded
      quantizeSlice(a, slice, numThreads, loaded, row);
      RowCopies::fenceProxy();
      groupBarrier(group, numThreads);
    }
    if (!leads) continue;
    if (!kFp8) copies.finishLoad();
    if (a.seam.corrupt != 0 && unit == 0) {
      if (lane == 0) *reinterpret_cast<uint8_t*>(row) ^= 1;
      __syncwarp();
      RowCopies::fenceProxy();
    }
    if (threadIdx.x == 0) call.stamp(1);
    sendSlice<kFp8>(call, slice, id, row, copies);
    if (threadIdx.x == 0) call.stamp(2);
  }
}

}  // namespace railrunner::moe::cuda
