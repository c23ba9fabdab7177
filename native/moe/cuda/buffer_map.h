#pragma once

#include "moe/shape.h"

// Offsets in the symmetric buffer of the cuda device, in bytes from its base. Shared by host code and
// kernels.
//
//   half 0 | half 1 | zero-copy rows of half 0, half 1 | barrier
//   half: counts | messageCounts | begun | records | flags | slots
//
// A message's place is fixed by its source and token alone, so that a sender stores a row before it has
// counted anything. What takes counting (rows in the experts' lists) travels beside it, in words that carry
// the epoch in their upper half and are thus valid by themselves: no fence stands before them. Only flags,
// which publish rows, are stored with release order.
namespace railrunner::moe::cuda {

constexpr uint32_t kMaxRanks = 64;  // ranks that one kernel reaches by stores
constexpr uint32_t kNone =
    0xffffffffU;  // in a record: this choice, or the whole message, is not for this rank
constexpr uint64_t kMapAlignment = 128;

// Words of one record: a choice's place in its expert's list (local expert * maxTokens + index among the
// tokens of this source) or kNone; its weight; then the index of the message among those of this source, or
// kNone.
RAILRUNNER_HOST_DEVICE inline uint32_t recordWords(uint32_t numTopk) { return 2 * numTopk + 1; }

struct BufferMap {
  uint64_t counts;         // [numLocalExperts, worldSize] words: choices of a source for a local expert
  uint64_t messageCounts;  // [worldSize] words: messages of a source
  uint64_t begun;    // [worldSize] words: the source has begun this call, so it has ended the one before;
                     // dispatch: its number of tokens
  uint64_t records;  // [worldSize, maxTokens, recordWords] words
  uint64_t flags;    // [worldSize, maxTokens, slices] words: the row's slice is whole
  uint64_t slots;    // dispatch [worldSize, maxTokens, copies] rows; combine [origins, maxTokens] rows
  uint64_t halfBytes;
  uint64_t messageBytes;   // of one dispatch row: payload, then scales
  uint64_t combineBytes;   // of one combine row
  uint64_t zeroCopy;       // where rows of half 0 begin, with zeroCopy
  uint64_t zeroCopyBytes;  // of one half
  uint64_t barrier;        // [worldSize] words: the barrier before a timed call that the rank has reached
  uint64_t totalBytes;
  uint32_t copies;  // of a token at one rank at most: 1 with dedup
};

RAILRUNNER_HOST_DEVICE inline uint64_t alignMap(uint64_t bytes) {
  return (bytes + kMapAlignment - 1) / kMapAlignment * kMapAlignment;
}

RAILRUNNER_HOST_DEVICE inline BufferMap bufferMap(const Shape& s, uint32_t slices) {
  BufferMap m{};
  const uint64_t units = static_cast<uint64_t>(s.worldSize) * s.maxTokens * slices;
  const uint32_t most = s.numTopk < s.numLocalExperts() ? s.numTopk : s.numLocalExperts();
  m.copies = s.dedup ? 1 : most;
  m.messageBytes =
      s.payloadRowBytes() + (s.payload == PayloadType::kFp8E4m3 ? (4ULL * s.numScales() + 15) / 16 * 16 : 0);
  m.combineBytes = s.bf16RowBytes();
  const uint64_t origins = s.dedup ? s.worldSize : s.numExperts;
  const uint64_t dispatchBytes = static_cast<uint64_t>(s.worldSize) * s.maxTokens * m.copies * m.messageBytes;
  const uint64_t combineBytes = origins * s.maxTokens * m.combineBytes;
  m.counts = 0;
  m.messageCounts = alignMap(8ULL * s.numExperts);
  m.begun = m.messageCounts + alignMap(8ULL * s.worldSize);
  m.records = m.begun + alignMap(8ULL * s.worldSize);
  m.flags = m.records + alignMap(8 * (units / slices) * recordWords(s.numTopk));
  m.slots = m.flags + alignMap(8 * units);
  m.halfBytes = m.slots + alignMap(dispatchBytes > combineBytes ? dispatchBytes : combineBytes);
  m.zeroCopy = 2 * m.halfBytes;
  m.zeroCopyBytes = s.zeroCopy ? alignMap(s.resultRows() * m.combineBytes) : 0;
  m.barrier = m.zeroCopy + 2 * m.zeroCopyBytes;
  m.totalBytes = m.barrier + alignMap(8ULL * s.worldSize);
  return m;
}

}  // namespace railrunner::moe::cuda
