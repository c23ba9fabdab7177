#include "moe/low_latency/call_sequence.h"

#include <string>

#include "core/error.h"

namespace railrunner::moe {

namespace {

constexpr const char* kNames[] = {"no call", "a dispatch", "a combine"};

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorCode::kState, sentence); }

}  // namespace

uint32_t CallSequence::begin(Call call) {
  if (underWay_ != Call::kNone) {
    refuse(std::string("cannot begin ") + kNames[static_cast<uint32_t>(call)] + ": " +
           kNames[static_cast<uint32_t>(underWay_)] + " (epoch " + std::to_string(epoch_) +
           ") waits for its receive phase. Receive first.");
  }
  if (epoch_ == UINT32_MAX) refuse("the epochs of this exchange are used up. Close it and open another.");
  underWay_ = call;
  return ++epoch_;
}

void CallSequence::end(Call call) {
  if (underWay_ != call) {
    refuse(std::string("cannot receive ") + kNames[static_cast<uint32_t>(call)] + ": " +
           kNames[static_cast<uint32_t>(underWay_)] + " is in flight. Send first.");
  }
  underWay_ = Call::kNone;
}

uint32_t CallSequence::aliveSlot(uint32_t resultEpoch) const {
  for (uint32_t slot = 0; slot < kMaxAlive; ++slot) {
    if (alive_[slot] == resultEpoch) return slot;
  }
  return kMaxAlive;
}

uint32_t CallSequence::beginDispatch() {
  if (aliveSlot(0) == kMaxAlive) {
    refuse(
        "cannot begin a dispatch: expected at most one earlier result that is neither combined nor "
        "discarded, found two (epochs " +
        std::to_string(alive_[0]) + " and " + std::to_string(alive_[1]) + "). Combine or discard one first.");
  }
  return begin(Call::kDispatch);
}

void CallSequence::endDispatch() {
  end(Call::kDispatch);
  alive_[aliveSlot(0)] = epoch_;
}

uint32_t CallSequence::beginCombine(uint32_t resultEpoch) {
  const uint32_t slot = resultEpoch == 0 ? kMaxAlive : aliveSlot(resultEpoch);
  if (slot == kMaxAlive) {
    refuse("cannot combine the result of epoch " + std::to_string(resultEpoch) +
           ": it is not alive. Combine each dispatch once.");
  }
  const uint32_t epoch = begin(Call::kCombine);
  alive_[slot] = 0;
  return epoch;
}

void CallSequence::endCombine() { end(Call::kCombine); }

void CallSequence::discard(uint32_t resultEpoch) {
  const uint32_t slot = resultEpoch == 0 ? kMaxAlive : aliveSlot(resultEpoch);
  if (slot == kMaxAlive) {
    refuse("cannot discard the result of epoch " + std::to_string(resultEpoch) + ": it is not alive.");
  }
  alive_[slot] = 0;
}

}  // namespace railrunner::moe
