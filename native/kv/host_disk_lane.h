#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "kv/disk_lane.h"

namespace railrunner {

// One direction between memory of the host and a file, in one of several ways to do the same: the one way
// that a strategy names, or the fastest of all (auto), which tune() finds out before the first sample.
class HostDiskLane {
 public:
  using Way = DiskLane<CpuHop>;
  using Probe = DiskProbe;

  // At least one. The last is what the probe compares with: the bare loop that auto is judged by goes through
  // the queue's own buffers, which is the most that the disk gives.
  explicit HostDiskLane(std::vector<std::unique_ptr<Way>> ways) : ways_(std::move(ways)) {}

  // Rounds over all ways, not all rounds of one way: what else the machine does then meets each of them
  // alike.
  void tune(RunControl& control) {
    if (ways_.size() == 1) return;
    std::vector<double> bestUs(ways_.size(), std::numeric_limits<double>::infinity());
    for (uint32_t round = 0; round <= kTuningRounds; ++round) {
      for (size_t i = 0; i < ways_.size(); ++i) {
        const double startUs = nowUs();
        ways_[i]->execute(control);
        if (round > 0) bestUs[i] = std::min(bestUs[i], nowUs() - startUs);
      }
    }
    chosen_ = static_cast<size_t>(std::min_element(bestUs.begin(), bestUs.end()) - bestUs.begin());
  }
  void execute(RunControl& control) { ways_[chosen_]->execute(control); }
  void poisonTargets(const RunControl& control) { ways_[chosen_]->poisonTargets(control); }
  std::unique_ptr<Probe> makeProbe() const { return ways_.back()->makeProbe(); }
  LaneFacts facts() const { return ways_[chosen_]->facts(); }

 private:
  static constexpr uint32_t kTuningRounds = 2;
  std::vector<std::unique_ptr<Way>> ways_;
  size_t chosen_ = 0;
};

}  // namespace railrunner
