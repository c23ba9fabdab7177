#pragma once

#include "moe/shape.h"

// Offsets in the symmetric buffer of the cuda device, in bytes. Shared by host code and kernels.
//
//   blocks [worldSize sources, 2 halves] | zero-copy rows of half 0, half 1 | barrier
//   block: begun | plan: messageCount | counts | records | flags | rows
//
// Where tokens cross once per node (docs/moe.md, "Forwarding inside nodes"), a block has a plan for each rank
// of the node that it goes to.
//
// All that one rank sends to another in a call lies in one block, so that a peer that shares no memory can be
// given a block of the same form, which then goes over the network in a few pieces. A message's place is
// fixed by its source and token alone, so that a sender stores a row before it has counted anything. What
// takes counting (rows in the experts' lists) travels next to it, in words that carry the epoch in their upper
// half and are thus valid by themselves: no fence stands before them. Only flags, which publish rows, are
// stored with release order.
namespace railrunner::moe::cuda {

constexpr uint32_t kMaxRanks = 64;  // that one kernel reaches
constexpr uint32_t kMaxSlots = 32;  // of the network: as many as proxies
constexpr uint32_t kNone =
    0xffffffffU;  // in a record: this choice, or the whole message, is not for this rank
constexpr uint64_t kMapAlignment = 128;

// Words of one record: a choice's place in its expert's list (local expert * maxDispatchTokensPerRank + index among the
// tokens of this source) or kNone; its weight; then the index of the message among those of this source, or
// kNone.
RAILRUNNER_HOST_DEVICE inline uint32_t recordWords(uint32_t numTopk) { return 2 * numTopk + 1; }

struct BufferMap {
  // In a block:
  uint64_t begun;  // a word: the source has begun this call, so it has ended the one before; dispatch: its
                   // number of tokens. Over the network one word per slot: and all that it sends in this call
                   // under that slot is whole
  uint64_t messageCount;  // a word: messages of the source
  uint64_t counts;        // [numLocalExperts] words: choices of the source for a local expert
  uint64_t records;       // [maxDispatchTokensPerRank, recordWords] words
  uint64_t planBytes;     // from messageCount to the next plan's
  uint64_t flags;         // [maxDispatchTokensPerRank, slices] words: the row's slice is whole
  uint64_t
      rows;  // dispatch [maxDispatchTokensPerRank, copies]; combine [maxDispatchTokensPerRank], without dedup [numLocalExperts,
             // maxDispatchTokensPerRank]
  uint64_t blockBytes;
  uint64_t messageBytes;  // of one dispatch row: payload, then scales
  uint64_t combineBytes;  // of one combine row
  // In the buffer:
  uint64_t zeroCopy;       // where rows of half 0 begin, with zeroCopy
  uint64_t zeroCopyBytes;  // of one half
  uint64_t barrier;        // [worldSize] words: the barrier before a timed call that the rank has reached
  uint64_t totalBytes;
  uint32_t copies;  // of a token at one rank at most: 1 with dedup
};

RAILRUNNER_HOST_DEVICE inline uint64_t alignMap(uint64_t bytes) {
  return (bytes + kMapAlignment - 1) / kMapAlignment * kMapAlignment;
}

// Words from messageCount on that go with `numTokens` tokens: message count, counts and records.
RAILRUNNER_HOST_DEVICE inline uint64_t planWords(const Shape& s, uint32_t numTokens) {
  return 1 + s.numLocalExperts() + static_cast<uint64_t>(numTokens) * recordWords(s.numTopk);
}

// Both halves of `source`'s block follow each other.
RAILRUNNER_HOST_DEVICE inline uint64_t blockOffset(const BufferMap& m, uint32_t source) {
  return 2 * m.blockBytes * source;
}

// plans: of a block.
RAILRUNNER_HOST_DEVICE inline BufferMap bufferMap(const Shape& s, uint32_t slices, uint32_t plans = 1) {
  BufferMap m{};
  const uint32_t most = s.numTopk < s.numLocalExperts() ? s.numTopk : s.numLocalExperts();
  m.copies = s.dedup ? 1 : most;
  m.messageBytes = s.payloadRowBytes() +
                   (s.payload == DispatchDtype::kFp8E4m3 ? (4ULL * s.numScales() + 15) / 16 * 16 : 0);
  m.combineBytes = s.bf16RowBytes();
  const uint64_t dispatchBytes =
      static_cast<uint64_t>(s.maxDispatchTokensPerRank) * m.copies * m.messageBytes;
  const uint64_t combineBytes =
      static_cast<uint64_t>(s.dedup ? 1 : s.numLocalExperts()) * s.maxDispatchTokensPerRank * m.combineBytes;
  m.begun = 0;
  m.messageCount = alignMap(8ULL * kMaxSlots);  // who polls `begun` is not held up by stores to what follows
  m.counts = m.messageCount + 8;
  m.records = m.counts + 8ULL * s.numLocalExperts();
  m.planBytes = 8 * planWords(s, s.maxDispatchTokensPerRank);
  m.flags = alignMap(m.messageCount + plans * m.planBytes);
  m.rows = m.flags + alignMap(8ULL * s.maxDispatchTokensPerRank * slices);
  m.blockBytes = m.rows + alignMap(dispatchBytes > combineBytes ? dispatchBytes : combineBytes);
  m.zeroCopy = blockOffset(m, s.worldSize);
  m.zeroCopyBytes = s.zeroCopy ? alignMap(s.resultRows() * m.combineBytes) : 0;
  m.barrier = m.zeroCopy + 2 * m.zeroCopyBytes;
  m.totalBytes = m.barrier + alignMap(8ULL * s.worldSize);
  return m;
}

}  // namespace railrunner::moe::cuda
