#pragma once

#include <array>
#include <cstdint>

namespace railrunner::moe {

// The order of one rank's calls: hands out epochs (here, on the host, never on a device) and refuses what
// would overwrite memory that is still needed. Every device's exchange goes through it.
//
//   dispatchSend dispatchReceive [combineSend combineReceive | discard], the next dispatch at any time after
//   a receive
//
// One call is in flight at a time, and at most two dispatch results are alive: dispatched, neither combined
// nor discarded.
class CallSequence {
 public:
  static constexpr uint32_t kMaxAlive = 2;

  uint32_t beginDispatch();
  void endDispatch();
  // `resultEpoch`: of the dispatch whose result is sent back.
  uint32_t beginCombine(uint32_t resultEpoch);
  void endCombine();
  void discard(uint32_t resultEpoch);

  // Of the call in flight, or of the last one.
  uint32_t epoch() const { return epoch_; }

 private:
  enum class Call : uint32_t { kNone, kDispatch, kCombine };

  uint32_t begin(Call call);
  void end(Call call);
  uint32_t aliveSlot(uint32_t resultEpoch) const;

  uint32_t epoch_ = 0;
  Call underWay_ = Call::kNone;
  std::array<uint32_t, kMaxAlive> alive_{};  // epochs, 0 = free
};

}  // namespace railrunner::moe
