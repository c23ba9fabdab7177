#pragma once

#include <cstdint>
#include <vector>

// Who talks to whom when a token crosses once a destination node (docs/moe.md, "Forwarding inside nodes").
namespace railrunner::moe {

// Node and place of every rank: its place is its number among the ranks of its node, ascending. Between nodes
// only ranks of equal place talk to each other, and each forwards inside its own node. Where nothing is to be
// forwarded (no nodes given, one node, or one rank per node) every rank talks to every other.
class Rails {
 public:
  // nodeOfRank: one entry per rank, or none for a world without forwarding. Throws kArgument where nodes have
  // unequal numbers of ranks.
  Rails(uint32_t rank, uint32_t worldSize, const std::vector<uint32_t>& nodeOfRank);

  bool forwards() const { return forwards_; }
  uint32_t ranksPerNode() const { return ranksPerNode_; }
  uint32_t nodeOf(uint32_t peer) const { return node_[peer]; }
  uint32_t placeOf(uint32_t peer) const { return place_[peer]; }
  // In this rank's node, itself included; without forwarding every rank is.
  bool isNear(uint32_t peer) const { return !forwards_ || node_[peer] == node_[rank_]; }
  // Whether this rank forwards what `peer` sends to its node, and sums for it what its node sends back.
  bool isRail(uint32_t peer) const { return !isNear(peer) && place_[peer] == place_[rank_]; }
  // The rank that this one writes to for `peer`: peer if near, else the one of its node with this rank's
  // place.
  uint32_t sendsVia(uint32_t peer) const { return sendsVia_[peer]; }
  // The rank that writes to this one what `peer` sends: peer if near or a rail, else the one of this node
  // with its place.
  uint32_t hearsVia(uint32_t peer) const { return hearsVia_[peer]; }
  // The rank of `peer`'s node with the place of `like`.
  uint32_t rankAt(uint32_t peer, uint32_t like) const {
    return ranks_[node_[peer] * ranksPerNode_ + place_[like]];
  }

 private:
  uint32_t rank_;
  bool forwards_ = false;
  uint32_t ranksPerNode_;
  std::vector<uint32_t> node_;   // by rank, numbered from 0 in the order of their first ranks
  std::vector<uint32_t> place_;  // by rank
  std::vector<uint32_t> ranks_;  // [nodes, ranksPerNode]
  std::vector<uint32_t> sendsVia_;
  std::vector<uint32_t> hearsVia_;
};

}  // namespace railrunner::moe
