#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "kv/disk_lane.h"
#include "kv/fastest.h"

namespace railrunner {

// One direction between memory of the host and a file, in one of several variants that do the same: the one
// that a strategy names, or the fastest of all (auto), which tune() finds out before the first sample.
class HostDiskLane {
 public:
  using Lane = DiskLane<CpuHop>;
  using Probe = DiskProbe;

  // At least one. The last is what the probe compares with: the bare loop that auto is judged by goes through
  // the queue's own buffers, which is the most that the disk gives.
  explicit HostDiskLane(std::vector<std::unique_ptr<Lane>> variants) : variants_(std::move(variants)) {}

  void tune(RunControl& control) {
    if (isTuned_) return;
    chosen_ = fastestOf(variants_.size(), kTuningRounds,
                        [&](size_t variant) { variants_[variant]->execute(control); });
    isTuned_ = true;
  }
  void execute(RunControl& control) { variants_[chosen_]->execute(control); }
  void poisonTargets(const RunControl& control) { variants_[chosen_]->poisonTargets(control); }
  std::unique_ptr<Probe> makeProbe(const RunControl& control) const {
    return variants_.back()->makeProbe(control);
  }
  LaneFacts facts() const { return variants_[chosen_]->facts(); }

 private:
  static constexpr uint32_t kTuningRounds = 2;
  std::vector<std::unique_ptr<Lane>> variants_;
  size_t chosen_ = 0;
  bool isTuned_ = false;
};

}  // namespace railrunner
