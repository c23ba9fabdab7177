#include <algorithm>
#include <cstring>

#include "moe/host/low_latency/exchange.h"
#include "moe/host/rows.h"

namespace railrunner::moe::host {

void HostExchange::sendRow(uint32_t peer, uint32_t slot, uint64_t targetOffset, const uint16_t* row) {
  std::byte* base = peers_.base[peer];
  const uint64_t bytes = layout_.combineBytes;
  if (base == nullptr) {
    link_.network->put({peer, slot, epoch_, link_.region, targetOffset, row, bytes});
    bytes_.network += bytes;
    return;
  }
  std::memcpy(base + targetOffset, row, bytes);
  (peer == peers_.rank ? bytes_.self : bytes_.ipc) += bytes;
}

// dedup: this rank's share of one message's sum, as it travels. Expert-major: the weighted sum over the
// choices that live here, in the order of k, rounded once to bf16 into `sum`. Rank-major: the caller has done
// that already, and its row is returned.
const uint16_t* HostExchange::partialRow(uint64_t message, uint16_t* sum) const {
  const uint64_t columns = shape_.paddedHidden();
  if (shape_.outputLayout == OutputLayout::kRankMajor) return y_ + message * columns;
  const DispatchResult& result = *combined_;
  const uint16_t* rows[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t numRows = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const int32_t row = result.messageRow[message * shape_.numTopk + k];
    if (row < 0) continue;
    rows[numRows] = y_ + static_cast<uint64_t>(row) * columns;
    weights[numRows++] = result.messageWeight[message * shape_.numTopk + k];
  }
  sumRows(sum, rows, weights, numRows, shape_.paddedHidden());
  return sum;
}

// dedup, zeroCopy: where the rows of one message lie in this rank's combineInput(), for the owner to sum them there: a row
// number for each choice, -1 where another rank hosts it; rank-major: the message's only row.
void HostExchange::pointAtRows(std::byte* slot, uint64_t message) {
  if (shape_.outputLayout == OutputLayout::kRankMajor) {
    const auto row = static_cast<int32_t>(message);
    std::memcpy(slot, &row, sizeof(row));
    bytes_.ipc += layout_.combineBytes;
    return;
  }
  const int32_t* rows = combined_->messageRow + message * shape_.numTopk;
  std::memcpy(slot, rows, 4ULL * shape_.numTopk);
  bytes_.ipc +=
      layout_.combineBytes *
      static_cast<uint64_t>(std::count_if(rows, rows + shape_.numTopk, [](int32_t row) { return row >= 0; }));
}

// A row of a peer's combineInput(). Its number came from that peer: a wrong one would be read through.
const uint16_t* HostExchange::rowInPlace(uint32_t peer, int32_t row) const {
  if (row >= 0 && static_cast<uint64_t>(row) < shape_.resultRows()) {
    return reinterpret_cast<const uint16_t*>(peers_.base[peer] + layout_.sendOffset(half_) +
                                             static_cast<uint64_t>(row) * layout_.combineBytes);
  }
  throw Error(ErrorCode::kWrongData, "combine: rank " + std::to_string(peer) + " points at row " +
                                         std::to_string(row) + ", expected one of its " +
                                         std::to_string(shape_.resultRows()) +
                                         ": the memory was overwritten");
}

// dedup: one row per message that came from `owner`, into the slots of `origin` at `target`: the owner itself,
// or the relay that sums for it.
void HostExchange::combineRankRows(uint32_t owner, uint32_t target, uint32_t origin) {
  const DispatchResult& result = *combined_;
  const auto count = static_cast<uint32_t>(result.messageCount[owner]);
  std::byte* base = peers_.base[target];
  for (uint32_t copy = 0; copy < count; ++copy) {
    const uint64_t message = static_cast<uint64_t>(owner) * shape_.maxDispatchTokensPerRank + copy;
    const uint64_t offset =
        layout_.receiveOffset(half_) +
        combineSlotOffset(shape_, layout_, origin, static_cast<uint32_t>(result.messageToken[message]));
    if (combinesInPlace(target)) {
      pointAtRows(base + offset, message);
      continue;
    }
    if (base == nullptr || shape_.outputLayout == OutputLayout::kRankMajor) {
      sendRow(target, 0, offset, partialRow(message, scratchRow_.data()));
      continue;
    }
    partialRow(message, reinterpret_cast<uint16_t*>(base + offset));  // straight into the other's memory
    (target == peers_.rank ? bytes_.self : bytes_.ipc) += layout_.combineBytes;
  }
}

// dedup off: every row goes back as it is, expert by expert.
void HostExchange::combineExpertRows(uint32_t peer) {
  const uint64_t columns = shape_.paddedHidden();
  for (uint32_t expert = 0; expert < shape_.numLocalExperts(); ++expert) {
    const uint64_t range = combined_->layoutRange[static_cast<uint64_t>(expert) * shape_.worldSize + peer];
    const uint64_t first =
        static_cast<uint64_t>(expert) * shape_.maxReceivedTokens() + layoutRangeBegin(range);
    for (uint32_t i = 0; i < layoutRangeCount(range); ++i) {
      const auto token = static_cast<uint32_t>(combined_->sourceToken[first + i]);
      const uint64_t target =
          layout_.receiveOffset(half_) + combineSlotOffset(shape_, layout_, firstExpert_ + expert, token);
      if (combinesInPlace(peer)) {
        const auto row = static_cast<int32_t>(first + i);
        std::memcpy(peers_.base[peer] + target, &row, sizeof(row));
        bytes_.ipc += layout_.combineBytes;
      } else {
        sendRow(peer, expert, target, y_ + (first + i) * columns);
      }
    }
    publish(peer, expert, firstExpert_ + expert, 0);
  }
}

void HostExchange::combineSend(const uint16_t* y, const TokenBatch& batch, const DispatchResult& result) {
  if (shape_.zeroCopy && y != combineInput()) {
    throw Error(ErrorCode::kArgument, "combine: with zeroCopy the rows must lie in combineInput()");
  }
  epoch_ = sequence_.beginCombine(result.epoch);
  half_ = epoch_ & 1U;
  bytes_ = {};
  batch_ = batch;
  y_ = y;
  combined_ = &result;
  std::fill(partialsLeft_.begin(), partialsLeft_.end(), rails_.ranksPerNode() - 1);
  if (isSilent()) return;
  for (const uint32_t peer : others_) {
    if (rails_.isRail(peer)) continue;  // summed when the node's partials are here: in the receive half
    const uint32_t target = rails_.hearsVia(peer);
    if (shape_.dedup) {
      const uint32_t origin = rails_.isNear(peer) ? peers_.rank : rails_.sendsVia(peer);
      combineRankRows(peer, target, origin);
      publish(target, 0, origin, 0);
    } else {
      combineExpertRows(peer);
    }
    finishSend(target);
  }
  // Own partials go nowhere: each is made where its token is summed up.
  if (shape_.dedup)
    bytes_.self += static_cast<uint32_t>(result.messageCount[peers_.rank]) * layout_.combineBytes;
}

// out = bf16(sum over the hosting ranks, ascending, of their partial sums); a relay's is that of its node. ownMessage:
// of the token, where this rank hosts one of its experts.
void HostExchange::sumOnce(uint16_t* out, uint32_t token, uint64_t ownMessage) {
  const int32_t* ids = batch_.topkIdx + static_cast<uint64_t>(token) * shape_.numTopk;
  uint32_t ranks[kMaxTopk];
  uint32_t numRanks = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    if (ids[k] >= 0) ranks[numRanks++] = routeOfExpert_[ids[k]];
  }
  std::sort(ranks, ranks + numRanks);
  numRanks = static_cast<uint32_t>(std::unique(ranks, ranks + numRanks) - ranks);
  RowGroups groups;
  for (uint32_t i = 0; i < numRanks; ++i) {
    addPartial(groups, ranks[i], token, ownMessage);
    groups.endGroup();
  }
  sumGroups(out, groups, shape_.paddedHidden());
}

