#pragma once

#include "moe/high_throughput/options.h"

// What goes into a high-throughput dispatch and what it leaves. All pointers are in the device's memory.
namespace railrunner::moe::high_throughput {

// One rank's tokens. Unchanged until the call that takes them is over on every rank.
struct TokenRows {
  const uint8_t* x = nullptr;        // bf16 or e4m3 [numTokens, payloadRowBytes], padding zero
  const float* scales = nullptr;     // fp8: [numTokens, numScales]
  const int32_t* topkIdx = nullptr;  // [numTokens, numTopk]: global expert, or -1; no expert twice per token
  const float* topkWeights = nullptr;  // [numTokens, numTopk]
  uint32_t numTokens = 0;              // 0..maxDispatchTokensPerRank; may differ between ranks
};

// L = numLocalExperts, K = numTopk.
//
// Received tokens: every token of every rank that chose an expert of this one, once, in the order of source
// rank, then source token. Expert rows: local expert by local expert, each beginning at a multiple of
// expertAlignment; inside an expert in the order of received tokens. What lies between the last row of an
// expert and the first of the next is never written.
struct ReceivedRows {
  // bf16 or e4m3 by payloadRowBytes. Expert-major outputs: [capacity.rows], a copy for each expert row;
  // rank-major: [capacity.tokens], where expert e takes rows rowToken[expertBegin[e] .. + count[e]).
  uint8_t* x = nullptr;
  float* scales = nullptr;         // fp8: [rows of x, numScales]
  int32_t* count = nullptr;        // [L] rows of each expert
  int32_t* expertBegin = nullptr;  // [L + 1]; the last: all expert rows with padding
  int32_t* sourceBegin = nullptr;  // [worldSize + 1] first received token of each source; the last: all
  int32_t* rowToken = nullptr;     // [capacity.rows] received token of an expert row, -1 = padding
  int32_t* sourceToken = nullptr;  // [capacity.tokens] index at the source rank
  int32_t* tokenRow = nullptr;     // [capacity.tokens, K] expert row of choice k, -1 = not hosted here
  int32_t* tokenExpert = nullptr;  // [capacity.tokens, K] local expert of choice k, -1 likewise
  float* tokenWeight = nullptr;    // [capacity.tokens, K] as the source gave them
};

// Rows of x, and of what combine takes: one bf16 row for each.
RAILRUNNER_HOST_DEVICE inline uint64_t rowsOfX(const Shape& shape, const Capacity& capacity) {
  return shape.outputLayout == OutputLayout::kExpertMajor ? capacity.rows : capacity.tokens;
}

}  // namespace railrunner::moe::high_throughput
