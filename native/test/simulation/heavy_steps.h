#pragma once

#include "test/simulation/engine.h"
#include "world/world_exchange.h"

// Steps above the control plane: whole operations of native/network, moe and transfer, over the world's own exchange and
// gate.
namespace railrunner::simulation {

// Counts what the mail will carry.
class CountedExchange : public WorldExchange {
 public:
  explicit CountedExchange(RankEngine& engine) : WorldExchange(engine.world()), engine_(engine) {}
  std::vector<Bytes> allgather(std::span<const uint8_t> mine, int64_t deadlineNs) override {
    ++engine_.counted().allgathers;
    return WorldExchange::allgather(mine, deadlineNs);
  }
  void barrier() { allgather({}, 0); }

 private:
  RankEngine& engine_;
};

class CountedGate {
 public:
  explicit CountedGate(RankEngine& engine) : engine_(engine) {}
  uint32_t arrive(uint32_t stopWord) {
    ++engine_.counted().gates;
    return engine_.gate().arrive(stopWord);
  }
  double lastSkewUs() { return engine_.gate().lastSkewUs(); }
  void fail() { engine_.gate().fail(); }

 private:
  RankEngine& engine_;
};

void networkStep(RankEngine& engine, const PlannedStep& step);
void dispatchStep(RankEngine& engine, const PlannedStep& step);
void transferStep(RankEngine& engine, const PlannedStep& step);

inline void expect(bool holds, const RankEngine& engine, const std::string& what) {
  if (!holds) Scheduler::get().violate("rank " + std::to_string(engine.rank()) + ": " + what);
}

}  // namespace railrunner::simulation
