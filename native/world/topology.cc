#include "world/topology.h"

#include <map>

#include "core/error.h"

namespace railrunner {

void placeRank(WorldInfo& info, const std::vector<int>& hostLeaderOfRank, int ranksPerNode) {
  std::map<int, int> hostOfLeader;
  std::map<int, int> hostSizes;
  std::map<std::pair<int, int>, int> nodeOfSlice;
  std::vector<int> nodeSizes;
  info.nodeOfRank.assign(static_cast<size_t>(info.worldSize), 0);
  for (int rank = 0; rank < info.worldSize; ++rank) {
    const int leader = hostLeaderOfRank[static_cast<size_t>(rank)];
    if (leader < 0 || leader > rank || hostLeaderOfRank[static_cast<size_t>(leader)] != leader) {
      throw Error(ErrorCode::kWorldLost, "rank " + std::to_string(rank) +
                                             " says that the lowest rank of its host is " +
                                             std::to_string(leader) + ", which that rank denies");
    }
    const int host = hostOfLeader.emplace(leader, static_cast<int>(hostOfLeader.size())).first->second;
    const int hostRank = hostSizes[host]++;
    const int slice = ranksPerNode > 0 ? hostRank / ranksPerNode : 0;
    const auto [entry, isNew] =
        nodeOfSlice.emplace(std::pair{host, slice}, static_cast<int>(nodeSizes.size()));
    if (isNew) nodeSizes.push_back(0);
    const int node = entry->second;
    const int localRank = nodeSizes[static_cast<size_t>(node)]++;
    info.nodeOfRank[static_cast<size_t>(rank)] = node;
    if (rank == info.rank) {
      info.host = host;
      info.hostRank = hostRank;
      info.node = node;
      info.localRank = localRank;
    }
  }
  info.numNodes = static_cast<int>(nodeSizes.size());
  info.localSize = nodeSizes[static_cast<size_t>(info.node)];
  info.hostSize = hostSizes[info.host];
}

std::vector<int> ranksOfNode(const WorldInfo& info, int node) {
  std::vector<int> ranks;
  for (int rank = 0; rank < info.worldSize; ++rank) {
    if (info.nodeOfRank[static_cast<size_t>(rank)] == node) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace railrunner
