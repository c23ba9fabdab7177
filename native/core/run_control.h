#pragma once

#include <atomic>
#include <cstdint>

namespace railrunner {

// Why ranks leave a measured loop before its last sample. The gate takes the maximum over ranks, so that all
// leave at the same iteration; larger is more urgent.
enum class StopReason : uint32_t { kNone = 0, kSignal = 1, kFailure = 2 };

// The words of one rank that every native wait and loop reads or writes. Owned by the binding, one a process;
// the thread harnesses of native/test make one a simulated rank.
struct RunControl {
  // Non-zero: waits of this rank throw kAborted at once (deadline passed, or a peer is known to be lost).
  std::atomic<uint32_t> abort{0};
  // A StopReason: this rank's wish to leave the loop at the next sample.
  std::atomic<uint32_t> stop{0};
  // Progress, carried to rank 0 by the heartbeat: the sample under way (-1 outside a loop), and the rank that
  // a wait is waiting for (-1 none known).
  std::atomic<int64_t> iteration{-1};
  std::atomic<int32_t> awaitedPeer{-1};
};

}  // namespace railrunner
