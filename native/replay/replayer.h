#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/gate.h"
#include "core/injected_fault.h"
#include "kv/copy_team.h"
#include "kv/lane_copier.h"
#include "replay/move_window.h"
#include "replay/replay_clock.h"
#include "replay/shared_loads.h"
#include "replay/tier_slots.h"

namespace railrunner {

// When a request begins, besides that those before it have ended.
enum class Pacing : uint32_t {
  kNone,      // at once
  kRecorded,  // when it is due
  kSessions   // when it is due; one that follows another of its session, so long after that one's end
};

struct ReplayOptions {
  // Device, host, disk; null where this rank has no such tier.
  std::array<BlockPool*, 3> pools{};
  uint32_t blocksPerSlot = 1;
  // Slots of each tier, of this rank or not: what moves may name.
  std::array<uint32_t, 3> slots{};
  uint64_t seed = 0;
  uint32_t owner = 0;
  Pacing pacing = Pacing::kNone;
  uint32_t wordStep = kCheckAllWords;  // of the checks of hits; 0: none
  TransferOptions copies;
  InjectedFaults faults;  // kFailLoad, kDieInGroup: at the first load of that request or a later one
};

struct DirectionTotals {
  uint64_t slots = 0;
  PathBytes bytes;
  double busyUs = 0;
};

// A slot into which a copy failed.
struct FailedSlot {
  Tier tier;
  uint32_t slot;
};

struct WindowResult {
  // By request, by the clock of the replay: when it was due, began, had its loads, and had ended on all ranks.
  std::vector<double> dueUs, beginUs, loadedUs, endUs;
  // Between its begin and the moment when the slots of its loads were free.
  std::vector<double> stallUs;
  std::array<DirectionTotals, kDirections.size()> directions;
  uint64_t hits = 0;   // slots that were found in the device
  uint64_t fills = 0;  // slots that were recomputed, without those below
  // Loads that failed or had nothing to rely on, and were computed instead.
  uint64_t failedLoads = 0;
  std::vector<FailedSlot> failedSlots;
  std::string firstFailure;
  CheckReport report;
  int64_t firstBadRequest = -1;
  uint32_t firstBadSlot = 0;
  // Outside the clock.
  double fillUs = 0, checkUs = 0, setUpUs = 0;
  bool stopped = false;
};

// Does what a cache has decided, window by window, on the pools of this rank: copies between tiers, fills what is computed
// again, and compares every block that is found. All ranks serve a request together: none begins before the previous one
// has ended everywhere.
class Replayer {
 public:
  // `shared` null: every rank has tiers of its own. Poisons the pools.
  Replayer(Device& device, ReplayOptions options, std::unique_ptr<SharedLoads> shared, RunControl& control);

  WindowResult run(const MoveWindow& window, GateRef gate, RunControl& control);
  // The whole pool of a tier of this rank.
  CheckReport checkAll(Tier tier, std::span<const uint32_t> slots, std::span<const uint64_t> contents,
                       RunControl& control);
  // Together: collective. Otherwise, after a failure, alone.
  void close(bool together, int64_t deadlineNs);
  // "memcpy+kernel", of all copies so far; and how the disk is driven, '' without one.
  std::string strategyUsed() const;
  std::string diskIo() const;
  std::string networkTransport() const { return shared_ ? shared_->networkTransport() : ""; }

 private:
  class Serving;

  double dueUs(const RequestArrival& arrival) const;
  // False: the ranks were told to stop.
  bool await(const RequestArrival& arrival, GateRef gate, const RunControl& control);
  bool agreeOnEnd(GateRef gate);
  TierSlots& tier(Tier which) { return *tiers_[static_cast<size_t>(which)]; }
  bool holds(Tier which) const { return tiers_[static_cast<size_t>(which)] != nullptr; }

  ReplayOptions options_;
  std::unique_ptr<SharedLoads> shared_;
  std::array<std::unique_ptr<TierSlots>, 3> tiers_;
  std::array<std::unique_ptr<LaneCopier>, kDirections.size()> copiers_;
  CopyTeam pair_;
  ReplayClock clock_;
  double agreedUs_ = 0;         // the clock of all ranks at the end of the request before
  std::vector<double> endsUs_;  // of all requests
};

}  // namespace railrunner
