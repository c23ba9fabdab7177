#include "network/arrivals.h"

#include <cstring>

namespace railrunner {

ArrivalTable::ArrivalTable(uint32_t worldSize, uint32_t numSlots, const std::vector<ArrivalRegion>& regions,
                           bool publishWithoutCounting)
    : numSlots_(numSlots),
      regions_(regions),
      publishWithoutCounting_(publishWithoutCounting),
      entries_(static_cast<size_t>(worldSize) * numSlots * kOpenEpochs),
      stale_(worldSize) {}

const char* ArrivalTable::apply(uint32_t source, const FrameRecord& record, const uint8_t* payload) {
  if (record.slot >= numSlots_) return "a record's slot is out of range";
  const bool known = record.region < regions_.size() && regions_[record.region].base != nullptr;
  if (record.epoch < firstEpoch_ || !known) {
    ++stale_[source];  // what an ended point left in flight, or memory that is no longer registered
    return nullptr;
  }
  Entry* entry = nullptr;
  if (const char* fault = find(source, record, entry)) return fault;
  const ArrivalRegion& region = regions_[record.region];
  const char* fault = record.kind == RecordKind::kPayload ? applyPayload(*entry, region, record, payload)
                                                          : applySignal(*entry, region, record);
  return fault != nullptr ? fault : publishIfWhole(*entry);
}

const char* ArrivalTable::find(uint32_t source, const FrameRecord& record, Entry*& entry) {
  const size_t key = (static_cast<size_t>(source) * numSlots_ + record.slot) * kOpenEpochs;
  entry = &entries_[key + record.epoch % kOpenEpochs];
  if (entry->open && entry->epoch == record.epoch) {
    return entry->published && !publishWithoutCounting_
               ? "a record came after its epoch's signal was published"
               : nullptr;
  }
  if (entry->open && entry->epoch >= firstEpoch_) {
    if (entry->epoch > record.epoch) return "an epoch is older than those in flight";
    if (!entry->published) return "too many epochs are in flight: an older one was never signalled";
  }
  *entry = Entry{};
  entry->open = true;
  entry->epoch = record.epoch;
  return nullptr;
}

const char* ArrivalTable::applyPayload(Entry& entry, const ArrivalRegion& region, const FrameRecord& record,
                                       const uint8_t* payload) {
  if (record.offset > region.bytes || record.bytesOrCount > region.bytes - record.offset) {
    return "a payload reaches beyond its region";
  }
  std::memcpy(region.base + record.offset, payload, record.bytesOrCount);
  ++entry.arrived;
  return nullptr;
}

const char* ArrivalTable::applySignal(Entry& entry, const ArrivalRegion& region, const FrameRecord& record) {
  if (record.offset % 8 != 0 || region.bytes < 8 || record.offset > region.bytes - 8) {
    return "a signal's word lies outside its region or is not aligned";
  }
  if (entry.word != nullptr) return "a slot was signalled twice in one epoch";
  entry.word = reinterpret_cast<uint64_t*>(region.base + record.offset);
  entry.expected = record.bytesOrCount;
  entry.value = record.value;
  return nullptr;
}

const char* ArrivalTable::publishIfWhole(Entry& entry) {
  if (entry.word == nullptr) return nullptr;
  if (entry.published) return nullptr;
  if (entry.arrived > entry.expected) return "more payloads came than the signal counts";
  if (entry.arrived < entry.expected && !publishWithoutCounting_) return nullptr;
  // Release: the payloads above were stored by this thread, or by holders of the worker's lock before it.
  __atomic_store_n(entry.word, entry.value, __ATOMIC_RELEASE);
  entry.published = true;
  return nullptr;
}

}  // namespace railrunner