// What `origin` adds to a token's sum: the experts' rows where they can be read, else the sum that it has sent.
void HostExchange::addPartial(RowGroups& groups, uint32_t origin, uint32_t token, uint64_t ownMessage) const {
  const bool own = origin == peers_.rank;
  const std::byte* slot =
      local(layout_.receiveOffset(half_) + combineSlotOffset(shape_, layout_, origin, token));
  if (!own && !combinesInPlace(origin)) {
    groups.add(reinterpret_cast<const uint16_t*>(slot), 1.0F);
    return;
  }
  if (shape_.outputLayout == OutputLayout::kRankMajor) {
    int32_t row = static_cast<int32_t>(ownMessage);
    if (!own) std::memcpy(&row, slot, sizeof(row));
    groups.add(own ? y_ + ownMessage * shape_.paddedHidden() : rowInPlace(origin, row), 1.0F);
    return;
  }
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    int32_t row = 0;
    if (own) {
      row = combined_->messageRow[ownMessage * shape_.numTopk + k];
    } else {
      std::memcpy(&row, slot + 4ULL * k, sizeof(row));
    }
    if (row < 0) continue;
    // More rows than choices cannot be: each choice has one host, whatever the others claim.
    const int32_t expert = batch_.topkIdx[static_cast<uint64_t>(token) * shape_.numTopk + k];
    if (expert < 0 || shape_.rankOfExpert(static_cast<uint32_t>(expert)) != origin) {
      throw Error(ErrorCode::kWrongData, "combine: rank " + std::to_string(origin) +
                                             " has a row for choice " + std::to_string(k) + " of token " +
                                             std::to_string(token) +
                                             ", which another rank hosts: the memory was overwritten");
    }
    groups.add(own ? y_ + static_cast<uint64_t>(row) * shape_.paddedHidden() : rowInPlace(origin, row),
               batch_.topkWeights[static_cast<uint64_t>(token) * shape_.numTopk + k]);
  }
}

