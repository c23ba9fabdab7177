#include <algorithm>
#include <string>

#include "moe/cuda/low_latency/bench.h"

// What the calls of a point issue, by the routing and by what came.
namespace railrunner::moe::cuda {

namespace {

// Distinct tokens and choices that this rank writes to each, by the routing.
struct Going {
  std::vector<uint64_t> tokens;
  std::vector<uint64_t> choices;
};

Going goingOf(const Shape& shape, const Routing& routing, const Rails& rails) {
  Going going{std::vector<uint64_t>(shape.worldSize), std::vector<uint64_t>(shape.worldSize)};
  std::vector<uint8_t> seen(shape.worldSize);
  for (uint32_t token = 0; token < routing.numTokens; ++token) {
    std::fill(seen.begin(), seen.end(), 0);
    for (uint32_t k = 0; k < shape.numTopk; ++k) {
      const int32_t id = routing.topkIdx[static_cast<uint64_t>(token) * shape.numTopk + k];
      if (id < 0) continue;
      const uint32_t target = rails.sendsVia(shape.rankOfExpert(static_cast<uint32_t>(id)));
      ++going.choices[target];
      if (seen[target]++ == 0) ++going.tokens[target];
    }
  }
  return going;
}

}  // namespace

// Of a source's tokens that came for this node: the places of the ranks that host their experts.
std::vector<uint32_t> CudaBench::relayedHosts(uint32_t source) const {
  std::vector<int32_t> numTokens;
  std::vector<uint32_t> hosts;
  fetch(numTokens, result_.view().tokenCount + source, 1);
  fetch(hosts, result_.view().relayHosts + static_cast<uint64_t>(source) * shape_.maxDispatchTokensPerRank,
        static_cast<uint64_t>(numTokens[0]));
  return hosts;
}

// Rows, and to other ranks 8 for every word: records, counts, flags (not over the network), the word that
// begins the call. What is forwarded inside the node counts as if the source had stored it there.
PathBytes CudaBench::dispatchBytes() const {
  const Going going = goingOf(shape_, routing_, rails_);
  const uint64_t plan = planWords(shape_, routing_.numTokens);
  const uint64_t plans = rails_.forwards() ? rails_.ranksPerNode() : 1;
  const uint64_t rowBytes = arguments_.map.messageBytes;
  const auto stored = [&](uint64_t rows, uint64_t tokens, uint64_t planOfSource) {
    return rows * rowBytes + 8 * (1 + planOfSource + tokens * launch_.slices);
  };
  PathBytes bytes;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const uint64_t rows = shape_.dedup ? going.tokens[peer] : going.choices[peer];
    if (peer == rank_) {
      bytes.self += rows * rowBytes;
    } else if (sendsOverNetwork(peer)) {
      bytes.network += rows * rowBytes + 8 * (options_.numProxies + plans * plan);
    } else if (rails_.isNear(peer)) {
      bytes.ipc += stored(rows, going.tokens[peer], plan);
    }
    if (!rails_.isRail(peer)) continue;
    const std::vector<uint32_t> hosts = relayedHosts(peer);
    for (uint32_t place = 0; place < rails_.ranksPerNode(); ++place) {
      if (place == rails_.placeOf(rank_)) continue;
      const auto tokens = static_cast<uint64_t>(std::count_if(
          hosts.begin(), hosts.end(), [place](uint32_t places) { return (places >> place & 1U) != 0; }));
      bytes.ipc += stored(tokens, tokens, planWords(shape_, static_cast<uint32_t>(hosts.size())));
    }
  }
  return bytes;
}

// Counted from what came: rows go back where messages came from; partial sums to the rank that adds them up,
// which may be this one.
PathBytes CudaBench::combineBytes() const {
  const uint32_t numTopk = shape_.numTopk;
  const uint64_t rowBytes = shape_.bf16RowBytes();
  std::vector<int32_t> messages;
  std::vector<int32_t> rows;
  fetch(messages, result_.view().messageCount, shape_.worldSize);
  PathBytes bytes;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const auto count = static_cast<uint64_t>(messages[peer]);
    uint64_t sent = count;
    if (!shape_.dedup) {
      rows.clear();
      fetch(
          rows,
          result_.view().messageRow + static_cast<uint64_t>(peer) * shape_.maxDispatchTokensPerRank * numTopk,
          count * numTopk);
      sent = static_cast<uint64_t>(
          std::count_if(rows.begin(), rows.end(), [](int32_t row) { return row >= 0; }));
    }
    if (rails_.isRail(peer)) {
      const std::vector<uint32_t> hosts = relayedHosts(peer);
      const auto sums = hosts.size() - std::count(hosts.begin(), hosts.end(), 0U);
      bytes.self += sent * rowBytes;
      bytes.network += sums * rowBytes + 8 * options_.numProxies;
    } else if (!rails_.isNear(peer)) {
      bytes.ipc += sent * rowBytes + 8 * count * launch_.slices;
    } else if (peer == rank_) {
      bytes.self += shape_.dedup ? sent * rowBytes : 0;
    } else if (sendsOverNetwork(peer)) {
      bytes.network += sent * rowBytes + 8 * options_.numProxies;
    } else {
      bytes.ipc += sent * rowBytes + 8 * (count * launch_.slices + 1);
    }
  }
  return bytes;
}

// Over the network bytes are counted again where a proxy issues them: both must agree.
void CudaBench::requireCountedBytes(uint64_t before) const {
  const uint64_t expected = dispatches_ * dispatchBytes().network + combines_ * combineBytes().network;
  const uint64_t issued = issuedToNetwork() - before;
  if (issued == expected) return;
  throw Error(ErrorCode::kWrongData, "MoE exchange: " + std::to_string(dispatches_) + " dispatches and " +
                                         std::to_string(combines_) + " combines of rank " +
                                         std::to_string(rank_) + " issued " + std::to_string(issued) +
                                         " bytes to the network, expected " + std::to_string(expected) +
                                         " by the routing");
}

uint64_t CudaBench::issuedToNetwork() const {
  return links_->network == nullptr ? 0 : links_->network->totalCounters().payloadBytes;
}

}  // namespace railrunner::moe::cuda
