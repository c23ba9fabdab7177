#pragma once

#include "moe/cuda/low_latency/combine_rows.cuh"
#include "moe/cuda/low_latency/network_send.cuh"

// Combine where a token's rows cross once per node: ranks of a node leave their partial sums at the one that
// forwarded the token to them, which sends their sum back as one row. The partials lie in the blocks of the
// ranks of the token's node: that of place j holds what the rank of this node with place j leaves here.
namespace railrunner::moe::cuda {

// The block here with the partials of this node's rank of that place for tokens of `source`.
template <bool kNetwork>
__device__ const std::byte* partialsOf(const Call<kNetwork>& call, uint32_t source, uint32_t place) {
  const Routes& routes = call.a.network->routes;
  const uint32_t holder = routes.ranks[routes.node[source] * routes.ranksPerNode + place];
  return call.blockAt(call.a.rank, holder);
}

// All threads: bf16(sum of the partials in the order of ranks), into the block that goes to the source.
template <bool kNetwork>
__device__ void sumPartials(const Call<kNetwork>& call, const RowSlice& slice, uint32_t source,
                            uint32_t hosts) {
  const uint64_t offset =
      call.a.map.rows + slice.position * call.a.map.combineBytes + slice.firstUnit * 16ULL;
  for (uint32_t unit = threadIdx.x; unit < slice.numUnits; unit += kThreads) {
    float sum[8] = {};
    for (uint32_t left = hosts; left != 0; left &= left - 1) {
      const std::byte* partials = partialsOf(call, source, __ffs(left) - 1);
      addScaled(sum, loadOnce(partials + offset + unit * 16ULL), 1.0F);
    }
    storeOnce(call.to(source, offset) + unit * 16ULL, rounded(sum));
  }
}

// All threads of the receiving blocks: for every rank of another node that this one forwards for, its tokens'
// sums over this node. False when a wait was ended from outside.
template <bool kNetwork>
__device__ bool sumForNodes(const Call<kNetwork>& call, uint32_t block, uint32_t numBlocks) {
  const KernelArguments& a = call.a;
  const uint32_t lane = threadIdx.x % 32;
  const uint64_t rowBytes = a.map.combineBytes;
  for (uint32_t source = 0; source < a.shape.worldSize; ++source) {
    if (!call.isOverNetwork(source)) continue;
    const auto numTokens = static_cast<uint32_t>(a.result.tokenCount[source]);
    for (uint32_t unit = block; unit < numTokens * a.slices; unit += numBlocks) {
      const RowSlice slice(a, unit);
      const uint32_t hosts =
          a.result
              .relayHosts[static_cast<uint64_t>(source) * a.shape.maxDispatchTokensPerRank + slice.position];
      if (hosts == 0) continue;
      bool ok = true;
      if (threadIdx.x < 32 && (hosts >> lane & 1U) != 0) {
        const auto* flags = reinterpret_cast<const uint64_t*>(partialsOf(call, source, lane) + a.map.flags);
        uint32_t unused = 0;
        ok = call.awaitFlag(flags + call.flag(slice.position, slice.index), &unused, Missing::kCombinedRow,
                            a.network->routes.near[lane], slice.position);
      }
      if (__syncthreads_and(static_cast<int>(ok)) == 0) return false;
      sumPartials(call, slice, source, hosts);
      __syncthreads();
      if (threadIdx.x != 0 || a.seam.silent != 0) continue;
      __threadfence_system();
      putToNetwork(call, source, slice.position,
                   a.map.rows + slice.position * rowBytes + slice.firstUnit * 16ULL, slice.numUnits * 16ULL);
    }
  }
  return true;
}

}  // namespace railrunner::moe::cuda
