#include <algorithm>

#include "moe/cuda/combine_relay.cuh"
#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/launch.h"
#include "moe/cuda/network_receive.cuh"
#include "moe/cuda/network_send.cuh"
#include "moe/numerics.h"

// Combine. The first blocks send: a group of warps takes one message at a time, adds its experts' rows in the
// order of k in fp32, rounds once (expertMajor, dedup) or takes the row as it is, stores it to the token's
// owner and publishes it. The other blocks sum up this rank's tokens as their rows arrive.
namespace railrunner::moe::cuda {

namespace {

// A group: the weighted sum of the lanes' rows that `valid` names, into shared memory.
template <bool kNetwork>
__device__ void reduceRows(const Call<kNetwork>& call, const Slice& slice, uint32_t valid, int32_t row,
                           float weight, uint32_t thread, uint32_t numThreads, std::byte* target) {
  const KernelArguments& a = call.a;
  const uint64_t hidden = a.shape.paddedHidden();
  for (uint32_t base = thread; base - thread < slice.numUnits; base += numThreads * kUnroll) {
    float sums[kUnroll][8] = {};
    for (uint32_t left = valid; left != 0; left &= left - 1) {
      const uint32_t k = __ffs(left) - 1;
      const uint16_t* from =
          a.y + static_cast<uint64_t>(__shfl_sync(kAll, row, k)) * hidden + slice.firstUnit * 8ULL;
      const float factor = __shfl_sync(kAll, weight, k);
      uint4 loaded[kUnroll];
#pragma unroll
      for (uint32_t u = 0; u < kUnroll; ++u) {
        const uint32_t unit = base + u * numThreads;
        loaded[u] = unit < slice.numUnits ? loadOnce(from + unit * 8ULL) : uint4{0, 0, 0, 0};
      }
#pragma unroll
      for (uint32_t u = 0; u < kUnroll; ++u) addScaled(sums[u], loaded[u], factor);
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnroll; ++u) {
      const uint32_t unit = base + u * numThreads;
      if (unit < slice.numUnits) reinterpret_cast<uint4*>(target)[unit] = rounded(sums[u]);
    }
  }
}

// A group: one slice of one message goes back to its source.
template <bool kNetwork>
__device__ void sendBack(const Call<kNetwork>& call, const Slice& slice, uint32_t source, uint32_t group,
                         std::byte* row, RowCopies& copies) {
  const KernelArguments& a = call.a;
  const uint32_t lane = copies.lane;
  const uint32_t numThreads = kThreads / a.groups;
  const uint32_t thread = threadIdx.x % numThreads;
  const bool leads = thread < 32;
  const uint64_t message = static_cast<uint64_t>(source) * a.shape.maxTokens + slice.position;
  // Independent loads: what lies behind the count is not used.
  const auto count = static_cast<uint32_t>(a.result.messageCount[source]);
  const auto token = static_cast<uint32_t>(a.result.messageToken[message]);
  int32_t expertRow = -1;
  float weight = 0.0F;
  if (lane < a.shape.numTopk) {
    expertRow = a.result.messageRow[message * a.shape.numTopk + lane];
    weight = a.result.messageWeight[message * a.shape.numTopk + lane];
  }
  if (slice.position >= count || token >= a.shape.maxTokens) return;  // uniform over the group
  const bool rankMajor = a.shape.outputLayout == OutputLayout::kRankMajor;
  const uint32_t valid = __ballot_sync(kAll, expertRow >= 0);
  const uint32_t bytes = slice.numUnits * 16;
  const uint64_t offset = slice.firstUnit * 16ULL;
  const uint64_t flag = call.flag(token, slice.index);
  std::byte* block = call.backTo(source);
  const uint64_t rowBytes = a.map.combineBytes;
  // Of the lane's row among those that go back to the source: one a message, or dedup off one an expert.
  uint64_t place = token;
  if (!a.shape.dedup && expertRow >= 0) {
    place += static_cast<uint64_t>(expertRow) / a.shape.maxReceivedTokens() * a.shape.maxTokens;
  }
  const auto* y = reinterpret_cast<const std::byte*>(a.y);
  call.delay(source);
  if (leads && lane == 0 && a.seam.relaxedFlags != 0) {
    storeRelaxed(reinterpret_cast<uint64_t*>(block + a.map.flags) + flag, wordOf(call.epoch, 1));
  }
  if (!rankMajor && a.shape.dedup) {
    if (leads) copies.finishReading();
    groupBarrier(group, numThreads);
    reduceRows(call, slice, valid, expertRow, weight, thread, numThreads, row);
    RowCopies::fenceProxy();
    groupBarrier(group, numThreads);
    if (leads) {
      copies.startStore(block + a.map.rows + place * rowBytes + offset, row, bytes);
      copies.commit();
    }
  } else if (leads) {
    // The owner reads its own rows where they lie.
    uint32_t left = rankMajor ? 1U : source == a.rank ? 0U : valid;
    for (; left != 0; left &= left - 1) {
      const uint32_t k = __ffs(left) - 1;
      const uint64_t from = rankMajor ? message : static_cast<uint64_t>(__shfl_sync(kAll, expertRow, k));
      const uint64_t target = a.map.rows + __shfl_sync(kAll, place, k) * rowBytes + offset;
      copies.finishReading();
      copies.startLoad(row, y + from * rowBytes + offset, bytes);
      copies.finishLoad();
      copies.startStore(block + target, row, bytes);
      copies.commit();
    }
  }
  if (leads) {
    copies.finishStores();
    call.delay(source + 64);
    if (!call.isOverNetwork(source) || call.forwards()) {
      if (lane == 0) call.publish(block, flag);
    } else if (a.shape.dedup ? lane == 0 : expertRow >= 0) {
      putToNetwork(call, source, token, a.map.rows + place * rowBytes + offset, bytes);
    }
  }
}

// All threads: one slice of one own token. The first warp has waited for the ranks in `hosts`. Dedup off:
// lanes with a choice (`chosen`) hold its row and weight.
template <bool kNetwork>
__device__ void sumToken(const Call<kNetwork>& call, const Slice& slice, uint64_t hosts, uint32_t chosen,
                         const std::byte* row, float weight) {
  constexpr uint32_t kUnits = 2;
  const uint32_t thread = threadIdx.x;
  const KernelArguments& a = call.a;
  const uint64_t rowBytes = a.map.combineBytes;
  const uint64_t offset = slice.firstUnit * 16ULL;
  auto* out =
      reinterpret_cast<uint4*>(a.out + static_cast<uint64_t>(slice.position) * a.shape.paddedHidden()) +
      slice.firstUnit;
  for (uint32_t base = thread; base - thread < slice.numUnits; base += kThreads * kUnits) {
    float sums[kUnits][8] = {};
    const auto add = [&](const std::byte* from, float factor) {
      uint4 loaded[kUnits];
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) {
        const uint32_t unit = base + u * kThreads;
        loaded[u] = unit < slice.numUnits ? loadOnce(from + offset + unit * 16ULL) : uint4{0, 0, 0, 0};
      }
#pragma unroll
      for (uint32_t u = 0; u < kUnits; ++u) addScaled(sums[u], loaded[u], factor);
    };
    if (a.shape.dedup) {
      for (uint64_t left = hosts; left != 0; left &= left - 1)
        add(call.from(__ffsll(left) - 1, a.map.rows + slice.position * rowBytes), 1.0F);
    } else {
      for (uint32_t left = chosen; left != 0; left &= left - 1) {
        const uint32_t k = __ffs(left) - 1;
        const uint64_t from = __shfl_sync(kAll, reinterpret_cast<uint64_t>(row), k);
        add(reinterpret_cast<const std::byte*>(from), __shfl_sync(kAll, weight, k));
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
__device__ bool receiveToken(const Call<kNetwork>& call, const Slice& slice) {
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
    const uint64_t place = (id - host * a.shape.numLocalExperts()) * static_cast<uint64_t>(a.shape.maxTokens);
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

template <bool kNetwork>
__device__ void sendMessages(const Call<kNetwork>& call, std::byte* rows, uint64_t* barriers) {
  const KernelArguments& a = call.a;
  const uint32_t group = threadIdx.x / (kThreads / a.groups);
  RowCopies copies(barriers + group, threadIdx.x % 32);
  if (threadIdx.x % (kThreads / a.groups) < 32) copies.prepare();
  __syncthreads();
  std::byte* row = rows + static_cast<uint64_t>(group) * combineSliceBytes(a.shape, a.slices);
  const uint32_t worldSize = a.shape.worldSize;
  uint32_t most = 0;
  for (uint32_t source = 0; source < worldSize; ++source) {
    most = max(most, static_cast<uint32_t>(a.result.messageCount[source]));
  }
  // The first message is taken before the counts are known: its loads need not wait for theirs.
  for (uint32_t unit = blockIdx.x + a.sendBlocks * group; unit < a.shape.maxTokens * a.slices * worldSize;) {
    // The next rank first, the own last.
    sendBack(call, Slice(a, unit / worldSize), (a.rank + 1 + unit % worldSize) % worldSize, group, row,
             copies);
    unit += a.sendBlocks * a.groups;
    if (unit >= most * a.slices * worldSize) break;
  }
  copies.finishStores();
}

template <bool kNetwork>
__global__ void __launch_bounds__(kThreads) combineKernel(const __grid_constant__ KernelArguments a) {
  extern __shared__ __align__(128) std::byte rows[];
  __shared__ uint64_t barriers[kMaxCombineGroups];
  const Call<kNetwork> call(a);
  const uint32_t blocks = workingBlocks(call);
  if (kNetwork && blockIdx.x == blocks) {
    if (threadIdx.x < 32) listenToNetwork(call, threadIdx.x);
    return;
  }
  const bool sends = (a.phases & kSend) != 0 && a.seam.silent == 0;
  if (threadIdx.x == 0) call.stamp(0);
  // Where every block sends, every block receives afterwards.
  const uint32_t firstReceiving = a.sendBlocks < blocks ? a.sendBlocks : 0;
  const uint32_t block = blockIdx.x - firstReceiving;
  const uint32_t numBlocks = blocks - firstReceiving;
  if (sends && blockIdx.x == firstReceiving) {
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += kThreads) {
      call.begin(peer, 1);
    }
  }
  if (sends && blockIdx.x < a.sendBlocks) {
    sendMessages(call, rows, barriers);
    if (!call.forwards()) endSends(call, 1, a.sendBlocks, 0, 1);
  }
  if (threadIdx.x == 0) call.stamp(1);
  if ((a.phases & kReceive) == 0 || blockIdx.x < firstReceiving) return;
  bool ok = true;
  if (call.forwards()) {
    ok = sumForNodes(call, block, numBlocks);
    if (ok && a.seam.silent == 0) endSends(call, 1, numBlocks, 0, 1);
  }
  for (uint32_t unit = block; ok && unit < a.numTokens * a.slices; unit += numBlocks) {
    ok = receiveToken(call, Slice(a, unit));
  }
  if (threadIdx.x == 0) call.stamp(2);
  if (ok && block == 0) {
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += kThreads) {
      uint32_t unused = 0;
      if (call.via(peer) == peer) call.awaitBegun(peer, &unused);
    }
  }
  if (threadIdx.x == 0) call.stamp(3);
}

using Kernel = void (*)(KernelArguments);

Kernel kernelFor(bool network) { return network ? combineKernel<true> : combineKernel<false>; }

}  // namespace

void launchCombine(const KernelArguments& arguments, uint32_t blocks, cudaStream_t stream) {
  const uint32_t bytes = combineSharedBytes(arguments.shape, arguments.slices);
  const Kernel kernel = kernelFor(arguments.overNetwork != 0);
  kernel<<<blocks + listeningBlocks(arguments), kThreads, bytes, stream>>>(arguments);
  requireLaunched("combine");
}

void prepareCombine(uint32_t maxSharedBytes) {
  for (const bool network : {false, true})
    allowShared(reinterpret_cast<const void*>(kernelFor(network)), maxSharedBytes);
}

uint32_t combineBlocksPerProcessor(uint32_t sharedBytes) {
  uint32_t blocks = UINT32_MAX;
  for (const bool network : {false, true}) {
    const auto* kernel = reinterpret_cast<const void*>(kernelFor(network));
    blocks = std::min(blocks, blocksPerProcessor(kernel, kThreads, sharedBytes));
  }
  return blocks;
}

}  // namespace railrunner::moe::cuda
