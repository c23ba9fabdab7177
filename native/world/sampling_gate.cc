#include "world/sampling_gate.h"

#include <algorithm>

#include "core/clock.h"
#include "core/wait.h"

namespace railrunner {

namespace {
constexpr auto kFailureWord = static_cast<uint32_t>(StopReason::kFailure);
// Polls, or time, before the missing rank is looked up for the heartbeat: a healthy gate never gets there. Where ranks share
// cores a poll may take as long as another rank's time slice.
constexpr uint32_t kPollsBeforeNaming = 1024;
constexpr uint32_t kPollsBeforeClock = 32;
constexpr int64_t kNamingNs = 5'000'000;
// What the gate itself gets to bring the news of a failure, once the abort word has brought it.
constexpr int64_t kNewsNs = 500'000'000;
}  // namespace

// Waits for ready(); after a while it keeps naming the rank that awaited() finds missing, until opened().
template <class Ready, class Awaited>
void SamplingGate::wait(Ready&& ready, Awaited&& awaited, const char* what) {
  uint32_t polls = 0;
  bool isNamed = false;
  int64_t namesNs = 0;
  const auto isTime = [&] {
    if (++polls % kPollsBeforeNaming == 0) return true;
    if (polls % kPollsBeforeClock != 0) return false;
    const int64_t timeNs = nowNs();
    const bool isFirst = namesNs == 0;
    const bool isLate = !isFirst && timeNs > namesNs;
    if (isFirst || isLate) namesNs = timeNs + kNamingNs;
    return isLate;
  };
  try {
    waitUntil(
        [&] {
          if (ready()) return true;
          if (isTime()) {
            isNamed = true;
            const int localRank = awaited();
            const int32_t peer = localRank < 0 ? -1 : link_.worldRank(localRank);
            control_.awaitedPeer.store(peer, std::memory_order_relaxed);
          }
          return false;
        },
        control_, 0, what);
  } catch (const Error&) {
    if (!comesWithTheNews(ready)) throw;
  }
  isNaming_ = isNaming_ || isNamed;
}

// Nobody is awaited any more. Where a gate ends because a rank has failed, its name stays: this rank's own deadline may come
// before the news is out, and without it this rank would be taken for one that waits for nobody.
void SamplingGate::opened() {
  if (isNaming_) control_.awaitedPeer.store(-1, std::memory_order_relaxed);
  isNaming_ = false;
}

// Who failed on this node, where the gate ended before it was time to look for whom it waited.
void SamplingGate::nameFailed() {
  for (int rank = 0; rank < block_.localSize(); ++rank) {
    if (rank == place_.localRank || !hasFailed(rank)) continue;
    control_.awaitedPeer.store(link_.worldRank(rank), std::memory_order_relaxed);
    isNaming_ = true;
    return;
  }
}

// A failure of another rank sets this rank's abort word, for waits that watch nothing else. A gate is told of it as well,
// through local rank 0: the ranks of a node leave it alike, with the samples that they have.
template <class Ready>
bool SamplingGate::comesWithTheNews(Ready&& ready) {
  const int64_t limitNs = nowNs() + kNewsNs;
  Backoff backoff(control_);
  while (control_.abort.load(std::memory_order_relaxed) == static_cast<uint32_t>(AbortReason::kPeerFailed) &&
         nowNs() < limitNs) {
    if (ready()) return true;
    backoff.pause();
  }
  return ready();
}

bool SamplingGate::hasFailed(int localRank) {
  return block_.slot(localRank).failedEpoch.load(std::memory_order_acquire) == place_.epoch;
}

uint32_t SamplingGate::arrive(uint32_t stopWord) {
  ++place_.sequence;
  const uint64_t current = ticket();
  NodeBlock::Slot& own = block_.slot(place_.localRank);
  own.stop.store(stopWord, std::memory_order_relaxed);
  own.arrived.store(current, std::memory_order_release);
  const uint32_t stop = place_.localRank == 0 ? lead(current) : follow(current);
  if (stop == kFailureWord) {
    if (!isNaming_) nameFailed();
    return stop;  // no stamp: this gate may not have needed all, who may still read the last
  }
  opened();
  own.leftNs.store(nowNs(), std::memory_order_relaxed);
  own.left.store(current, std::memory_order_release);
  return stop;
}

uint32_t SamplingGate::collectNode(uint64_t current) {
  uint32_t stop = 0;
  for (int rank = 0; rank < block_.localSize(); ++rank) {
    NodeBlock::Slot& slot = block_.slot(rank);
    bool failed = false;
    wait(
        [&] {
          if (slot.arrived.load(std::memory_order_acquire) == current) return true;
          failed = hasFailed(rank);
          return failed;
        },
        [rank] { return rank; }, "a rank of this node at the sampling gate");
    stop = std::max(stop, failed ? kFailureWord : slot.stop.load(std::memory_order_relaxed));
    if (stop != kFailureWord) opened();
  }
  return stop;
}

uint32_t SamplingGate::lead(uint64_t current) {
  uint32_t stop = collectNode(current);
  if (place_.numNodes > 1) stop = link_.mergeStop(stop, place_.epoch, place_.sequence);
  NodeBlock::Header& header = block_.header();
  header.stop.store(stop, std::memory_order_relaxed);
  header.released.store(current, std::memory_order_release);
  return stop;
}

uint32_t SamplingGate::follow(uint64_t current) {
  NodeBlock::Header& header = block_.header();
  const auto isReleased = [&] { return header.released.load(std::memory_order_acquire) == current; };
  wait([&] { return isReleased() || hasFailed(0); },
       [&] {
         for (int rank = 0; rank < block_.localSize(); ++rank) {
           if (block_.slot(rank).arrived.load(std::memory_order_relaxed) != current) return rank;
         }
         return 0;  // all of this node are here: its local rank 0 waits for another node
       },
       "the sampling gate to open");
  // Local rank 0 may have opened this gate and failed after it: all who came to it must leave it alike.
  return isReleased() ? header.stop.load(std::memory_order_relaxed) : kFailureWord;
}

double SamplingGate::lastSkewUs() {
  const uint64_t current = ticket();
  int64_t firstNs = INT64_MAX;
  int64_t lastNs = INT64_MIN;
  for (int rank = 0; rank < block_.localSize(); ++rank) {
    NodeBlock::Slot& slot = block_.slot(rank);
    bool failed = false;
    // A rank cannot come to the next gate's stamp before this one has: the stamp read is this gate's.
    wait(
        [&] {
          if (slot.left.load(std::memory_order_acquire) == current) return true;
          failed = hasFailed(rank);
          return failed;
        },
        [rank] { return rank; }, "a rank of this node to leave the sampling gate");
    if (failed) continue;
    opened();
    const int64_t leftNs = slot.leftNs.load(std::memory_order_relaxed);
    firstNs = std::min(firstNs, leftNs);
    lastNs = std::max(lastNs, leftNs);
  }
  return static_cast<double>(lastNs - firstNs) * 1e-3;
}

void SamplingGate::fail() {
  block_.slot(place_.localRank).failedEpoch.store(place_.epoch, std::memory_order_release);
  link_.announceFailure();
}

}  // namespace railrunner
