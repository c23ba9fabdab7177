#pragma once

#include <cstdint>
#include <string>

#include "moe/shape.h"

// What a high-throughput exchange is asked for beyond its Shape, and the memory it gets.
namespace railrunner::moe::high_throughput {

// How rows reach a rank. kSparse: each token once for each rank that hosts one of its experts. kAllGather: all
// tokens of every rank as one contiguous copy each, selected where they arrive.
enum class Strategy : uint32_t { kSparse = 0, kAllGather = 1 };

// kExact: memory for the rows of this routing; a call waits for the counts before it writes. kFixed: for
// `fixedRows` expert rows; waits likewise. kWorstCase: for whatever can come; nothing waits for counts.
enum class Receive : uint32_t { kExact = 0, kFixed = 1, kWorstCase = 2 };

constexpr uint32_t kMaxExpertAlignment = 1024;

struct Options {
  Strategy strategy = Strategy::kSparse;
  uint32_t expertAlignment = 1;  // rows of each expert begin at a multiple; 1..kMaxExpertAlignment
  bool reuseLayout = false;      // the first dispatch's layout serves all that follow
  bool weighted = true;          // combine applies the weights; else partial sums are plain
  Receive receive = Receive::kExact;
  uint64_t fixedRows = 0;      // kFixed: expert rows of every rank's receive memory
  uint32_t numProcessors = 0;  // cuda: processors that a call may use; 0 = the device's own choice
};

// Receive memory of one rank.
struct Capacity {
  uint64_t tokens = 0;  // received tokens
  uint64_t rows = 0;    // expert rows, padding included
};

// What one dispatch brings to one rank.
struct ReceiveNeed {
  uint64_t tokens = 0;
  uint64_t rows = 0;
};

RAILRUNNER_HOST_DEVICE inline uint64_t alignRows(uint64_t rows, uint32_t alignment) {
  return (rows + alignment - 1) / alignment * alignment;
}

// Whatever the routing: a token comes to a rank once, to as many of its experts as it has choices.
RAILRUNNER_HOST_DEVICE inline Capacity worstCaseCapacity(const Shape& shape, const Options& options) {
  const uint64_t tokens = static_cast<uint64_t>(shape.worldSize) * shape.maxDispatchTokensPerRank;
  const uint32_t local = shape.numLocalExperts();
  const uint64_t perToken = shape.numTopk < local ? shape.numTopk : local;
  return {tokens, tokens * perToken + static_cast<uint64_t>(local) * (options.expertAlignment - 1)};
}

// Throws kArgument where options break a rule above or do not go with the shape.
void requireLegal(const Shape& shape, const Options& options);

// The one sentence with which every rank refuses a dispatch that `rank` has no room for. Every rank knows all
// counts before anything is written, so all of them throw it (kArgument) and nothing is.
std::string overflowSentence(uint32_t rank, const ReceiveNeed& need, const Capacity& capacity);

}  // namespace railrunner::moe::high_throughput
