#pragma once

#include <array>
#include <string>
#include <vector>

#include "replay/replayer.h"

namespace railrunner {

// One request: its copies, its fills and the comparison of what it found.
class Replayer::Serving {
 public:
  Serving(Replayer& replayer, const RequestMoves& moves, int64_t number, WindowResult& result)
      : replayer_(replayer), moves_(moves), number_(number), result_(result) {}

  // All copies, by the clock: onboards run concurrently with the offloads, and those that wait for a slot begin when the offloads
  // that free such slots have ended, which go first. False: the ranks were told to stop.
  bool copy(GateRef gate, RunControl& control);
  // When the loads were whole, and the slots of all of them free.
  double loadedUs() const { return loadedUs_; }
  double freeUs() const { return freeUs_; }
  // Outside the clock.
  void fill(const RunControl& control);
  void check(const RunControl& control);

 private:
  // Some of a direction's slots.
  struct Batch {
    std::vector<SlotMove> moves;
    DirectionTotals totals;
    std::string failure;
  };

  void plan();
  void planOffloads();
  void copyInTurn(GateRef gate, RunControl& control);
  void copyConcurrently(RunControl& control);
  bool hasLateLoads() const { return !late_[0].moves.empty() || !late_[1].moves.empty(); }
  void offload(std::array<Batch, 3>& offloads, RunControl& control);
  void onboard(std::array<Batch, 2>& loads, RunControl& control);
  void onboardShared(GateRef gate, RunControl& control);
  void runBatch(const Direction& direction, Batch& batch, RunControl& control);
  void issue(const Direction& direction, Batch& batch, RunControl& control);
  void finish(const Direction& direction, Batch& batch);
  void commitFaults(const Direction& direction) const;

  Replayer& replayer_;
  const RequestMoves& moves_;
  int64_t number_;
  WindowResult& result_;
  // Those that free what a load waits for, and all others.
  std::array<Batch, 3> urgent_, offloads_;
  // From host and disk: those whose slots are free from the start, and those that wait for an offload.
  std::array<Batch, 2> early_, late_;
  // Loads that failed.
  std::vector<SlotMove> recomputed_;
  bool stopped_ = false;
  double loadedUs_ = 0;
  double freeUs_ = 0;
};

}  // namespace railrunner
