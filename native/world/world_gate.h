#pragma once

#include <memory>

#include "world/sampling_gate.h"
#include "world/world.h"

namespace railrunner {

// The sampling gate of a real world. One a world, made when the world opens; `gate()` before each measured
// loop, on the worker thread, takes over the epoch that the ranks agreed on last.
class WorldGate : private GateLink {
 public:
  explicit WorldGate(std::shared_ptr<World> world);

  SamplingGate& gate();

 private:
  uint32_t mergeStop(uint32_t stop, uint32_t epoch, uint64_t sequence) override;
  void announceFailure() override { world_->failEpoch(); }
  int worldRank(int localRank) const override { return ranks_[static_cast<size_t>(localRank)]; }

  std::shared_ptr<World> world_;
  std::vector<int> ranks_;  // of this node, by local rank
  GatePlace place_;
  SamplingGate gate_;
};

}  // namespace railrunner
