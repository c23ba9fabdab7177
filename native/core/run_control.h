#pragma once

#include <atomic>
#include <cstdint>

namespace railrunner {

// Why ranks leave a measured loop before its last sample. The gate takes the maximum over ranks, so that all
// leave at the same iteration; larger is more urgent.
enum class StopReason : uint32_t { kNone = 0, kSignal = 1, kFailure = 2 };

// Why waits of this rank end early. Any value but kNone ends them.
enum class AbortReason : uint32_t { kNone = 0, kOwn = 1, kPeerFailed = 2, kWorldLost = 3 };

// The words of one rank that every native wait and loop reads or writes. Owned by the binding, one per process;
// the thread harnesses of native/test make one a simulated rank.
struct RunControl {
  // An AbortReason: waits of this rank throw kAborted at once (its deadline passed, a peer failed this epoch,
  // or the ranks have lost each other: a heartbeat stopped).
  std::atomic<uint32_t> abort{0};
  // A StopReason: this rank's wish to leave the loop at the next sample.
  std::atomic<uint32_t> stop{0};
  // Progress, carried to rank 0 by the heartbeat: the sample in flight (-1 outside a loop), and the rank that
  // a wait is waiting for (-1 none known).
  std::atomic<int64_t> iteration{-1};
  std::atomic<int32_t> awaitedPeer{-1};
  // What this rank still waits for though it was told to stop: a wait that cannot be given up, because others use the
  // waiter's memory. Null where there is none. For the report of a thread that is stuck.
  std::atomic<const char*> heldUpBy{nullptr};
  // Polls of a wait before it begins to yield. Few where a host has more ranks than cores: the awaited rank
  // may be waiting for this one's core (4 ranks on 2 cores: dispatch and combine of one token 30 instead of
  // 40 us).
  static constexpr uint32_t kBarePolls = 100;
  static constexpr uint32_t kBarePollsCrowded = 2;
  std::atomic<uint32_t> barePolls{kBarePolls};
  void setCrowded(bool crowded) { barePolls.store(crowded ? kBarePollsCrowded : kBarePolls); }
};

}  // namespace railrunner
