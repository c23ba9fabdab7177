#pragma once

#include "moe/cuda/low_latency/combine_rows.cuh"

// The second part of combine: this rank's tokens are summed up as their rows arrive.
namespace railrunner::moe::cuda {

// All threads: one slice of one own token. The first warp has waited for the ranks in `hosts`. Dedup off:
// lanes with a choice (`chosen`) hold its row and weight.
template <bool kNetwork>
__device__ inline void sumToken(const Call<kNetwork>& call, const RowSlice& slice, uint64_t hosts,
                                uint32_t chosen, const std::byte* row, float weight) {
  constexpr uint32_t kUnits = 2;
  constexpr uint32_t kRows = 4;  // that are in flight at once
  const uint32_t thread = threadIdx.x;
  const KernelArguments& a = call.a;
  const uint64_t rowBytes = a.map.combineBytes;
  const uint64_t offset = slice.firstUnit * 16ULL;
  auto* out =
      reinterpret_cast<uint4*>(a.out + static_cast<uint64_t>(slice.position) * a.shape.paddedHidden()) +
      slice.firstUnit;
  for (uint32_t base = thread; base - thread < slice.numUnits; base += kThreads * kUnits) {
    float sums[kUnits][8] = {};
    for (uint64_t left = a.shape.dedup ? hosts : chosen; left != 0;) {
      const std::byte* from[kRows];
      float factor[kRows];
      uint4 loaded[kRows][kUnits];
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        from[r] = nullptr;
        factor[r] = 1.0F;
        if (left == 0) continue;
        const uint32_t k = __ffsll(left) - 1;
        left &= left - 1;
        if (a.shape.dedup) {
          from[r] = call.from(k, a.map.rows + slice.position * rowBytes);
        } else {
          from[r] = reinterpret_cast<const std::byte*>(__shfl_sync(kAll, reinterpret_cast<uint64_t>(row), k));
          factor[r] = __shfl_sync(kAll, weight, k);
        }
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) {
          const uint32_t unit = base + u * kThreads;
          loaded[r][u] =
              unit < slice.numUnits ? loadOnce(from[r] + offset + unit * 16ULL) : uint4{0, 0, 0, 0};
        }
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (from[r] == nullptr) break;
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) addScaled(sums[u], loaded[r][u], factor[r]);
      }
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t unit = base + u * kThreads;
      if (unit < slice.numUnits) storeOnce(out + unit, rounded(sums[u]));
    }
  }
}

// All threads: waits for one own token's rows, then sums them up. False when the wait was ended from outside.
template <bool kNetwork>
__device__ bool receiveToken(const Call<kNetwork>& call, const RowSlice& slice) {
  const KernelArguments& a = call.a;
  const uint32_t lane = threadIdx.x % 32;
  const uint64_t choice = static_cast<uint64_t>(slice.position) * a.shape.numTopk + lane;
  const bool has = lane < a.shape.numTopk;
  const int32_t id = has ? a.topkIdx[choice] : -1;
  const bool perExpert = !a.shape.dedup;
  const float weight = has && perExpert ? a.topkWeights[choice] : 0.0F;
  // Or the rank that sums for the host's node.
  const uint32_t host = id >= 0 ? call.via(static_cast<uint32_t>(id) / a.shape.numLocalExperts()) : 0;
  const std::byte* row = nullptr;
  if (perExpert && id >= 0) {
    const uint64_t place =
        (id - host * a.shape.numLocalExperts()) * static_cast<uint64_t>(a.shape.maxDispatchTokensPerRank);
    row = host == a.rank
              ? reinterpret_cast<const std::byte*>(a.y) + a.result.ownRow[choice] * a.map.combineBytes
              : call.from(host, a.map.rows + (place + slice.position) * a.map.combineBytes);
  }
  const uint32_t low = __reduce_or_sync(kAll, id >= 0 && host < 32 ? 1U << host : 0U);
  const uint32_t high = __reduce_or_sync(kAll, id >= 0 && host >= 32 ? 1U << (host - 32) : 0U);
  // One warp polls: more of them slow down what they wait for.
  bool ok = true;
  if (threadIdx.x < 32 && id >= 0) {
    ok = call.awaitRow(host, slice.position, slice.index, Missing::kCombinedRow);
  }
  if (__syncthreads_and(static_cast<int>(ok)) == 0) return false;
  sumToken(call, slice, static_cast<uint64_t>(high) << 32 | low, __ballot_sync(kAll, id >= 0), row, weight);
  return true;
}

}  // namespace railrunner::moe::cuda
