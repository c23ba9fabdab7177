#pragma once

#include "moe/cuda/low_latency/combine_rows.cuh"
#include "moe/cuda/low_latency/network_send.cuh"

// The sending blocks of combine: rows back to the ranks that own the tokens.
namespace railrunner::moe::cuda {

// One message of the result, as the lanes of a group read it.
struct Message {
  bool exists;
  uint32_t source;
  uint64_t index;  // among all messages
  uint32_t token;
  int32_t expertRow;  // of lane's choice, -1: not here
  float weight;       // of lane's choice
  uint64_t place;     // of lane's row among those that go back to the source
};

// Warps that make and store a row, or a part of it, together: a warp, or all of a block.
struct Team {
  uint32_t group;
  uint32_t thread;
  uint32_t numThreads;

  __device__ bool leads() const { return thread < 32; }
  __device__ void sync() const {
    if (numThreads == 32) {
      __syncwarp();
    } else {
      groupBarrier(group, numThreads);
    }
  }
};

// A team: the weighted sum of the lanes' rows that `valid` names, into shared memory.
template <bool kNetwork>
__device__ inline void reduceRows(const Call<kNetwork>& call, const RowSlice& part, uint32_t valid,
                                  const Message& message, const Team& team, std::byte* target) {
  const KernelArguments& a = call.a;
  const uint64_t hidden = a.shape.paddedHidden();
  for (uint32_t base = team.thread; base - team.thread < part.numUnits;
       base += team.numThreads * kReduceUnits) {
    float sums[kReduceUnits][8] = {};
    for (uint32_t left = valid; left != 0; left &= left - 1) {
      const uint32_t k = __ffs(left) - 1;
      const uint16_t* from = a.y + static_cast<uint64_t>(__shfl_sync(kAll, message.expertRow, k)) * hidden +
                             part.firstUnit * 8ULL;
      const float factor = __shfl_sync(kAll, message.weight, k);
      uint4 loaded[kReduceUnits];
#pragma unroll
      for (uint32_t u = 0; u < kReduceUnits; ++u) {
        const uint32_t unit = base + u * team.numThreads;
        loaded[u] = unit < part.numUnits ? loadOnce(from + unit * 8ULL) : uint4{0, 0, 0, 0};
      }
#pragma unroll
      for (uint32_t u = 0; u < kReduceUnits; ++u) addScaled(sums[u], loaded[u], factor);
    }
#pragma unroll
    for (uint32_t u = 0; u < kReduceUnits; ++u) {
      const uint32_t unit = base + u * team.numThreads;
      if (unit < part.numUnits) reinterpret_cast<uint4*>(target)[unit] = rounded(sums[u]);
    }
  }
}

// The same by all threads of a block, of which each has few channels: rows are in flight together, so that a message
// costs one wait for memory and not one for each of its rows.
template <bool kNetwork>
__device__ inline void reduceRowsTogether(const Call<kNetwork>& call, const RowSlice& part, uint32_t valid,
                                          const Message& message, const Team& team, std::byte* target) {
  constexpr uint32_t kUnits = 2;
  constexpr uint32_t kRows = 4;
  const KernelArguments& a = call.a;
  const uint64_t hidden = a.shape.paddedHidden();
  for (uint32_t base = team.thread; base - team.thread < part.numUnits; base += team.numThreads * kUnits) {
    float sums[kUnits][8] = {};
    for (uint32_t left = valid; left != 0;) {
      uint4 loaded[kRows][kUnits];
      float factors[kRows];
      uint32_t numRows = 0;
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (left == 0) continue;  // the same for all lanes
        const uint32_t k = __ffs(left) - 1;
        left &= left - 1;
        numRows = r + 1;
        const uint16_t* from = a.y + static_cast<uint64_t>(__shfl_sync(kAll, message.expertRow, k)) * hidden +
                               part.firstUnit * 8ULL;
        factors[r] = __shfl_sync(kAll, message.weight, k);
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) {
          const uint32_t unit = base + u * team.numThreads;
          loaded[r][u] = unit < part.numUnits ? loadOnce(from + unit * 8ULL) : uint4{0, 0, 0, 0};
        }
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        if (r >= numRows) continue;
#pragma unroll
        for (uint32_t u = 0; u < kUnits; ++u) addScaled(sums[u], loaded[r][u], factors[r]);
      }
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnits; ++u) {
      const uint32_t unit = base + u * team.numThreads;
      if (unit < part.numUnits) reinterpret_cast<uint4*>(target)[unit] = rounded(sums[u]);
    }
  }
}

