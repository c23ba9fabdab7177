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

}  // namespace railrunner
