#include "replay/replayer.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/wait.h"
#include "replay/serving.h"

namespace railrunner {

namespace {

// Words at the gate before a request: the largest wins. A failure is the gate's own word.
constexpr uint32_t kReady = 0;
constexpr uint32_t kNotDue = 1;
constexpr uint32_t kFailure = static_cast<uint32_t>(StopReason::kFailure);
constexpr uint32_t kStop = kFailure + 1;
// Words at the gate behind a request: the time that it took, from here on. The slowest rank's wins.
constexpr uint32_t kFirstTick = kStop + 1;
constexpr double kTicksPerUs = 10;

// Between two looks at the stop word while no request is due.
constexpr double kLongestNapUs = 20'000;
// The rest is spent polling, so that a request begins when it is due.
constexpr double kPollUs = 200;

void napUntil(const ReplayClock& clock, double dueUs, const RunControl& control) {
  const double leftUs = dueUs - clock.elapsedUs();
  if (leftUs > kPollUs) {
    const double napUs = std::min(kLongestNapUs, leftUs - kPollUs);
    const timespec nap{0, static_cast<long>(napUs * 1e3)};
    nanosleep(&nap, nullptr);
    return;
  }
  waitUntil([&] { return clock.elapsedUs() >= dueUs; }, control, 0, "the next request");
}

}  // namespace

Replayer::Replayer(Device& device, ReplayOptions options, std::unique_ptr<SharedLoads> shared,
                   RunControl& control)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      pair_(options_.copies.threads > 1 && shared_ == nullptr ? 2 : 1) {
  for (const Tier which : {Tier::kDevice, Tier::kHost, Tier::kDisk}) {
    const auto at = static_cast<size_t>(which);
    if (options_.pools[at] == nullptr) continue;
    tiers_[at] = std::make_unique<TierSlots>(*options_.pools[at], options_.blocksPerSlot, options_.seed,
                                             options_.owner, control);
    if (tiers_[at]->numSlots() == options_.slots[at]) continue;
    throw Error(ErrorCode::kArgument, std::string(tierName(which)) + " tier: expected " +
                                          std::to_string(options_.slots[at]) + " slots, the pool has " +
                                          std::to_string(tiers_[at]->numSlots()));
  }
  if (!holds(Tier::kDevice)) throw Error(ErrorCode::kArgument, "a replay needs a device pool");
  for (const Direction& direction : kDirections) {
    const bool isShared = shared_ != nullptr && direction.to == Tier::kDevice;
    if (isShared || !holds(direction.from) || !holds(direction.to)) continue;
    copiers_[indexOf(direction)] =
        makeLaneCopier(device, tier(direction.from).pool(), tier(direction.to).pool(),
                       static_cast<uint32_t>(indexOf(direction)), options_.copies);
  }
}

double Replayer::dueUs(const RequestArrival& arrival) const {
  if (options_.pacing == Pacing::kNone) return clock_.elapsedUs();
  if (options_.pacing == Pacing::kRecorded || arrival.previous < 0) return arrival.dueUs;
  const double endUs = endsUs_[static_cast<size_t>(arrival.previous)];
  return arrival.delayUs < 0 ? std::max(arrival.dueUs, endUs) : endUs + arrival.delayUs;
}

// The ranks come to the gate until the request is due on all of them, so that each leaves it as often as the others. The
// first time shows that all have ended what they did outside the clock.
bool Replayer::await(const RequestArrival& arrival, GateRef gate, const RunControl& control) {
  const double due = options_.pacing == Pacing::kNone ? 0 : dueUs(arrival);
  for (bool isFirst = true;; isFirst = false) {
    const bool isDue = clock_.elapsedUs() >= due;
    const bool stops = control.stop.load(std::memory_order_relaxed) != 0;
    const uint32_t word = gate.arrive(stops ? kStop : isDue ? kReady : kNotDue);
    if (isFirst) clock_.resume();
    if (word >= kFailure) return false;
    if (word == kReady) return true;
    if (!isDue) napUntil(clock_, due, control);
  }
}

// A request ends when it has ended on all ranks. Their clocks go on from the slowest rank's, so that they stay one clock;
// what passing the gate costs is no rank's work.
bool Replayer::agreeOnEnd(GateRef gate) {
  clock_.pause();
  const double ticks = (clock_.elapsedUs() - agreedUs_) * kTicksPerUs;
  const auto own =
      static_cast<uint32_t>(std::clamp(ticks, 0.0, static_cast<double>(UINT32_MAX - kFirstTick)));
  const uint32_t most = gate.arrive(kFirstTick + own);
  if (most < kFirstTick) return false;
  agreedUs_ += (most - kFirstTick) / kTicksPerUs;
  clock_.set(agreedUs_);
  return true;
}

WindowResult Replayer::run(const MoveWindow& window, GateRef gate, RunControl& control) {
  requireWhole(window, options_.slots);
  if (window.firstRequest != static_cast<int64_t>(endsUs_.size())) {
    throw Error(ErrorCode::kArgument, "window of moves: expected request " + std::to_string(endsUs_.size()) +
                                          " next, received " + std::to_string(window.firstRequest));
  }
  WindowResult result;
  size_t next = 0;
  try {
    for (size_t i = 0; i < window.arrivals.size() && !result.stopped; ++i) {
      const RequestMoves moves(window, i, next);
      next = moves.end();
      const int64_t number = window.firstRequest + static_cast<int64_t>(i);
      control.iteration.store(number, std::memory_order_relaxed);
      if (!await(window.arrivals[i], gate, control)) {
        result.stopped = true;
        break;
      }
      const double beginUs = clock_.elapsedUs();
      const double due = dueUs(window.arrivals[i]);
      Serving serving(*this, moves, number, result);
      const bool isWhole = serving.copy(gate, control);
      const double loadedUs = serving.loadedUs();
      if (!isWhole || !agreeOnEnd(gate)) {
        result.stopped = true;
        break;
      }
      const double endUs = clock_.elapsedUs();
      result.dueUs.push_back(std::min(due, beginUs));
      result.beginUs.push_back(beginUs);
      result.loadedUs.push_back(loadedUs);
      result.endUs.push_back(endUs);
      result.stallUs.push_back(serving.freeUs() - beginUs);
      endsUs_.push_back(endUs);
      serving.fill(control);
      serving.check(control);
    }
  } catch (...) {
    gate.fail();
    throw;
  }
  clock_.pause();
  // What was put into such a slot later is sound.
  std::erase_if(result.failedSlots,
                [&](const FailedSlot& failed) { return tier(failed.tier).isReliable(failed.slot); });
  control.iteration.store(-1, std::memory_order_relaxed);
  return result;
}

CheckReport Replayer::checkAll(Tier which, std::span<const uint32_t> slots,
                               std::span<const uint64_t> contents, RunControl& control) {
  if (!holds(which)) return {};
  const uint32_t wordStep = std::max(1U, options_.wordStep);
  return tier(which).checkAll(slots, contents, wordStep, control);
}

void Replayer::close(bool together, int64_t deadlineNs) {
  if (shared_) shared_->close(together, deadlineNs);
}

std::string Replayer::strategyUsed() const {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& copier : copiers_) {
    if (copier && copier->strategyUsed() != Strategy::kAuto) add(strategyName(copier->strategyUsed()));
  }
  if (shared_) std::for_each(shared_->strategiesUsed().begin(), shared_->strategiesUsed().end(), add);
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : "+") + name;
  return joined;
}

std::string Replayer::diskIo() const {
  for (const auto& copier : copiers_) {
    if (copier && !copier->diskIo().empty()) return copier->diskIo();
  }
  return "";
}

}  // namespace railrunner
