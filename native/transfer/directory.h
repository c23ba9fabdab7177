#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/exchange.h"
#include "transfer/layout_registry.h"
#include "transfer/rank_transfer.h"

namespace railrunner {

// A move as two handles, seen from either end: checked against both layouts.
struct PlannedMove {
  uint32_t initiator = 0;
  uint32_t peer = 0;
  PageMove pages;
  std::shared_ptr<const PhysicalLayout> source;
  std::shared_ptr<const PhysicalLayout> target;
};

// What ranks know of each other's memory and plans: registers the pools of this rank, tells them to all, and takes what
// all tell. Nothing that came over the wire is used before it has been checked against both layouts.
class TransferDirectory {
 public:
  TransferDirectory(uint32_t rank, TransferOp op);

  // Of pools that are not null.
  void registerPools(BlockPool* source, BlockPool* target);
  std::vector<uint8_t> exportMetadata() const { return registry_.exportMetadata(); }

  // Collective, with agreement: tells this rank's blob and moves, imports those of all others.
  void exchange(Exchange& exchange, const std::vector<uint8_t>& blob, const std::vector<RankMove>& moves,
                int64_t deadlineNs);

  // Moves of this rank, in its order; and those of others with it, by initiator.
  const std::vector<PlannedMove>& own() const { return own_; }
  const std::vector<PlannedMove>& ofPeers() const { return ofPeers_; }
  const LayoutRegistry& registry() const { return registry_; }

  // Releases the registrations. Idempotent.
  void close();

 private:
  struct Sides {
    std::optional<LayoutHandle> source;
    std::optional<LayoutHandle> target;
  };
  LayoutHandle registerPool(BlockPool& pool);
  std::vector<uint8_t> announcement(const std::vector<uint8_t>& blob,
                                    const std::vector<RankMove>& moves) const;
  std::vector<RankMove> readAnnouncement(const std::vector<uint8_t>& record, uint32_t peer,
                                         uint32_t worldSize);
  PlannedMove plan(uint32_t initiator, const RankMove& move) const;
  void requireDisjoint() const;

  const uint32_t rank_;
  const TransferOp op_;
  LayoutRegistry registry_;
  PeerBackend peers_;
  std::vector<std::unique_ptr<RegisteredStorage>> storages_;
  std::map<uint32_t, Sides> sides_;  // by rank
  std::vector<PlannedMove> own_;
  std::vector<PlannedMove> ofPeers_;
};

}  // namespace railrunner