// What lies behind a source's count is read too, and not used: the loads need not wait for the count.
__device__ inline Message readMessage(const KernelArguments& a, const RowSlice& slice, uint32_t source,
                                      uint32_t lane) {
  Message message{};
  message.source = source;
  message.expertRow = -1;
  if (slice.position >= a.shape.maxDispatchTokensPerRank) return message;
  message.index = static_cast<uint64_t>(source) * a.shape.maxDispatchTokensPerRank + slice.position;
  const auto count = static_cast<uint32_t>(a.result.messageCount[source]);
  message.token = static_cast<uint32_t>(a.result.messageToken[message.index]);
  if (lane < a.shape.numTopk) {
    message.expertRow = a.result.messageRow[message.index * a.shape.numTopk + lane];
    message.weight = a.result.messageWeight[message.index * a.shape.numTopk + lane];
  }
  message.exists = slice.position < count && message.token < a.shape.maxDispatchTokensPerRank;
  // One row per message, or dedup off one per expert.
  message.place = message.token;
  if (!a.shape.dedup && message.expertRow >= 0) {
    message.place += static_cast<uint64_t>(message.expertRow) / a.shape.maxReceivedTokens() *
                     a.shape.maxDispatchTokensPerRank;
  }
  return message;
}

// A team: a part of one message goes back to its source. Over when it has been written.
template <bool kWholeBlock, bool kNetwork>
__device__ inline void storeBack(const Call<kNetwork>& call, const RowSlice& part, const Message& message,
                                 const Team& team, std::byte* row, RowCopies& copies) {
  const KernelArguments& a = call.a;
  const bool rankMajor = a.shape.outputLayout == OutputLayout::kRankMajor;
  const uint32_t valid = __ballot_sync(kAll, message.expertRow >= 0);
  const uint32_t bytes = part.numUnits * 16;
  if (bytes == 0) return;
  const uint64_t offset = part.firstUnit * 16ULL;
  const uint64_t rowBytes = a.map.combineBytes;
  std::byte* block = call.backTo(message.source);
  if (!rankMajor && a.shape.dedup) {
    if (team.leads()) copies.finishReading();
    team.sync();
    if (kWholeBlock) {
      reduceRowsTogether(call, part, valid, message, team, row);
    } else {
      reduceRows(call, part, valid, message, team, row);
    }
    RowCopies::fenceProxy();
    team.sync();
    if (team.leads()) {
      copies.startStore(block + a.map.rows + message.place * rowBytes + offset, row, bytes);
      copies.commit();
    }
  } else if (team.leads()) {
    const auto* y = reinterpret_cast<const std::byte*>(a.y);
    // The owner reads its own rows where they lie.
    uint32_t left = rankMajor ? 1U : message.source == a.rank ? 0U : valid;
    for (; left != 0; left &= left - 1) {
      const uint32_t k = __ffs(left) - 1;
      const uint64_t from =
          rankMajor ? message.index : static_cast<uint64_t>(__shfl_sync(kAll, message.expertRow, k));
      const uint64_t target = a.map.rows + __shfl_sync(kAll, message.place, k) * rowBytes + offset;
      copies.finishReading();
      copies.startLoad(row, y + from * rowBytes + offset, bytes);
      copies.finishLoad();
      copies.startStore(block + target, row, bytes);
      copies.commit();
    }
  }
  if (team.leads()) copies.finishStores();
}

// Of the message, in the block where its rows go.
template <bool kNetwork>
__device__ inline uint64_t* flagOf(const Call<kNetwork>& call, const RowSlice& slice,
                                   const Message& message) {
  auto* flags = reinterpret_cast<uint64_t*>(call.backTo(message.source) + call.a.map.flags);
  return flags + call.flag(message.token, slice.index);
}

// A group's first warp: its message is whole. To a peer that shares memory: gives the flag that says so.
template <bool kNetwork>
__device__ uint64_t* endMessage(const Call<kNetwork>& call, const RowSlice& slice, const Message& message,
                                uint32_t lane) {
  const KernelArguments& a = call.a;
  call.delay(message.source + 64);
  if (!call.isOverNetwork(message.source) || call.forwards()) return flagOf(call, slice, message);
  if (a.shape.dedup ? lane == 0 : message.expertRow >= 0) {
    const uint64_t row = a.map.rows + message.place * a.map.combineBytes;
    putToNetwork(call, message.source, message.token, row + slice.firstUnit * 16ULL, slice.numUnits * 16);
  }
  return nullptr;
}

