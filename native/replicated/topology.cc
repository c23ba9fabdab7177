#include "replicated/topology.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner {

ReplicatedTopology::ReplicatedTopology(const std::vector<int>& nodeOfRank, int rank, int root)
    : rank_(rank), root_(root) {
  const int worldSize = static_cast<int>(nodeOfRank.size());
  if (root < 0 || root >= worldSize) {
    throw Error(ErrorCode::kArgument, "root: expected a rank of this world, 0 to " +
                                          std::to_string(worldSize - 1) + ", received " +
                                          std::to_string(root));
  }
  const int numNodes = 1 + *std::max_element(nodeOfRank.begin(), nodeOfRank.end());
  ranks_.resize(static_cast<size_t>(numNodes));
  for (int i = 0; i < worldSize; ++i)
    ranks_[static_cast<size_t>(nodeOfRank[static_cast<size_t>(i)])].push_back(i);
  node_ = nodeOfRank[static_cast<size_t>(rank)];
  rootNode_ = nodeOfRank[static_cast<size_t>(root)];
}

size_t ReplicatedTopology::placeOf(int rank) const {
  const auto& ranks = ranksOf(rootNode_);
  return static_cast<size_t>(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

int ReplicatedTopology::behind(int origin, size_t places) const {
  const auto& ranks = ranksOf(rootNode_);
  return ranks[(placeOf(origin) + places) % ranks.size()];
}

int ReplicatedTopology::ipcSource(uint32_t share, uint32_t numShares) const {
  const int first = origin(share, numShares);
  if (numShares > 1 || rank_ == first) return first;
  return behind(rank_, ranksOf(rootNode_).size() - 1);
}

std::vector<int> ReplicatedTopology::ipcTakers(uint32_t share, uint32_t numShares) const {
  const int first = origin(share, numShares);
  const size_t numRanks = ranksOf(rootNode_).size();
  std::vector<int> takers;
  if (numShares == 1) {
    const int next = behind(rank_, 1);
    if (next != first) takers.push_back(next);
  } else if (rank_ == first) {
    // Beginning behind the origin: origins that send at the same time send to different ranks.
    for (size_t places = 1; places < numRanks; ++places) takers.push_back(behind(first, places));
  }
  return takers;
}

}  // namespace railrunner
