#pragma once

#include <unistd.h>

#include <cstdint>
#include <vector>

#include "core/clock.h"
#include "core/pattern.h"
#include "network/network.h"
#include "test/support/expect.h"
#include "test/support/rank_processes.h"

// What tests of the network between processes share: options, deadlines, and symmetric memory.
namespace railrunner::test {

constexpr int64_t kSecondNs = 1'000'000'000;

inline NetworkOptions allPeers(const Exchange& exchange) {
  NetworkOptions options;
  options.usesNetwork.assign(exchange.worldSize(), 1);
  options.usesNetwork[exchange.rank()] = 0;
  options.deadlineNs = nowNs() + 60 * kSecondNs;
  return options;
}

// Only bounds a hang, and on a loaded machine far off.
inline int64_t soon() { return nowNs() + 60 * kSecondNs; }

inline uint64_t wordOf(uint32_t source, uint32_t slot, uint64_t epoch, uint64_t index) {
  return mix64(epoch * 1000003 + source * 4099 + slot * 17 + 1) + index;
}

inline int allEnded(const std::vector<RankOutcome>& outcomes) {
  for (const RankOutcome& outcome : outcomes)
    EXPECT(outcome.exitStatus == 0, "a rank ended with %d", outcome.exitStatus);
  return 0;
}

// Symmetric memory of one rank: for each source and slot per row of payload words, and behind them a signal
// word each.
struct Board {
  Board(uint32_t worldSize, uint32_t slots, uint64_t words)
      : numSlots(slots), rowWords(words), memory(static_cast<size_t>(worldSize) * slots * (words + 1)) {}
  uint64_t rowOffset(uint32_t source, uint32_t slot) const {
    return (static_cast<uint64_t>(source) * numSlots + slot) * rowWords * 8;
  }
  uint64_t signalOffset(uint32_t source, uint32_t slot) const {
    const uint64_t rows = memory.size() / (rowWords + 1);
    return (rows * rowWords + static_cast<uint64_t>(source) * numSlots + slot) * 8;
  }
  const uint64_t* at(uint64_t offset) const { return memory.data() + offset / 8; }
  uint64_t bytes() const { return memory.size() * 8; }
  uint32_t numSlots;
  uint64_t rowWords;
  std::vector<uint64_t> memory;
};

}  // namespace railrunner::test