// All threads: publishes what the groups have stored. One release serves all of them: what it waits for is
// the link, and each waits for what the whole processor has stored.
template <bool kNetwork>
__device__ inline void publishTogether(const Call<kNetwork>& call, const RowSlice& slice,
                                       const Message& message, const Team& group) {
  const KernelArguments& a = call.a;
  __shared__ uint64_t* flags[kMaxCombineGroups];
  __syncthreads();
  uint64_t* flag = nullptr;
  if (group.leads() && message.exists) flag = endMessage(call, slice, message, group.thread);
  if (group.thread == 0) flags[group.group] = flag;
  __syncthreads();
  if (threadIdx.x < a.groups && flags[threadIdx.x] != nullptr) call.publish(flags[threadIdx.x]);
}

// A block that has one message of few: all its threads make the row. A function of its own, whose registers the loop over
// many messages does not pay for, and that is given no address of its caller's variables: those would lie in memory. The
// message has been read before by some of the threads: it is near.
template <bool kNetwork>
__device__ __noinline__ void sendAlone(const KernelArguments& a, std::byte* rows, uint64_t* barrier) {
  const Call<kNetwork> call(a);
  RowCopies copies(barrier, threadIdx.x % 32);
  const uint32_t worldSize = a.shape.worldSize;
  const RowSlice slice(a, blockIdx.x / worldSize);
  const Message message =
      readMessage(a, slice, (a.rank + 1 + blockIdx.x % worldSize) % worldSize, copies.lane);
  if (!message.exists) return;
  call.delay(message.source);
  const Team block{0, threadIdx.x, kThreads};
  if (threadIdx.x == 0 && a.seam.relaxedFlags != 0) {
    storeRelaxed(flagOf(call, slice, message), wordOf(call.epoch, 1));
  }
  storeBack<true>(call, slice, message, block, rows, copies);
  if (!block.leads()) return;
  uint64_t* flag = endMessage(call, slice, message, copies.lane);
  if (copies.lane == 0 && flag != nullptr) call.publish(flag);
}

template <bool kNetwork>
__device__ inline void sendMessages(const Call<kNetwork>& call, std::byte* rows, uint64_t* barriers) {
  const KernelArguments& a = call.a;
  const uint32_t lane = threadIdx.x % 32;
  const uint32_t numThreads = kThreads / a.groups;
  const Team group{threadIdx.x / numThreads, threadIdx.x % numThreads, numThreads};
  const Team warp{group.group, lane, 32};
  RowCopies copies(barriers + threadIdx.x / 32, lane);
  copies.prepare();
  __syncwarp();
  std::byte* row = rows + static_cast<uint64_t>(group.group) * combineSliceBytes(a.shape, a.slices);
  const uint32_t worldSize = a.shape.worldSize;
  uint32_t most = 0;
  for (uint32_t source = 0; source < worldSize; ++source) {
    most = max(most, static_cast<uint32_t>(a.result.messageCount[source]));
  }
  const uint32_t units = most * a.slices * worldSize;
  // Few messages: no other group of a block has one, and the time until one is stored counts alone.
  const bool alone = units <= a.sendBlocks;
  for (uint32_t first = blockIdx.x;; first += a.sendBlocks * a.groups) {
    const uint32_t unit = first + a.sendBlocks * group.group;
    const RowSlice slice(a, unit / worldSize);
    // The next rank first, the own last. Read before the counts are known.
    const Message message = readMessage(a, slice, (a.rank + 1 + unit % worldSize) % worldSize, lane);
    if (first >= units) break;
    if (alone) return sendAlone<kNetwork>(a, rows, barriers + threadIdx.x / 32);
    if (message.exists) {
      call.delay(message.source);
      if (group.thread == 0 && a.seam.relaxedFlags != 0) {
        storeRelaxed(flagOf(call, slice, message), wordOf(call.epoch, 1));
      }
      const RowSlice part = slice.cut(group.thread / 32, numThreads / 32);
      storeBack<false>(call, part, message, warp, row + (part.firstUnit - slice.firstUnit) * 16, copies);
    }
    publishTogether(call, slice, message, group);
  }
}

}  // namespace railrunner::moe::cuda
