#include "replay/serving.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <span>
#include <unordered_set>
#include <utility>

#include "core/attempt.h"
#include "core/error.h"
#include "core/wait.h"

namespace railrunner {

namespace {

constexpr std::span<const Direction> kOffloads(kDirections.data(), 3);
constexpr std::span<const Direction> kOnboards(kDirections.data() + 3, 2);

std::vector<uint32_t> slotsOf(std::span<const SlotMove> moves, uint32_t SlotMove::*side) {
  std::vector<uint32_t> slots;
  slots.reserve(moves.size());
  for (const SlotMove& move : moves) slots.push_back(move.*side);
  return slots;
}

std::vector<uint64_t> contentsOf(std::span<const SlotMove> moves) {
  std::vector<uint64_t> contents;
  contents.reserve(moves.size());
  for (const SlotMove& move : moves) contents.push_back(move.content);
  return contents;
}

}  // namespace

void Replayer::Serving::plan() {
  std::unordered_set<uint32_t> leaving;
  for (const Direction& direction : kOffloads) {
    if (direction.from != Tier::kDevice) continue;
    for (const SlotMove& move : moves_.of(direction.list)) leaving.insert(move.source);
  }
  for (size_t i = 0; i < kOnboards.size(); ++i) {
    for (const SlotMove& move : moves_.of(kOnboards[i].list)) {
      const Tier from = kOnboards[i].from;
      if (replayer_.holds(from) && !replayer_.tier(from).isReliable(move.source)) {
        recomputed_.push_back(move);
      } else {
        const bool waits = replayer_.shared_ != nullptr || leaving.contains(move.target);
        (waits ? late_ : early_)[i].moves.push_back(move);
      }
    }
  }
  planOffloads();
}

// From the device back to the host: what leaves the host for the sake of an urgent offload is urgent too.
void Replayer::Serving::planOffloads() {
  std::array<std::unordered_set<uint32_t>, 3> awaited;  // slots of each tier
  for (const Batch& batch : late_) {
    for (const SlotMove& move : batch.moves) awaited[static_cast<size_t>(Tier::kDevice)].insert(move.target);
  }
  for (size_t i = kOffloads.size(); i-- > 0;) {
    const Direction& direction = kOffloads[i];
    for (const SlotMove& move : moves_.of(direction.list)) {
      const bool isUrgent = awaited[static_cast<size_t>(direction.from)].contains(move.source);
      if (isUrgent) awaited[static_cast<size_t>(direction.to)].insert(move.target);
      const bool isSound =
          !replayer_.holds(direction.from) || replayer_.tier(direction.from).isReliable(move.source);
      if (isSound) {
        (isUrgent ? urgent_ : offloads_)[i].moves.push_back(move);
      } else {
        replayer_.tier(direction.to).distrust(move.target);
        result_.failedSlots.push_back({direction.to, move.target});
      }
    }
  }
}

bool Replayer::Serving::copy(GateRef gate, RunControl& control) {
  freeUs_ = replayer_.clock_.elapsedUs();
  plan();
  if (replayer_.pair_.size() > 1) {
    copyConcurrently(control);
  } else {
    copyInTurn(gate, control);
  }
  for (size_t i = 0; i < kOffloads.size(); ++i) {
    finish(kOffloads[i], urgent_[i]);
    finish(kOffloads[i], offloads_[i]);
  }
  for (size_t i = 0; i < kOnboards.size(); ++i) {
    finish(kOnboards[i], early_[i]);
    finish(kOnboards[i], late_[i]);
  }
  return !stopped_;
}

void Replayer::Serving::copyInTurn(GateRef gate, RunControl& control) {
  onboard(early_, control);
  offload(urgent_, control);
  if (hasLateLoads()) {
    freeUs_ = replayer_.clock_.elapsedUs();
    if (replayer_.shared_ != nullptr) {
      onboardShared(gate, control);
    } else {
      onboard(late_, control);
    }
  }
  loadedUs_ = replayer_.clock_.elapsedUs();
  if (!stopped_) offload(offloads_, control);
}

void Replayer::Serving::copyConcurrently(RunControl& control) {
  enum class Urgent : uint32_t { kRunning, kEnded, kFailed };
  std::atomic<Urgent> urgent{Urgent::kRunning};
  std::array<std::exception_ptr, 2> failures{};
  auto chain = [&](uint32_t which) {
    failures[which] = attempt([&] {
      if (which == 1) {
        const std::exception_ptr failure = attempt([&] { offload(urgent_, control); });
        urgent.store(failure ? Urgent::kFailed : Urgent::kEnded, std::memory_order_release);
        if (failure) std::rethrow_exception(failure);
        offload(offloads_, control);
        return;
      }
      onboard(early_, control);
      if (hasLateLoads()) {
        waitUntil([&] { return urgent.load(std::memory_order_acquire) != Urgent::kRunning; }, control, 0,
                  "the slots of its loads");
        freeUs_ = replayer_.clock_.elapsedUs();
        if (urgent.load(std::memory_order_acquire) == Urgent::kEnded) onboard(late_, control);
      }
      loadedUs_ = replayer_.clock_.elapsedUs();
    });
  };
  replayer_.pair_.run(chain, 2, control);
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

// A slot's bytes leave before others enter it: first out of the host, then out of the device.
void Replayer::Serving::offload(std::array<Batch, 3>& offloads, RunControl& control) {
  for (size_t i = 0; i < kOffloads.size(); ++i) runBatch(kOffloads[i], offloads[i], control);
}

void Replayer::Serving::onboard(std::array<Batch, 2>& loads, RunControl& control) {
  for (size_t i = 0; i < kOnboards.size(); ++i) runBatch(kOnboards[i], loads[i], control);
}

void Replayer::Serving::onboardShared(GateRef gate, RunControl& control) {
  for (size_t i = 0; i < kOnboards.size() && !stopped_; ++i) {
    Batch& batch = late_[i];
    if (batch.moves.empty()) continue;
    commitFaults(kOnboards[i]);
    // The root's offloads are part of the time, its loads begin when every rank has come.
    if (gate.arrive(0) >= static_cast<uint32_t>(StopReason::kFailure)) {
      stopped_ = true;
      return;
    }
    TierSlots& device = replayer_.tier(Tier::kDevice);
    const SharedLoads::Outcome outcome =
        replayer_.shared_->load(kOnboards[i].from, device.blocksOf(slotsOf(batch.moves, &SlotMove::source)),
                                device.blocksOf(slotsOf(batch.moves, &SlotMove::target)), gate, control);
    replayer_.clock_.exclude(outcome.setUpUs);
    result_.setUpUs += outcome.setUpUs;
    batch.totals.bytes += outcome.bytes;
    batch.totals.busyUs += outcome.loadUs;
    stopped_ = outcome.stopped;
  }
}

void Replayer::Serving::runBatch(const Direction& direction, Batch& batch, RunControl& control) {
  if (batch.moves.empty() || !replayer_.holds(direction.from) || !replayer_.holds(direction.to)) return;
  const double startUs = nowUs();
  try {
    issue(direction, batch, control);
  } catch (const Error& error) {
    // A disk that fails costs the blocks that it was to take or to give; anything else ends the replay. Ranks that load
    // together fail together.
    if (error.code() != ErrorCode::kIo || replayer_.shared_ != nullptr) throw;
    batch.failure = error.what();
  }
  batch.totals.busyUs += nowUs() - startUs;
}

void Replayer::Serving::issue(const Direction& direction, Batch& batch, RunControl& control) {
  commitFaults(direction);
  TierSlots& source = replayer_.tier(direction.from);
  TierSlots& target = replayer_.tier(direction.to);
  const LaneRequest lane{&source.pool(),
                         &target.pool(),
                         source.blocksOf(slotsOf(batch.moves, &SlotMove::source)),
                         target.blocksOf(slotsOf(batch.moves, &SlotMove::target)),
                         0,
                         source.pool().layout().numLayers};
  batch.totals.bytes += replayer_.copiers_[indexOf(direction)]->copy(lane, control);
}

void Replayer::Serving::commitFaults(const Direction& direction) const {
  InjectedFaults& faults = replayer_.options_.faults;
  const auto isDue = [&](FaultKind kind) { return faults.has(kind) && number_ >= int64_t{*faults.at(kind)}; };
  if (direction.to != Tier::kDevice) return;
  if (isDue(FaultKind::kDieInGroup)) kill(getpid(), SIGKILL);
  if (!isDue(FaultKind::kFailLoad)) return;
  faults = {};
  throw Error(ErrorCode::kIo, "injected fault: a load that fails");
}

void Replayer::Serving::finish(const Direction& direction, Batch& batch) {
  if (batch.moves.empty()) return;
  const bool takesPart = replayer_.holds(direction.to);
  if (batch.failure.empty()) {
    if (takesPart) {
      for (const SlotMove& move : batch.moves) replayer_.tier(direction.to).note(move.target, move.content);
      batch.totals.slots += batch.moves.size();
    }
  } else {
    if (result_.firstFailure.empty())
      result_.firstFailure = "request " + std::to_string(number_) + ": " + batch.failure;
    for (const SlotMove& move : batch.moves) {
      if (direction.to == Tier::kDevice) {
        recomputed_.push_back(move);
      } else {
        replayer_.tier(direction.to).distrust(move.target);
        result_.failedSlots.push_back({direction.to, move.target});
      }
    }
    batch.moves.clear();
  }
  DirectionTotals& totals = result_.directions[indexOf(direction)];
  totals.slots += batch.totals.slots;
  totals.bytes += batch.totals.bytes;
  totals.busyUs += batch.totals.busyUs;
}

void Replayer::Serving::fill(const RunControl& control) {
  const double startUs = nowUs();
  const auto fills = moves_.of(MoveList::kFills);
  std::vector<SlotMove> all(fills.begin(), fills.end());
  all.insert(all.end(), recomputed_.begin(), recomputed_.end());
  replayer_.tier(Tier::kDevice).fill(slotsOf(all, &SlotMove::target), contentsOf(all), control);
  result_.fills += fills.size();
  result_.failedLoads += recomputed_.size();
  result_.fillUs += nowUs() - startUs;
}

void Replayer::Serving::check(const RunControl& control) {
  const auto hits = moves_.of(MoveList::kHits);
  result_.hits += hits.size();
  if (replayer_.options_.wordStep == 0) return;
  const double startUs = nowUs();
  TierSlots& device = replayer_.tier(Tier::kDevice);
  std::vector<uint32_t> slots = slotsOf(hits, &SlotMove::source);
  for (const auto* loads : {&early_, &late_}) {
    for (const Batch& batch : *loads) {
      for (const SlotMove& move : batch.moves) slots.push_back(move.target);
    }
  }
  for (const SlotMove& hit : hits) device.note(hit.source, hit.content);
  const CheckReport report = device.check(slots, replayer_.options_.wordStep, control);
  if (report.wrong > 0 && result_.report.wrong == 0) {
    result_.firstBadRequest = number_;
    result_.firstBadSlot = device.slotOf(report.firstBlock);
  }
  mergeReport(result_.report, report);
  result_.checkUs += nowUs() - startUs;
}

}  // namespace railrunner
