#pragma once

#include <cstdint>
#include <vector>

#include "network/trigger_fifo.h"

namespace railrunner::test {

// A ring of triggers whose producers are threads of this process.
struct HostRing {
  std::vector<TriggerEntry> entries;
  uint64_t head = 0;
  uint64_t tail = 0;
  uint64_t seenTail = 0;
  const TriggerFifo fifo;

  explicit HostRing(uint32_t capacity)
      : entries(capacity), fifo{entries.data(), &head, &tail, &seenTail, capacity} {}
  HostRing(const HostRing&) = delete;
  HostRing& operator=(const HostRing&) = delete;
};

}  // namespace railrunner::test
