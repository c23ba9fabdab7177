#include "replay/tier_slots.h"

#include "core/error.h"
#include "core/pattern.h"

namespace railrunner {

TierSlots::TierSlots(BlockPool& pool, uint32_t blocksPerSlot, uint64_t seed, uint32_t owner,
                     const RunControl& control)
    : pool_(pool), blocksPerSlot_(blocksPerSlot), seed_(mix64(seed)) {
  const uint32_t numBlocks = pool.layout().numBlocks;
  if (blocksPerSlot == 0 || numBlocks % blocksPerSlot != 0 || pool.layout().pages.pagesPerBlock != 1) {
    throw Error(ErrorCode::kArgument, std::string(tierName(pool.tier())) + " pool: expected slots of " +
                                          std::to_string(blocksPerSlot) + " blocks of one page, received " +
                                          std::to_string(numBlocks) + " blocks of " +
                                          std::to_string(pool.layout().pages.pagesPerBlock) + " pages");
  }
  content_ = {owner, seed, std::vector<BlockHolds>(numBlocks)};
  unreliable_.assign(numBlocks / blocksPerSlot, 0);
  pool_.prepare(content_, control);
  // From now on blocks change behind the pool's own book-keeping.
  pool_.forget();
}

std::vector<uint32_t> TierSlots::blocksOf(std::span<const uint32_t> slots) const {
  std::vector<uint32_t> blocks;
  blocks.reserve(slots.size() * blocksPerSlot_);
  for (const uint32_t slot : slots) {
    for (uint32_t page = 0; page < blocksPerSlot_; ++page) blocks.push_back(slot * blocksPerSlot_ + page);
  }
  return blocks;
}

void TierSlots::expect(PoolContent& content, uint32_t slot, uint64_t contentId) const {
  for (uint32_t page = 0; page < blocksPerSlot_; ++page)
    content.blocks[slot * blocksPerSlot_ + page] = {seed_ ^ contentId, page, 0, pool_.layout().numLayers};
}

void TierSlots::note(uint32_t slot, uint64_t content) {
  expect(content_, slot, content);
  unreliable_[slot] = 0;
}

void TierSlots::fill(std::span<const uint32_t> slots, std::span<const uint64_t> contents,
                     const RunControl& control) {
  if (slots.empty()) return;
  for (size_t i = 0; i < slots.size(); ++i) note(slots[i], contents[i]);
  pool_.store().write(content_, blocksOf(slots), false, control);
}

CheckReport TierSlots::check(std::span<const uint32_t> slots, uint32_t wordStep, const RunControl& control) {
  if (slots.empty()) return {};
  return pool_.store().checkBlocks(content_, blocksOf(slots), wordStep, control);
}

CheckReport TierSlots::checkAll(std::span<const uint32_t> slots, std::span<const uint64_t> contents,
                                uint32_t wordStep, const RunControl& control) {
  PoolContent whole{content_.owner, content_.poisonSalt, std::vector<BlockHolds>(content_.blocks.size())};
  for (size_t i = 0; i < slots.size(); ++i) expect(whole, slots[i], contents[i]);
  return pool_.check(whole, wordStep, control);
}

}  // namespace railrunner
