#include <algorithm>
#include <cstring>

#include "moe/host/low_latency/exchange.h"
#include "moe/host/rows.h"

// A relay's part of the exchange: what came for its node goes to the ranks that host the experts, and what
// they return goes back as one row per token.
namespace railrunner::moe::host {

// Ranks of this node that host one of the chosen experts, ascending, each once. Returns how many. Ids came
// over the wire: others than experts are passed over.
uint32_t HostExchange::hostsHere(const int32_t* ids, uint32_t* ranks) const {
  uint32_t count = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    if (ids[k] < 0 || static_cast<uint32_t>(ids[k]) >= shape_.numExperts) continue;
    const uint32_t host = shape_.rankOfExpert(static_cast<uint32_t>(ids[k]));
    if (rails_.isNear(host)) ranks[count++] = host;
  }
  std::sort(ranks, ranks + count);
  return static_cast<uint32_t>(std::unique(ranks, ranks + count) - ranks);
}

void HostExchange::forwardMessage(uint32_t peer, uint32_t source, const std::byte* message, bool corrupt) {
  const uint32_t copy = forwardCount_[peer]++;
  std::byte* target =
      peers_.base[peer] + layout_.receiveOffset(half_) + dispatchSlotOffset(shape_, layout_, 0, source, copy);
  std::memcpy(target, message, layout_.message.strideBytes);
  if (corrupt) target[layout_.message.payloadOffset] ^= std::byte{1};
  bytes_.ipc += layout_.message.strideBytes;
}

// Hands the messages of one source on before it looks at its own: others wait for them. Leaves the slots of
// its own in keptSlots_, their number in messageCount, and what combine needs to sum for the node.
void HostExchange::forwardMessages(DispatchResult& result, uint32_t source, uint32_t count) {
  std::fill(forwardCount_.begin(), forwardCount_.end(), 0);
  uint32_t kept = 0;
  for (uint32_t copy = 0; copy < count; ++copy) {
    const uint64_t slot = dispatchSlotOffset(shape_, layout_, 0, source, copy);
    const Message message = receivedMessage(messageOf(0, source, copy), source);
    uint32_t ranks[kMaxTopk];
    const uint32_t numRanks = hostsHere(message.ids, ranks);
    if (numRanks == 0) {
      throw Error(ErrorCode::kWrongData, "dispatch: rank " + std::to_string(source) + " sent token " +
                                             std::to_string(message.token) + " to rank " +
                                             std::to_string(peers_.rank) +
                                             ", which is to forward it: expected an expert of its node, "
                                             "received none: the memory was overwritten");
    }
    for (uint32_t i = 0; i < numRanks; ++i) {
      if (ranks[i] == peers_.rank) {
        keptSlots_[kept++] = copy;
      } else if (!isSilent()) {
        const bool corrupt = corrupts() && forwardCount_[ranks[i]] == 0;
        forwardMessage(ranks[i], source, local(layout_.receiveOffset(half_) + slot), corrupt);
      }
    }
    const uint64_t record = static_cast<uint64_t>(source) * shape_.maxDispatchTokensPerRank + copy;
    result.relayToken[record] = static_cast<int32_t>(message.token);
    std::memcpy(result.relayIds + record * shape_.numTopk, message.ids, 4ULL * shape_.numTopk);
  }
  for (const uint32_t peer : others_) {
    if (rails_.isNear(peer)) publish(peer, 0, dispatchSignalIndex(shape_, 0, source), forwardCount_[peer]);
  }
  result.relayCount[source] = static_cast<int32_t>(count);
  result.messageCount[source] = static_cast<int32_t>(kept);
}

// `origin` stands for a rank of this node, whose partials for a rail of this rank are here now.
void HostExchange::takePartial(uint32_t origin) {
  const uint32_t owner = rails_.sendsVia(origin);
  if (--partialsLeft_[owner] == 0) sendNodeSums(owner);
}

// One row per token: bf16(sum over this node's hosting ranks, ascending, of their partials).
void HostExchange::sendNodeSums(uint32_t owner) {
  if (isSilent()) return;
  const DispatchResult& result = *combined_;
  const uint64_t receive = layout_.receiveOffset(half_);
  const uint64_t first = static_cast<uint64_t>(owner) * shape_.maxDispatchTokensPerRank;
  uint64_t ownMessage = first;  // the messages with experts of this rank are those it relayed, in order
  for (uint64_t record = first; record < first + static_cast<uint32_t>(result.relayCount[owner]); ++record) {
    const auto token = static_cast<uint32_t>(result.relayToken[record]);
    uint32_t ranks[kMaxTopk];
    const uint32_t numRanks = hostsHere(result.relayIds + record * shape_.numTopk, ranks);
    const uint16_t* rows[kMaxTopk];
    for (uint32_t i = 0; i < numRanks; ++i) {
      const uint32_t origin = rails_.rankAt(owner, ranks[i]);
      rows[i] = ranks[i] == peers_.rank ? partialRow(ownMessage++, scratchRow_.data())
                                        : reinterpret_cast<const uint16_t*>(local(
                                              receive + combineSlotOffset(shape_, layout_, origin, token)));
    }
    sumRows(nodeRow_.data(), rows, nullptr, numRanks, shape_.paddedHidden());
    sendRow(owner, 0, receive + combineSlotOffset(shape_, layout_, peers_.rank, token), nodeRow_.data());
  }
  publish(owner, 0, peers_.rank, 0);
  finishSend(owner);
}

}  // namespace railrunner::moe::host
