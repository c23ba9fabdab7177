#pragma once

#include <cstdint>
#include <vector>

#include "moe/shape.h"

// What goes into a dispatch, whatever the algorithm, and where the peers are.
namespace railrunner::moe {

// One rank's tokens. Unchanged until the receive phase of the call that takes it is over.
struct TokenBatch {
  const uint16_t* x = nullptr;  // bf16 [numTokens, paddedHidden], padding zero
  const int32_t* topkIdx =
      nullptr;  // [numTokens, numTopk]: global expert, or -1 = no choice; no expert twice per token
  const float* topkWeights = nullptr;  // [numTokens, numTopk]
  uint32_t numTokens = 0;              // 0..maxDispatchTokensPerRank; may differ between ranks
};

// Where every rank's symmetric buffer is reached from here: null = over the network; the own entry is the
// local pointer.
struct PeerBases {
  uint32_t rank = 0;
  std::vector<std::byte*> base;
  // By rank; given where a token is to cross once a destination node, to be forwarded there (needs dedup).
  std::vector<uint32_t> nodeOfRank = {};
  // The other ranks' memory is a copy that something else carries to them: it can be written, and says nothing of
  // what they have written.
  bool outboxes = false;
};

// Throws kArgument naming token and choice: ids in -1..numExperts-1, none twice per token, count within
// maxDispatchTokensPerRank. Called where routing enters, never inside a timed loop.
void requireLegal(const Shape& shape, const TokenBatch& batch);

}  // namespace railrunner::moe
