#pragma once

#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/sums.cuh"

// The first part of combine of expert-major outputs: one bf16 row for each received token, the sum of its experts'
// rows in the order of choices. Source by source, and each owner is told when a block has made its part.
namespace railrunner::moe::cuda::high_throughput {

// A warp: one received token.
__device__ inline void sumRows(const CallArguments& a, uint32_t received, uint32_t lane) {
  constexpr uint32_t kUnits = 4;  // 16-byte units of a lane at a time
  constexpr uint32_t kRows = 2;   // that are in flight at once
  const uint64_t columns = a.shape.paddedHidden();
  const auto numUnits = static_cast<uint32_t>(columns / 8);
  const uint64_t choice = static_cast<uint64_t>(received) * a.shape.numTopk + lane;
  const bool has = lane < a.shape.numTopk;
  const int32_t row = has ? a.result.tokenRow[choice] : -1;
  const float weight = has && a.weighted != 0 ? a.result.tokenWeight[choice] : 1.0F;
  const uint32_t chosen = __ballot_sync(kAll, row >= 0);
  auto* to = reinterpret_cast<uint4*>(a.base[a.rank] + a.map.y + received * a.shape.bf16RowBytes());
  for (uint32_t base = lane; base - lane < numUnits; base += 32 * kUnits) {
    float sums[kUnits][8] = {};
    for (uint32_t left = chosen; left != 0;) {
      uint4 loaded[kRows][kUnits];
      float factor[kRows];
      bool exists[kRows];
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        exists[r] = left != 0;
        const uint32_t k = exists[r] ? __ffs(left) - 1 : 0;
        left &= left - 1;
        const auto from = static_cast<uint64_t>(__shfl_sync(kAll, row, k)) * columns;
        factor[r] = __shfl_sync(kAll, weight, k);
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) {
          const uint32_t unit = base + 32 * u;
          loaded[r][u] =
              exists[r] && unit < numUnits ? loadOnce(a.y + from + unit * 8ULL) : uint4{0, 0, 0, 0};
        }
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (!exists[r]) break;
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) addScaled(sums[u], loaded[r][u], factor[r]);
      }
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t unit = base + 32 * u;
      if (unit < numUnits) to[unit] = rounded(sums[u]);
    }
  }
}

// One thread: this block's sums for the tokens of `owner` are made.
__device__ inline void publishPartials(const Call& call, uint32_t owner) {
  const CallArguments& a = call.a;
  if (a.seam.silent != 0) return;
  storeRelease(call.words(owner, a.map.partials) + static_cast<uint64_t>(a.rank) * kMostBlocks + blockIdx.x,
               wordOf(call.epoch, 0));
}

// All threads.
__device__ inline void makePartials(const Call& call) {
  const CallArguments& a = call.a;
  const uint32_t warps = blockDim.x / 32;
  for (uint32_t j = 1; j <= a.shape.worldSize; ++j) {
    const uint32_t owner = (a.rank + j) % a.shape.worldSize;
    const ChunkRange chunk = a.work.chunks[blockIdx.x * a.shape.worldSize + owner];
    if (a.seam.relaxed != 0) {
      if (threadIdx.x == 0) publishPartials(call, owner);
      __nanosleep(20'000);
    }
    for (uint32_t i = threadIdx.x / 32; i < chunk.count; i += warps) {
      sumRows(a, chunk.first + i, threadIdx.x % 32);
    }
    __syncthreads();
    if (threadIdx.x == 0 && a.seam.relaxed == 0) {
      __threadfence_system();
      publishPartials(call, owner);
    }
  }
}

}  // namespace railrunner::moe::cuda::high_throughput
