#pragma once

#include "core/exchange.h"
#include "world/world.h"

namespace railrunner {

// Exchanges of the worker threads of a world, for modules that set up by collective calls and know no MPI. Used
// only by the worker thread; the world outlives it.
class WorldExchange : public Exchange {
 public:
  explicit WorldExchange(World& world) : world_(world) {}
  uint32_t rank() const override { return static_cast<uint32_t>(world_.info().rank); }
  uint32_t worldSize() const override { return static_cast<uint32_t>(world_.info().worldSize); }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t deadlineNs) override {
    return world_.allgather(mine, deadlineNs);
  }
  void announceFailure() override { world_.failEpoch(); }

 private:
  World& world_;
};

}  // namespace railrunner
