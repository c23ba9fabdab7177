#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace railrunner {

// Who hands what to whom. Share s of a step comes in at one rank of each node and is taken from there by the
// others: on the root's node at the rank that loads it, on others at the rank that gets it over the network.
class ReplicatedTopology {
 public:
  ReplicatedTopology(const std::vector<int>& nodeOfRank, int rank, int root);

  int rank() const { return rank_; }
  int root() const { return root_; }
  int node() const { return node_; }
  int numNodes() const { return static_cast<int>(ranks_.size()); }
  bool isOnRootNode() const { return node_ == rootNode_; }
  const std::vector<int>& ranksOf(int node) const { return ranks_[static_cast<size_t>(node)]; }
  const std::vector<int>& nodeRanks() const { return ranksOf(node_); }
  uint32_t rootNodeSize() const { return static_cast<uint32_t>(ranksOf(rootNode_).size()); }

  // numShares is 1 (the root loads all) or rootNodeSize() (each rank of its node loads one).
  int origin(uint32_t share, uint32_t numShares) const {
    return numShares == 1 ? root_ : ranksOf(rootNode_)[share];
  }
  int entry(int node, uint32_t share, uint32_t numShares) const {
    if (node == rootNode_) return origin(share, numShares);
    const auto& ranks = ranksOf(node);
    return ranks[share % ranks.size()];
  }

  // How `ipc` hands a share on among the ranks of the root's node. One share goes along a chain from the root: every
  // rank receives once and sends once, so all links carry the payload at the same time. Of several shares each goes
  // from its origin straight to the others: together they load all links alike, and none has to wait for a relay.
  // Whom this rank has it from; its own rank at the origin.
  int ipcSource(uint32_t share, uint32_t numShares) const;
  // Who has it from this rank.
  std::vector<int> ipcTakers(uint32_t share, uint32_t numShares) const;

 private:
  // The rank that many places behind `origin` in the chain.
  int behind(int origin, size_t places) const;
  size_t placeOf(int rank) const;

  int rank_;
  int root_;
  int node_ = 0;
  int rootNode_ = 0;
  std::vector<std::vector<int>> ranks_;  // by node, ascending
};

}  // namespace railrunner
