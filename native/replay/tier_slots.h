#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/block_pool.h"
#include "replay/move_window.h"

namespace railrunner {

// The slots of one tier: their blocks in the pool, what those must hold, and which of them nobody may rely on.
class TierSlots {
 public:
  // Poisons the pool. `blocksPerSlot` blocks of the pool make a slot.
  TierSlots(BlockPool& pool, uint32_t blocksPerSlot, uint64_t seed, uint32_t owner,
            const RunControl& control);

  BlockPool& pool() { return pool_; }
  uint32_t numSlots() const { return static_cast<uint32_t>(unreliable_.size()); }
  // Block ids of these slots, in order.
  std::vector<uint32_t> blocksOf(std::span<const uint32_t> slots) const;
  // The block's slot.
  uint32_t slotOf(uint32_t block) const { return block / blocksPerSlot_; }

  // Writes what the slots hold from now on.
  void fill(std::span<const uint32_t> slots, std::span<const uint64_t> contents, const RunControl& control);
  // Something else has written it.
  void note(uint32_t slot, uint64_t content);
  // Compares the slots with what they must hold.
  CheckReport check(std::span<const uint32_t> slots, uint32_t wordStep, const RunControl& control);
  // The whole pool: these slots with these contents, poison everywhere else.
  CheckReport checkAll(std::span<const uint32_t> slots, std::span<const uint64_t> contents, uint32_t wordStep,
                       const RunControl& control);

  // A copy into the slot failed: what it holds is unknown until something is put there.
  void distrust(uint32_t slot) { unreliable_[slot] = 1; }
  bool isReliable(uint32_t slot) const { return unreliable_[slot] == 0; }

 private:
  void expect(PoolContent& content, uint32_t slot, uint64_t contentId) const;

  BlockPool& pool_;
  uint32_t blocksPerSlot_;
  uint64_t seed_;
  PoolContent content_;
  std::vector<uint8_t> unreliable_;
};

}  // namespace railrunner
