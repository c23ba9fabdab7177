#pragma once

#include "moe/high_throughput/options.h"

// Every offset of the symmetric buffer of a high-throughput exchange on the host device, in bytes.
//
//   own block | inbox blocks | partial sums | sums of other nodes
//
// A block is what one source publishes; an inbox block is a copy of one that came over the network. One of each
// serves, without halves: dispatch and combine alternate, and each ends with a word from every rank that it is
// done with the one before (exchange.h).
namespace railrunner::moe::host::high_throughput {

using namespace railrunner::moe::high_throughput;

constexpr uint64_t kAreaAlignment = 128;

inline uint64_t alignArea(uint64_t bytes) {
  return (bytes + kAreaAlignment - 1) / kAreaAlignment * kAreaAlignment;
}

// What one source publishes, from the beginning of its block:
//   counted word | ready word | numTokens, tokensTo[worldSize], rowsOfExpert[numExperts]
//   ids [maxDispatchTokensPerRank, numTopk] | weights likewise | rows [maxDispatchTokensPerRank, payloadRowBytes] | scales [maxDispatchTokensPerRank, numScales]
struct BlockLayout {
  uint64_t counted = 0;
  uint64_t ready = 64;
  uint64_t header = 128;
  uint64_t ids = 0;
  uint64_t weights = 0;
  uint64_t rows = 0;
  uint64_t scales = 0;
  uint64_t bytes = 0;

  BlockLayout() = default;
  explicit BlockLayout(const Shape& shape) {
    const uint64_t choices = 4ULL * shape.maxDispatchTokensPerRank * shape.numTopk;
    ids = header + alignArea(headerBytes(shape));
    weights = ids + alignArea(choices);
    rows = weights + alignArea(choices);
    scales = rows + shape.maxDispatchTokensPerRank * shape.payloadRowBytes();
    const bool isFp8 = shape.payload == DispatchDtype::kFp8E4m3;
    bytes = scales + (isFp8 ? alignArea(4ULL * shape.maxDispatchTokensPerRank * shape.numScales()) : 0);
  }

  static uint64_t headerBytes(const Shape& shape) { return 4ULL * (1 + shape.worldSize + shape.numExperts); }
};

struct BufferLayout {
  BlockLayout block;
  uint64_t partialReady = 0;  // [worldSize] words: the partial sums for that owner are there
  uint64_t partials = 0;      // bf16 [tokens, paddedHidden], by received token
  uint64_t sums = 0;          // [inboxes]: a word, then bf16 [maxDispatchTokensPerRank, paddedHidden]
  uint64_t sumsBytes = 0;     // of one of them
  uint64_t totalBytes = 0;

  BufferLayout() = default;
  // `tokens`: received tokens at most, of any rank; `inboxes`: of the rank that has most.
  BufferLayout(const Shape& shape, uint64_t tokens, uint32_t inboxes) : block(shape) {
    partialReady = (1ULL + inboxes) * block.bytes;
    partials = partialReady + alignArea(8ULL * shape.worldSize);
    sums = partials + tokens * shape.bf16RowBytes();
    sumsBytes = kAreaAlignment + shape.maxDispatchTokensPerRank * shape.bf16RowBytes();
    totalBytes = sums + inboxes * sumsBytes;
  }

  uint64_t inbox(uint32_t index) const { return (1ULL + index) * block.bytes; }
  uint64_t sumsReady(uint32_t index) const { return sums + index * sumsBytes; }
  uint64_t sumsRows(uint32_t index) const { return sumsReady(index) + kAreaAlignment; }
};

}  // namespace railrunner::moe::host::high_throughput
