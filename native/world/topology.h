#pragma once

#include <string>
#include <vector>

namespace railrunner {

// The place of this rank. A host is what shares memory according to MPI; a node is a host, or a slice of one
// where ranksPerNode cuts hosts into emulated nodes.
struct WorldInfo {
  int rank = 0;
  int worldSize = 1;
  int node = 0;
  int numNodes = 1;
  int localRank = 0;
  int localSize = 1;
  int host = 0;
  int hostRank = 0;
  int hostSize = 1;
  std::vector<int> nodeOfRank;
  std::string hostname;
  std::string mpiName;
  std::string mpiVersion;
};

// Fills the places of `info` from the lowest rank of each rank's host. Hosts and nodes are numbered by their
// lowest rank; ranksPerNode 0 = nodes are hosts; a host whose ranks do not divide evenly ends with a smaller
// node. Throws kWorldLost where the table contradicts itself.
void placeRank(WorldInfo& info, const std::vector<int>& hostLeaderOfRank, int ranksPerNode);

// Ranks of a node, ascending.
std::vector<int> ranksOfNode(const WorldInfo& info, int node);

}  // namespace railrunner
