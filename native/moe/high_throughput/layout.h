#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moe/high_throughput/options.h"

// The layout step: where a routing sends one rank's tokens, in numbers. Host code; kernels compute the same.
namespace railrunner::moe::high_throughput {

// Of one source rank's tokens.
struct SourceCounts {
  std::vector<uint32_t> tokensTo;      // [worldSize] tokens with a choice there, each counted once
  std::vector<uint32_t> tokensToNode;  // [nodes] likewise; one node if nodes are not distinguished
  std::vector<uint32_t> rowsOfExpert;  // [numExperts] choices
};

// topkIdx [numTokens, numTopk], legal. nodeOf: by rank, numbered from 0; empty = all on one.
SourceCounts countRouting(const Shape& shape, std::span<const int32_t> topkIdx,
                          std::span<const uint32_t> nodeOf);

// What rank `rank` gets, from what every source sends.
ReceiveNeed needOf(const Shape& shape, const Options& options, std::span<const SourceCounts> sources,
                   uint32_t rank);

// [numTokens, worldSize]: non-zero where the token has a choice on the rank.
std::vector<uint8_t> tokenInRank(const Shape& shape, std::span<const int32_t> topkIdx);

// 64 bits that tell one routing of a rank from another: FNV-1a over the number of tokens and the ids.
uint64_t routingDigest(std::span<const int32_t> topkIdx, uint32_t numTokens);

}  // namespace railrunner::moe::high_throughput
