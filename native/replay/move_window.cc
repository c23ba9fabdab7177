#include "replay/move_window.h"

#include <string>

#include "core/error.h"

namespace railrunner {

namespace {

void requireSlot(uint32_t slot, Tier tier, const std::array<uint32_t, 3>& slots, int64_t request) {
  const uint32_t count = slots[static_cast<size_t>(tier)];
  if (slot < count) return;
  throw Error(ErrorCode::kBlockIds, "request " + std::to_string(request) + ": slot " + std::to_string(slot) +
                                        ": the " + tierName(tier) + " tier has " + std::to_string(count));
}

}  // namespace

void requireWhole(const MoveWindow& window, const std::array<uint32_t, 3>& slots) {
  uint64_t entries = 0;
  for (const uint32_t count : window.counts) entries += count;
  if (window.counts.size() != window.arrivals.size() * kNumMoveLists || entries != window.moves.size()) {
    throw Error(ErrorCode::kArgument,
                "window of moves: expected " + std::to_string(kNumMoveLists) + " lists for each of " +
                    std::to_string(window.arrivals.size()) + " requests and their entries, received " +
                    std::to_string(window.counts.size()) + " lists of " + std::to_string(entries) + " and " +
                    std::to_string(window.moves.size()));
  }
  size_t next = 0;
  for (size_t request = 0; request < window.arrivals.size(); ++request) {
    const RequestMoves moves(window, request, next);
    const int64_t number = window.firstRequest + static_cast<int64_t>(request);
    if (window.arrivals[request].previous >= number) {
      throw Error(ErrorCode::kArgument, "request " + std::to_string(number) + " follows request " +
                                            std::to_string(window.arrivals[request].previous) +
                                            ": expected an earlier one");
    }
    for (const SlotMove& hit : moves.of(MoveList::kHits))
      requireSlot(hit.source, Tier::kDevice, slots, number);
    for (const SlotMove& fill : moves.of(MoveList::kFills))
      requireSlot(fill.target, Tier::kDevice, slots, number);
    for (const Direction& direction : kDirections) {
      for (const SlotMove& move : moves.of(direction.list)) {
        requireSlot(move.source, direction.from, slots, number);
        requireSlot(move.target, direction.to, slots, number);
      }
    }
    next = moves.end();
  }
}

}  // namespace railrunner
