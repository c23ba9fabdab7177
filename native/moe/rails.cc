#include "moe/rails.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace railrunner::moe {

namespace {

std::vector<std::vector<uint32_t>> membersOf(const std::vector<uint32_t>& nodeOfRank) {
  std::vector<uint32_t> names;
  std::vector<std::vector<uint32_t>> members;
  for (uint32_t rank = 0; rank < nodeOfRank.size(); ++rank) {
    const auto found = std::find(names.begin(), names.end(), nodeOfRank[rank]);
    const auto node = static_cast<size_t>(found - names.begin());
    if (found == names.end()) {
      names.push_back(nodeOfRank[rank]);
      members.emplace_back();
    }
    members[node].push_back(rank);
  }
  return members;
}

}  // namespace

Rails::Rails(uint32_t rank, uint32_t worldSize, const std::vector<uint32_t>& nodeOfRank)
    : rank_(rank), ranksPerNode_(worldSize), node_(worldSize), place_(worldSize) {
  if (!nodeOfRank.empty() && nodeOfRank.size() != worldSize) {
    throw Error(ErrorCode::kArgument, "MoE nodes: expected one node for each of " +
                                          std::to_string(worldSize) + " ranks, received " +
                                          std::to_string(nodeOfRank.size()));
  }
  const auto members = membersOf(nodeOfRank.empty() ? node_ : nodeOfRank);
  ranksPerNode_ = static_cast<uint32_t>(members.front().size());
  for (uint32_t node = 0; node < members.size(); ++node) {
    if (members[node].size() != ranksPerNode_) {
      throw Error(ErrorCode::kArgument, "MoE nodes: expected as many ranks on each node, received " +
                                            std::to_string(ranksPerNode_) + " with rank " +
                                            std::to_string(members.front().front()) + " and " +
                                            std::to_string(members[node].size()) + " with rank " +
                                            std::to_string(members[node].front()));
    }
    for (uint32_t place = 0; place < ranksPerNode_; ++place) {
      node_[members[node][place]] = node;
      place_[members[node][place]] = place;
      ranks_.push_back(members[node][place]);
    }
  }
  forwards_ = members.size() > 1 && ranksPerNode_ > 1;
  for (uint32_t peer = 0; peer < worldSize; ++peer) {
    const bool isDirect = isNear(peer) || isRail(peer);
    sendsVia_.push_back(isDirect ? peer : rankAt(peer, rank));
    hearsVia_.push_back(isDirect ? peer : rankAt(rank, peer));
  }
}

}  // namespace railrunner::moe
