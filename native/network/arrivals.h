#pragma once

#include <cstdint>
#include <vector>

#include "network/wire.h"

namespace railrunner {

// A place that peers may write to.
struct ArrivalRegion {
  uint8_t* base = nullptr;  // null: never registered, or no longer
  uint64_t bytes = 0;
};

// Puts received records into memory and publishes signals. Records of one (source, slot, epoch) may come in
// any order: the signal carries the number of payload records, and its word is stored, with release order, by
// whichever record completes that number. One table a worker, used under the worker's lock.
class ArrivalTable {
 public:
  // Epochs of one (source, slot) that may be in flight at once. A sender can run at most two operations ahead
  // of a receiver that still misses something of it, because its third needs the receiver's signals.
  static constexpr uint32_t kOpenEpochs = 4;

  ArrivalTable(uint32_t worldSize, uint32_t numSlots, const std::vector<ArrivalRegion>& regions,
               bool publishWithoutCounting);

  // Returns null, or what is wrong with the record. `source` was checked by the caller.
  const char* apply(uint32_t source, const FrameRecord& record, const uint8_t* payload);

  // Records of epochs below this are dropped and counted.
  void acceptFrom(uint64_t epoch) { firstEpoch_ = epoch; }
  uint64_t staleRecords(uint32_t source) const { return stale_[source]; }

 private:
  struct Entry {
    uint64_t epoch = 0;
    uint64_t arrived = 0;
    uint64_t expected = 0;
    uint64_t* word = nullptr;  // non-null: the signal has come
    uint64_t value = 0;
    bool open = false;
    bool published = false;
  };

  const char* applyPayload(Entry& entry, const ArrivalRegion& region, const FrameRecord& record,
                           const uint8_t* payload);
  const char* applySignal(Entry& entry, const ArrivalRegion& region, const FrameRecord& record);
  const char* find(uint32_t source, const FrameRecord& record, Entry*& entry);
  const char* publishIfWhole(Entry& entry);

  const uint32_t numSlots_;
  const std::vector<ArrivalRegion>& regions_;
  const bool publishWithoutCounting_;
  uint64_t firstEpoch_ = 0;
  std::vector<Entry> entries_;  // [source][slot][kOpenEpochs]
  std::vector<uint64_t> stale_;
};

}  // namespace railrunner