// out = bf16(sum over k, ascending, of weight * expert row).
void HostExchange::sumPerExpert(uint16_t* out, uint32_t token) const {
  const uint64_t choice = static_cast<uint64_t>(token) * shape_.numTopk;
  const uint16_t* rows[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t numRows = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const int32_t expert = batch_.topkIdx[choice + k];
    if (expert < 0) continue;
    const int32_t own = combined_->ownRow[choice + k];
    weights[numRows] = batch_.topkWeights[choice + k];
    const uint32_t host = shape_.rankOfExpert(static_cast<uint32_t>(expert));
    const std::byte* slot = local(layout_.receiveOffset(half_) +
                                  combineSlotOffset(shape_, layout_, static_cast<uint32_t>(expert), token));
    if (own >= 0) {
      rows[numRows++] = y_ + static_cast<uint64_t>(own) * shape_.paddedHidden();
    } else if (combinesInPlace(host)) {
      int32_t row = 0;
      std::memcpy(&row, slot, sizeof(row));
      rows[numRows++] = rowInPlace(host, row);
    } else {
      rows[numRows++] = reinterpret_cast<const uint16_t*>(slot);
    }
  }
  sumRows(out, rows, weights, numRows, shape_.paddedHidden());
}

void HostExchange::combineReceive(uint16_t* out) {
  sequence_.endCombine();
  std::fill(nextExpert_.begin(), nextExpert_.end(), 0);
  const uint32_t flags = shape_.dedup ? 1 : shape_.numLocalExperts();
  collect(
      [&](uint32_t peer) {
        uint32_t unused = 0;
        for (uint32_t& expert = nextExpert_[peer]; expert < flags; ++expert) {
          if (!takeSignal(peer * flags + expert, rails_.hearsVia(peer), &unused)) return false;
        }
        if (!rails_.isNear(peer) && !rails_.isRail(peer)) takePartial(peer);
        return true;
      },
      "combine", "its rows");
  // Messages of own tokens are in the order of these.
  uint64_t ownMessage = static_cast<uint64_t>(peers_.rank) * shape_.maxDispatchTokensPerRank;
  const uint64_t ownEnd =
      ownMessage + (shape_.dedup ? static_cast<uint32_t>(combined_->messageCount[peers_.rank]) : 0);
  for (uint32_t token = 0; token < batch_.numTokens; ++token) {
    uint16_t* row = out + static_cast<uint64_t>(token) * shape_.paddedHidden();
    if (shape_.dedup) {
      sumOnce(row, token, ownMessage);
      if (ownMessage < ownEnd && combined_->messageToken[ownMessage] == static_cast<int32_t>(token))
        ++ownMessage;
    } else {
      sumPerExpert(row, token);
    }
  }
}

}  // namespace railrunner::moe::host
