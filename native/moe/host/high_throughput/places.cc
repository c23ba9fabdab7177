#include "moe/host/high_throughput/places.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace railrunner::moe::host::high_throughput {

namespace {

std::vector<std::vector<uint32_t>> partnersOfAll(const Rails& rails, const NetworkRelation& relation) {
  const auto size = static_cast<uint32_t>(relation.size());
  std::vector<std::vector<uint32_t>> partners(size);
  for (uint32_t from = 0; from < size; ++from) {
    for (uint32_t to = 0; to < size; ++to) {
      const bool isRail = rails.nodeOf(from) != rails.nodeOf(to) && rails.placeOf(from) == rails.placeOf(to);
      if (from != to && (rails.forwards() ? isRail : relation[from][to] != 0)) partners[from].push_back(to);
    }
  }
  return partners;
}

uint32_t mostOf(const std::vector<std::vector<uint32_t>>& partners) {
  size_t most = 0;
  for (const auto& ofRank : partners) most = std::max(most, ofRank.size());
  return static_cast<uint32_t>(most);
}

}  // namespace

uint32_t mostInboxes(const NetworkRelation& relation, const std::vector<uint32_t>& nodeOfRank) {
  return mostOf(partnersOfAll(Rails(0, static_cast<uint32_t>(relation.size()), nodeOfRank), relation));
}

Places::Places(PeerBases peers, const NetworkRelation& relation)
    : peers_(std::move(peers)),
      rails_(peers_.rank, static_cast<uint32_t>(relation.size()), peers_.nodeOfRank),
      partners_(partnersOfAll(rails_, relation)),
      served_(relation.size()),
      numInboxes_(mostOf(partners_)) {
  const auto size = static_cast<uint32_t>(relation.size());
  const bool forwards = rails_.forwards();
  for (uint32_t rank = 0; rank < size; ++rank) {
    for (uint32_t other = 0; other < size; ++other) {
      if (forwards ? rails_.nodeOf(other) == rails_.nodeOf(rank) : other == rank)
        served_[rank].push_back(other);
    }
    origin_.push_back(forwards ? rails_.sendsVia(rank) : rank);
    const bool isPartner = std::find(partners().begin(), partners().end(), origin_[rank]) != partners().end();
    if (!isNear(rank) && !isPartner) {
      throw Error(ErrorCode::kArgument, "MoE exchange: rank " + std::to_string(rank) +
                                            " shares no memory and is not reached over the network");
    }
  }
}

uint32_t Places::inboxOf(uint32_t at, uint32_t source) const {
  const auto found = std::find(partners_[at].begin(), partners_[at].end(), source);
  return static_cast<uint32_t>(found - partners_[at].begin());
}

Places::Home Places::homeOf(uint32_t source) const {
  if (isNear(source)) return {base(source), source, -1};
  const uint32_t holder = rails_.forwards() ? rails_.hearsVia(source) : source;
  const uint32_t at = holder == source ? rank() : holder;
  return {base(at), at, static_cast<int32_t>(inboxOf(at, source))};
}

std::vector<uint32_t> Places::nodeOf() const {
  std::vector<uint32_t> nodes;
  for (uint32_t rank = 0; rank < worldSize(); ++rank) nodes.push_back(rails_.nodeOf(rank));
  return nodes;
}

}  // namespace railrunner::moe::host::high_throughput
