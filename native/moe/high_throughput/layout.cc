#include "moe/high_throughput/layout.h"

#include <algorithm>

namespace railrunner::moe::high_throughput {

namespace {

// Calls each(token, expert) for every choice that names one.
template <class Each>
void forEachChoice(const Shape& shape, std::span<const int32_t> topkIdx, Each&& each) {
  for (size_t choice = 0; choice < topkIdx.size(); ++choice) {
    if (topkIdx[choice] >= 0) {
      each(static_cast<uint32_t>(choice / shape.numTopk), static_cast<uint32_t>(topkIdx[choice]));
    }
  }
}

}  // namespace

SourceCounts countRouting(const Shape& shape, std::span<const int32_t> topkIdx,
                          std::span<const uint32_t> nodeOf) {
  const uint32_t numNodes = nodeOf.empty() ? 1 : 1 + *std::max_element(nodeOf.begin(), nodeOf.end());
  SourceCounts counts{std::vector<uint32_t>(shape.worldSize), std::vector<uint32_t>(numNodes),
                      std::vector<uint32_t>(shape.numExperts)};
  // The token after the last that was counted there: 0 = none yet.
  std::vector<uint32_t> countedTo(shape.worldSize), countedToNode(numNodes);
  forEachChoice(shape, topkIdx, [&](uint32_t token, uint32_t expert) {
    const uint32_t rank = shape.rankOfExpert(expert);
    const uint32_t node = nodeOf.empty() ? 0 : nodeOf[rank];
    ++counts.rowsOfExpert[expert];
    if (countedTo[rank] != token + 1) ++counts.tokensTo[rank];
    if (countedToNode[node] != token + 1) ++counts.tokensToNode[node];
    countedTo[rank] = countedToNode[node] = token + 1;
  });
  return counts;
}

ReceiveNeed needOf(const Shape& shape, const Options& options, std::span<const SourceCounts> sources,
                   uint32_t rank) {
  ReceiveNeed need;
  for (const SourceCounts& source : sources) need.tokens += source.tokensTo[rank];
  for (uint32_t local = 0; local < shape.numLocalExperts(); ++local) {
    uint64_t rows = 0;
    for (const SourceCounts& source : sources) {
      rows += source.rowsOfExpert[rank * shape.numLocalExperts() + local];
    }
    need.rows += alignRows(rows, options.expertAlignment);
  }
  return need;
}

std::vector<uint8_t> tokenInRank(const Shape& shape, std::span<const int32_t> topkIdx) {
  std::vector<uint8_t> isIn(topkIdx.size() / shape.numTopk * shape.worldSize);
  forEachChoice(shape, topkIdx, [&](uint32_t token, uint32_t expert) {
    isIn[static_cast<size_t>(token) * shape.worldSize + shape.rankOfExpert(expert)] = 1;
  });
  return isIn;
}

uint64_t routingDigest(std::span<const int32_t> topkIdx, uint32_t numTokens) {
  constexpr uint64_t kPrime = 0x100000001b3ULL;
  uint64_t digest = (0xcbf29ce484222325ULL ^ numTokens) * kPrime;
  for (const int32_t id : topkIdx) digest = (digest ^ static_cast<uint32_t>(id)) * kPrime;
  return digest;
}

}  // namespace railrunner::moe::high_throughput
