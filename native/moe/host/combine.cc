#include <algorithm>
#include <cstring>

#include "moe/host/exchange.h"
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

// dedup: one row a message that came from `peer`. Expert-major: the weighted sum over its choices that live
// here, in the order of k, rounded once to bf16. Rank-major: the caller has done that already.
void HostExchange::combineRankRows(uint32_t peer) {
  const uint64_t columns = shape_.paddedHidden();
  const DispatchResult& result = *combined_;
  const auto count = static_cast<uint32_t>(result.messageCount[peer]);
  for (uint32_t copy = 0; copy < count; ++copy) {
    const uint64_t message = static_cast<uint64_t>(peer) * shape_.maxTokens + copy;
    const uint64_t target =
        layout_.receiveOffset(half_) +
        combineSlotOffset(shape_, layout_, peers_.rank, static_cast<uint32_t>(result.messageToken[message]));
    if (shape_.outputLayout == OutputLayout::kRankMajor) {
      sendRow(peer, 0, target, y_ + message * columns);
      continue;
    }
    const uint16_t* rows[kMaxTopk];
    float weights[kMaxTopk];
    uint32_t numRows = 0;
    for (uint32_t k = 0; k < shape_.numTopk; ++k) {
      const int32_t row = result.messageRow[message * shape_.numTopk + k];
      if (row < 0) continue;
      rows[numRows] = y_ + static_cast<uint64_t>(row) * columns;
      weights[numRows++] = result.messageWeight[message * shape_.numTopk + k];
    }
    std::byte* base = peers_.base[peer];
    if (base == nullptr) {
      sumRows(scratchRow_.data(), rows, weights, numRows, shape_.paddedHidden());
      sendRow(peer, 0, target, scratchRow_.data());
    } else {  // straight into the owner's memory
      sumRows(reinterpret_cast<uint16_t*>(base + target), rows, weights, numRows, shape_.paddedHidden());
      (peer == peers_.rank ? bytes_.self : bytes_.ipc) += layout_.combineBytes;
    }
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
      sendRow(peer, expert, target, y_ + (first + i) * columns);
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
  if (isSilent()) return;
  for (const uint32_t peer : sendOrder_) {
    if (shape_.dedup) {
      combineRankRows(peer);
      publish(peer, 0, peers_.rank, 0);
    } else {
      combineExpertRows(peer);
    }
    finishSend(peer);
  }
  if (shape_.dedup) combineRankRows(peers_.rank);
}

// out = bf16(sum over the hosting ranks, ascending, of their partial sums).
void HostExchange::sumOnce(uint16_t* out, uint32_t token) const {
  const int32_t* ids = batch_.topkIdx + static_cast<uint64_t>(token) * shape_.numTopk;
  uint32_t ranks[kMaxTopk];
  uint32_t numRanks = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    if (ids[k] >= 0) ranks[numRanks++] = rankOfExpert_[ids[k]];
  }
  std::sort(ranks, ranks + numRanks);
  numRanks = static_cast<uint32_t>(std::unique(ranks, ranks + numRanks) - ranks);
  const uint16_t* rows[kMaxTopk];
  for (uint32_t i = 0; i < numRanks; ++i) {
    rows[i] = reinterpret_cast<const uint16_t*>(
        local(layout_.receiveOffset(half_) + combineSlotOffset(shape_, layout_, ranks[i], token)));
  }
  sumRows(out, rows, nullptr, numRanks, shape_.paddedHidden());
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
    rows[numRows++] =
        own >= 0 ? y_ + static_cast<uint64_t>(own) * shape_.paddedHidden()
                 : reinterpret_cast<const uint16_t*>(
                       local(layout_.receiveOffset(half_) +
                             combineSlotOffset(shape_, layout_, static_cast<uint32_t>(expert), token)));
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
          if (!takeSignal(peer * flags + expert, peer, &unused)) return false;
        }
        return true;
      },
      "combine", "its rows");
  for (uint32_t token = 0; token < batch_.numTokens; ++token) {
    uint16_t* row = out + static_cast<uint64_t>(token) * shape_.paddedHidden();
    if (shape_.dedup) {
      sumOnce(row, token);
    } else {
      sumPerExpert(row, token);
    }
  }
}

}  // namespace railrunner::moe::host
