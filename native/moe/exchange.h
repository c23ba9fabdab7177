#pragma once

#include <cstdint>
#include <vector>

#include "moe/buffer_layout.h"

// What goes into and comes out of dispatch and combine. All pointers are in the device's memory.
namespace railrunner::moe {

// One rank's tokens. Unchanged until the receive phase of the call that takes it is over.
struct TokenBatch {
  const uint16_t* x = nullptr;  // bf16 [numTokens, paddedHidden], padding zero
  const int32_t* topkIdx =
      nullptr;  // [numTokens, numTopk]: global expert, or -1 = no choice; no expert twice per token
  const float* topkWeights = nullptr;  // [numTokens, numTopk]
  uint32_t numTokens = 0;              // 0..maxTokens; may differ between ranks
};

// What a dispatch leaves on the receiving rank, and what combine needs to send it back. S = worldSize *
// maxTokens. The order of rows inside an expert (a source) is free; rows beyond the counts are never written.
struct DispatchResult {
  uint8_t* x =
      nullptr;  // bf16 or e4m3. expertMajor [numLocalExperts, S, paddedHidden]; rankMajor [S, paddedHidden]
  float* scales = nullptr;   // fp8: [rows of x, numScales]
  int32_t* count = nullptr;  // rows that are filled. expertMajor [numLocalExperts]; rankMajor [worldSize]
  int32_t* sourceToken = nullptr;  // [rows of x]: index of the token at its source rank
  uint64_t* layoutRange =
      nullptr;  // expertMajor [numLocalExperts, worldSize], rankMajor [worldSize]: see signal.h
  // dedup alone, one a received message (source, copy):
  int32_t* messageCount = nullptr;  // [worldSize]
  int32_t* messageToken = nullptr;  // [S]: index of the token at its source rank
  int32_t* messageRow = nullptr;  // [S, numTopk]: expertMajor row of x, rankMajor local expert; -1 = not here
  float* messageWeight = nullptr;  // [S, numTopk]
  // Row of x that holds this rank's own token for choice k, or -1: combine reads those in place (dedup off).
  int32_t* ownRow = nullptr;      // [maxTokens, numTopk]
  int32_t* tokenCount = nullptr;  // [worldSize]: tokens of the source, cuda alone
  uint32_t epoch = 0;             // of the dispatch that filled it; 0 = holds nothing
  // Forwarding between nodes alone, of sources that this rank forwards for: what came for its whole node.
  int32_t* relayCount = nullptr;   // [worldSize]
  int32_t* relayToken = nullptr;   // [S]: index of the token at its source rank
  int32_t* relayIds = nullptr;     // [S, numTopk]: global experts
  uint32_t* relayHosts = nullptr;  // cuda, in place of those: [worldSize, maxTokens], bit j: the rank of this
                                   // node with place j hosts an expert of the source's token
};

// Where every rank's symmetric buffer is reached from here: null = over the network; the own entry is the
// local pointer.
struct PeerBases {
  uint32_t rank = 0;
  std::vector<std::byte*> base;
  // By rank; given where a token is to cross once a destination node, to be forwarded there (needs dedup).
  std::vector<uint32_t> nodeOfRank = {};
};

// Throws kArgument naming token and choice: ids in -1..numExperts-1, none twice per token, count within
// maxTokens. Called where routing enters, never inside a timed loop.
void requireLegal(const Shape& shape, const TokenBatch& batch);

}  // namespace railrunner::moe
