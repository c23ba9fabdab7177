#pragma once

#include <vector>

namespace railrunner {

// Who sends heartbeats to whom: a tree with rank 0 at its root, so that no rank hears more than kFanOut + 1 others. Up to
// kFanOut + 1 ranks it is a star.
struct HeartbeatTree {
  static constexpr int kFanOut = 32;

  // -1 for rank 0.
  static int parentOf(int rank) { return rank == 0 ? -1 : (rank - 1) / kFanOut; }
  static bool isBelow(int rank, int ancestor) {
    while (rank > ancestor) rank = parentOf(rank);
    return rank == ancestor;
  }
  // Parent first, then children.
  static std::vector<int> neighboursOf(int rank, int worldSize) {
    std::vector<int> neighbours;
    if (rank > 0) neighbours.push_back(parentOf(rank));
    const long first = static_cast<long>(rank) * kFanOut + 1;
    for (long child = first; child < first + kFanOut && child < worldSize; ++child)
      neighbours.push_back(static_cast<int>(child));
    return neighbours;
  }
};

}  // namespace railrunner
