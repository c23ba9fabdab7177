#pragma once

#include <memory>
#include <utility>

#include "core/exchange.h"
#include "world/world.h"

namespace railrunner::binding {

// The world as rooms below it take it for setting things up; on the work thread alone.
class WorldExchange : public Exchange {
 public:
  explicit WorldExchange(std::shared_ptr<World> world) : world_(std::move(world)) {}

  uint32_t rank() const override { return static_cast<uint32_t>(world_->info().rank); }
  uint32_t worldSize() const override { return static_cast<uint32_t>(world_->info().worldSize); }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t deadlineNs) override {
    return world_->allgather(mine, deadlineNs);
  }

 private:
  std::shared_ptr<World> world_;
};

}  // namespace railrunner::binding
