#pragma once

#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/low_latency/launch.h"

// The first part of dispatch's receiving blocks: where this rank's tokens will stand on every rank.
namespace railrunner::moe::cuda {

constexpr uint32_t kPlanThreads = 128;  // that make the record of one token
constexpr uint32_t kPlanGroups = kThreads / kPlanThreads;

// One token of this rank while its record is made, in shared memory.
struct Token {
  int32_t ids[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t place[kMaxTopk];  // index among this rank's tokens for the expert
  uint32_t copy[kMaxTopk];   // index among this rank's messages for the rank that hosts the expert
};

// This rank's choices as the planning blocks read them, and e / numLocalExperts without a division.
struct Choices {
  const int32_t* ids;  // in shared memory where they fit
  uint64_t reciprocal;

  // Exact for fewer than 2^16 experts. Ids of -1 give a large rank.
  __device__ uint32_t rankOf(int32_t id) const {
    return id < 0 ? kNone : static_cast<uint32_t>(static_cast<uint32_t>(id) * reciprocal >> 32);
  }
};

// A group: how many earlier tokens of this rank chose each expert of the token, and go to each of its ranks.
__device__ inline void countPlaces(const KernelArguments& a, const Choices& choices, uint32_t lane,
                                   uint32_t tokenIndex, Token& token) {
  const uint32_t numTopk = a.shape.numTopk;
  uint32_t place = 0;
  uint32_t copy = 0;
  for (uint32_t base = threadIdx.x % kPlanThreads - lane; base < tokenIndex; base += kPlanThreads) {
    const uint32_t other = base + lane;
    uint32_t sameExpert = 0;  // bit k: the other token chose what choice k chose
    uint64_t ranks = 0;       // bit r: it goes to rank r
    if (other < tokenIndex) {
      const int32_t* ids = choices.ids + other * numTopk;
      // In halves, each held in registers while the other token's choices pass by: 32 at once would cost every shape.
      for (uint32_t half = 0; half < numTopk; half += 16) {
        for (uint32_t j = 0; j < numTopk; ++j) {
          const int32_t id = ids[j];
          if (id < 0) continue;
          if (half == 0) ranks |= 1ULL << choices.rankOf(id);
#pragma unroll
          for (uint32_t k = 0; k < 16; ++k) {
            if (half + k < numTopk && id == token.ids[half + k]) sameExpert |= 1U << (half + k);
          }
        }
      }
    }
    for (uint32_t k = 0; k < numTopk; ++k) {
      const uint32_t host = choices.rankOf(token.ids[k]);
      const uint32_t experts = __popc(__ballot_sync(kAll, (sameExpert >> k & 1U) != 0));
      const uint32_t messages = __popc(__ballot_sync(kAll, host != kNone && (ranks >> host & 1U) != 0));
      if (lane == k) {
        place += experts;
        copy += messages;
      }
    }
  }
  if (lane < numTopk && (place | copy) != 0) {
    atomicAdd(&token.place[lane], place);
    atomicAdd(&token.copy[lane], copy);
  }
}

// A group: the token's record to every rank, also to those it does not go to.
template <bool kNetwork>
__device__ inline void sendRecords(const Call<kNetwork>& call, const Choices& choices, const Token& token,
                                   uint32_t tokenIndex) {
  const KernelArguments& a = call.a;
  const uint32_t numTopk = a.shape.numTopk;
  const uint32_t words = recordWords(numTopk);
  const uint64_t record = static_cast<uint64_t>(tokenIndex) * words;
  for (uint32_t i = threadIdx.x % kPlanThreads; i < a.shape.worldSize * words; i += kPlanThreads) {
    const uint32_t peer = i / words;
    const uint32_t word = i - peer * words;
    uint32_t value = kNone;
    if (word < numTopk) {
      const int32_t id = token.ids[word];
      if (choices.rankOf(id) == peer) {
        const uint32_t expert = static_cast<uint32_t>(id) - peer * a.shape.numLocalExperts();
        value =
            call.outgoing(WrongWord::kPlace, expert * a.shape.maxDispatchTokensPerRank + token.place[word]);
      }
    } else if (word < 2 * numTopk) {
      value = __float_as_uint(token.weights[word - numTopk]);
    } else {
      for (uint32_t k = 0; k < numTopk; ++k) {
        if (choices.rankOf(token.ids[k]) == peer) value = call.outgoing(WrongWord::kCopy, token.copy[k]);
      }
    }
    storeRelaxed(call.planTo(peer, a.map.records) + record + word, wordOf(call.epoch, value));
  }
}

// A warp, over all receiving blocks: this rank's choices for each expert and messages for each rank.
template <bool kNetwork>
__device__ inline void sendCounts(const Call<kNetwork>& call, const Choices& choices, uint32_t worker,
                                  uint32_t numWorkers, uint32_t lane) {
  const KernelArguments& a = call.a;
  const uint32_t numTopk = a.shape.numTopk;
  const uint32_t items = a.shape.numExperts + a.shape.worldSize;
  for (uint32_t item = worker; item < items; item += numWorkers) {
    uint32_t count = 0;
    uint64_t* word = nullptr;
    if (item < a.shape.numExperts) {
      const uint32_t entries = a.numTokens * numTopk;
#pragma unroll 8
      for (uint32_t i = lane; i < entries; i += 32) {
        count += choices.ids[i] == static_cast<int32_t>(item) ? 1U : 0U;
      }
      const uint32_t peer = choices.rankOf(static_cast<int32_t>(item));
      word = call.planTo(peer, a.map.counts) + (item - peer * a.shape.numLocalExperts());
    } else {
      const uint32_t peer = item - a.shape.numExperts;
      for (uint32_t t = lane; t < a.numTokens; t += 32) {
        bool goes = false;
#pragma unroll 4
        for (uint32_t k = 0; k < numTopk; ++k) goes |= choices.rankOf(choices.ids[t * numTopk + k]) == peer;
        count += goes ? 1 : 0;
      }
      word = call.planTo(peer, a.map.messageCount);
    }
    count = __reduce_add_sync(kAll, count);
    count = call.outgoing(item < a.shape.numExperts ? WrongWord::kCount : WrongWord::kMessageCount, count);
    if (lane == 0) storeRelaxed(word, wordOf(call.epoch, count));
  }
}

// The receiving blocks' first part: records and counts of this rank's tokens, to every rank.
template <bool kNetwork>
__device__ inline void sendPlan(const Call<kNetwork>& call, Token* tokens, std::byte* rows, uint32_t block,
                                uint32_t numBlocks) {
  const KernelArguments& a = call.a;
  const uint32_t lane = threadIdx.x % 32;
  const uint32_t group = threadIdx.x / kPlanThreads;
  const uint32_t numTopk = a.shape.numTopk;
  if (block == 0) {
    for (uint32_t peer = threadIdx.x; peer < a.shape.worldSize; peer += kThreads) {
      call.begin(peer, call.outgoing(WrongWord::kTokens, a.numTokens));
    }
  }
  const uint32_t entries = a.numTokens * numTopk;
  Choices choices{a.topkIdx, (1ULL << 32) / a.shape.numLocalExperts() + 1};
  if (entries * 4ULL <= dispatchSharedBytes(a.shape, a.slices)) {
    auto* table = reinterpret_cast<int32_t*>(rows);
    for (uint32_t i = threadIdx.x; i < entries; i += kThreads) table[i] = a.topkIdx[i];
    choices.ids = table;
  }
  __syncthreads();
  Token& token = tokens[group];
  for (uint32_t t = block + numBlocks * group; t < a.numTokens; t += numBlocks * kPlanGroups) {
    groupBarrier(group, kPlanThreads);
    if (threadIdx.x % kPlanThreads < kMaxTopk) {
      const bool has = lane < numTopk;
      token.ids[lane] = has ? choices.ids[t * numTopk + lane] : -1;
      token.weights[lane] = has ? a.topkWeights[static_cast<uint64_t>(t) * numTopk + lane] : 0.0F;
      token.place[lane] = 0;
      token.copy[lane] = 0;
    }
    groupBarrier(group, kPlanThreads);
    countPlaces(a, choices, lane, t, token);
    groupBarrier(group, kPlanThreads);
    sendRecords(call, choices, token, t);
  }
  // The last warps, which have least of the above, take the first counts.
  sendCounts(call, choices, block + numBlocks * (kWarps - 1 - threadIdx.x / 32), numBlocks * kWarps, lane);
}

}  // namespace railrunner::moe::cuda
