#include "world/world_gate.h"

#include <algorithm>

namespace railrunner {

WorldGate::WorldGate(std::shared_ptr<World> world)
    : world_(std::move(world)),
      ranks_(ranksOfNode(world_->info(), world_->info().node)),
      place_{world_->epoch(), 0, world_->info().localRank, world_->info().numNodes},
      gate_(world_->nodeBlock(), place_, *this, world_->control()) {}

SamplingGate& WorldGate::gate() {
  const uint32_t epoch = world_->epoch();
  if (epoch != place_.epoch) {
    place_.epoch = epoch;
    place_.sequence = 0;
  }
  return gate_;
}

uint32_t WorldGate::mergeStop(uint32_t stop, uint32_t epoch, uint64_t sequence) {
  try {
    return static_cast<uint32_t>(world_->maximumOverNodes(stop, epoch, sequence));
  } catch (const Error& error) {
    // Another rank has failed: this node leaves the loop with the news, and the failing rank explains itself.
    // The news sets this rank's abort word too; an own deadline or a lost world are no news of a failure.
    const auto reason = static_cast<AbortReason>(world_->control().abort.load(std::memory_order_relaxed));
    const bool mustThrow = reason == AbortReason::kOwn || reason == AbortReason::kWorldLost;
    if (error.code() != ErrorCode::kAborted || mustThrow) throw;
    return std::max(stop, static_cast<uint32_t>(StopReason::kFailure));
  }
}

}  // namespace railrunner
