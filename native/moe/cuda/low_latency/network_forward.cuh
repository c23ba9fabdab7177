#pragma once

#include "moe/cuda/low_latency/dispatch_send.cuh"

// Dispatch where a token crosses once per node: this rank hands what came for its node to the ranks that host
// the experts, into the blocks that the sources would fill if they shared memory. Its own part it takes as
// others do.
namespace railrunner::moe::cuda {

// Bit j: the rank of this node with place j hosts an expert of the token. By the plans in the source's block.
template <bool kNetwork>
__device__ uint32_t hostsHere(const Call<kNetwork>& call, uint32_t source, uint32_t token, uint32_t lane) {
  const KernelArguments& a = call.a;
  const Routes& routes = a.network->routes;
  const uint32_t words = recordWords(a.shape.numTopk);
  bool hosts = false;
  if (lane < routes.ranksPerNode) {
    const uint64_t* records =
        call.wordsFrom(source, a.map.records + lane * a.map.planBytes) + static_cast<uint64_t>(token) * words;
    hosts = static_cast<uint32_t>(loadRelaxed(records + 2 * a.shape.numTopk)) != kNone;
  }
  return __ballot_sync(kAll, hosts);
}

// A warp: its share of the plans' words, which are valid by themselves.
template <bool kNetwork>
__device__ void forwardPlans(const Call<kNetwork>& call, uint32_t source, uint32_t numTokens, uint32_t worker,
                             uint32_t numWorkers) {
  const KernelArguments& a = call.a;
  const Routes& routes = a.network->routes;
  const uint64_t words = planWords(a.shape, numTokens);
  for (uint32_t place = 0; place < routes.ranksPerNode; ++place) {
    if (place == routes.place) continue;
    const uint64_t* from = call.wordsFrom(source, a.map.messageCount + place * a.map.planBytes);
    std::byte* block = call.blockAt(routes.near[place], source);
    auto* to = reinterpret_cast<uint64_t*>(block + a.map.messageCount);
    for (uint64_t i = worker; i < words; i += numWorkers) storeRelaxed(to + i, loadRelaxed(from + i));
    if (worker == 0) {
      storeRelaxed(reinterpret_cast<uint64_t*>(block + a.map.begun), wordOf(call.epoch, numTokens));
    }
  }
}

// A warp: one slice of one token to the ranks of `hosts`, and its flags.
template <bool kFp8, bool kNetwork>
__device__ void forwardSlice(const Call<kNetwork>& call, const Slice& slice, uint32_t source, uint32_t hosts,
                             std::byte* row, RowCopies& copies) {
  const KernelArguments& a = call.a;
  const Routes& routes = a.network->routes;
  const uint32_t bytes = slice.numBlocks * blockBytes<kFp8>();
  const uint64_t offset = call.rowOffset(slice.token) + slice.firstBlock * blockBytes<kFp8>();
  const uint64_t scaleOffset =
      call.rowOffset(slice.token) + a.shape.payloadRowBytes() + 4ULL * slice.firstBlock;
  copies.finishStores();
  copies.expectLoads(bytes + scaleBytes<kFp8>(slice));
  copies.addLoad(row, call.from(source, offset), bytes);
  if (kFp8) copies.addLoad(row + bytes, call.from(source, scaleOffset), scaleBytes<kFp8>(slice));
  copies.finishLoad();
  for (uint32_t left = hosts; left != 0; left &= left - 1) {
    std::byte* block = call.blockAt(routes.near[__ffs(left) - 1], source);
    copies.startStore(block + offset, row, bytes);
    if (kFp8) copies.startStore(block + scaleOffset, row + bytes, scaleBytes<kFp8>(slice));
  }
  copies.commit();
  copies.finishStores();
  if ((hosts >> copies.lane & 1U) != 0) {
    call.publish(call.blockAt(routes.near[copies.lane], source), call.flag(slice.token, slice.index));
  }
  __syncwarp();
}

// The first warps of the listening block, for each rank of another node that this one forwards for.
template <bool kFp8, bool kNetwork>
__device__ void forwardToNode(const Call<kNetwork>& call, std::byte* rows, uint64_t* barriers) {
  const KernelArguments& a = call.a;
  const uint32_t warp = threadIdx.x / 32;
  const uint32_t lane = threadIdx.x % 32;
  const Routes& routes = a.network->routes;
  RowCopies copies(barriers + warp, lane);
  copies.prepare();
  __syncwarp();
  std::byte* row = rows + static_cast<uint64_t>(warp) * dispatchSliceBytes(a.shape, a.slices);
  for (uint32_t source = 0; source < a.shape.worldSize; ++source) {
    if (!call.isOverNetwork(source)) continue;
    uint32_t numTokens = 0;
    const bool ok = call.awaitBegun(source, &numTokens);
    if (!__all_sync(kAll, ok)) return;
    forwardPlans(call, source, numTokens, threadIdx.x, kReceivingWarps * 32);
    RowCopies::fenceProxy();
    for (uint32_t unit = warp; unit < numTokens * a.slices; unit += kReceivingWarps) {
      const Slice slice(a, unit);
      const uint32_t hosts = hostsHere(call, source, slice.token, lane);
      if (lane == 0 && slice.index == 0) {
        a.result.relayHosts[static_cast<uint64_t>(source) * a.shape.maxDispatchTokensPerRank + slice.token] =
            hosts;
      }
      const uint32_t others = hosts & ~(1U << routes.place);
      if (others != 0) forwardSlice<kFp8>(call, slice, source, others, row, copies);
    }
  }
  copies.finishStores();
}

}  // namespace railrunner::moe::cuda
