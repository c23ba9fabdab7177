#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// What an active message of the network module holds: a header, then records, payloads behind their record
// padded to eight bytes. Same byte order and build on all ranks (the world compares versions); everything
// else is checked.
namespace railrunner {

struct FrameHeader {
  static constexpr uint32_t kMagic = 0x5252464d;  // "RRFM"
  uint32_t magic;
  uint32_t source;     // rank of the sender
  uint64_t networkId;  // of this network, drawn at open: messages of another run are refused
};
static_assert(sizeof(FrameHeader) == 16);

enum class RecordKind : uint16_t { kHello = 1, kPayload = 2, kSignal = 3 };

struct FrameRecord {
  RecordKind kind;
  uint16_t region;
  uint32_t slot;
  uint64_t epoch;
  uint64_t offset;
  uint64_t bytesOrCount;  // payload: bytes that follow; signal: payload records sent under (slot, epoch)
  uint64_t value;         // signal: the word to publish
};
static_assert(sizeof(FrameRecord) == 40);

inline constexpr uint64_t kFrameAlignment = 8;

inline uint64_t framePadded(uint64_t bytes) { return (bytes + kFrameAlignment - 1) & ~(kFrameAlignment - 1); }

// Walks the records of a frame behind its header. `visit(record, payload)` returns null or a fault, which
// ends the walk. Returns null, or what is wrong with the frame.
template <class Visit>
const char* visitRecords(std::span<const uint8_t> body, Visit&& visit) {
  size_t position = 0;
  while (position < body.size()) {
    FrameRecord record;
    if (body.size() - position < sizeof(record)) return "a record is cut off";
    std::memcpy(&record, body.data() + position, sizeof(record));
    position += sizeof(record);
    const uint8_t* payload = body.data() + position;
    switch (record.kind) {
      case RecordKind::kHello:
      case RecordKind::kSignal:
        break;
      case RecordKind::kPayload:
        if (record.bytesOrCount > body.size() - position) return "a payload is longer than its message";
        if (framePadded(record.bytesOrCount) > body.size() - position)
          return "a payload's padding is cut off";
        position += framePadded(record.bytesOrCount);
        break;
      default:
        return "a record's kind is unknown";
    }
    if (const char* fault = visit(record, payload)) return fault;
  }
  return nullptr;
}

}  // namespace railrunner
