#pragma once

#include "moe/low_latency/buffer_layout.h"
#include "moe/token_batch.h"

// What comes out of a low-latency dispatch. All pointers are in the device's memory.
namespace railrunner::moe {

// What a dispatch leaves on the receiving rank, and what combine needs to send it back. S = worldSize *
// maxDispatchTokensPerRank. The order of rows inside an expert (a source) is free; rows beyond the counts are never written.
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
  int32_t* ownRow = nullptr;      // [maxDispatchTokensPerRank, numTopk]
  int32_t* tokenCount = nullptr;  // [worldSize]: tokens of the source, cuda alone
  uint32_t epoch = 0;             // of the dispatch that filled it; 0 = holds nothing
  // Forwarding between nodes alone, of sources that this rank forwards for: what came for its whole node.
  int32_t* relayCount = nullptr;  // [worldSize]
  int32_t* relayToken = nullptr;  // [S]: index of the token at its source rank
  int32_t* relayIds = nullptr;    // [S, numTopk]: global experts
  uint32_t* relayHosts =
      nullptr;  // cuda, in place of those: [worldSize, maxDispatchTokensPerRank], bit j: the rank of this
                // node with place j hosts an expert of the source's token
};

}  // namespace railrunner::moe
