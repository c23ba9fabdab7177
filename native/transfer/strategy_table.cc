#include "transfer/strategy_table.h"

#include "core/error.h"

namespace railrunner {

namespace {

constexpr uint8_t bit(StorageKind kind) { return static_cast<uint8_t>(1U << static_cast<uint8_t>(kind)); }
constexpr uint8_t kSystem = bit(StorageKind::kSystem);
constexpr uint8_t kPinned = bit(StorageKind::kPinned);
constexpr uint8_t kDevice = bit(StorageKind::kDevice);
constexpr uint8_t kDisk = bit(StorageKind::kDisk);
constexpr uint8_t kHost = kSystem | kPinned;

enum class Needs : uint8_t { kNothing, kFileToDevice, kDeviceNetwork };

struct Row {
  uint8_t from;  // kinds
  bool fromRemote;
  uint8_t to;
  bool toRemote;
  Needs needs;
  Hop first;
  Hop second;
};

// The first row that fits is taken: rows that use a capability come before those that do without it.
constexpr Row kTable[] = {
    {kHost, false, kHost, false, Needs::kNothing, Hop::kMemcpy, Hop::kNone},
    {kHost, false, kDevice, false, Needs::kNothing, Hop::kHostToDevice, Hop::kNone},
    {kDevice, false, kHost, false, Needs::kNothing, Hop::kDeviceToHost, Hop::kNone},
    {kDevice, false, kDevice, false, Needs::kNothing, Hop::kDeviceToDevice, Hop::kNone},
    {kHost, false, kDisk, false, Needs::kNothing, Hop::kWrite, Hop::kNone},
    {kDevice, false, kDisk, false, Needs::kFileToDevice, Hop::kWrite, Hop::kNone},
    {kDevice, false, kDisk, false, Needs::kNothing, Hop::kDeviceToHost, Hop::kWrite},
    {kDisk, false, kHost, false, Needs::kNothing, Hop::kReadFlipped, Hop::kNone},
    {kDisk, false, kDevice, false, Needs::kFileToDevice, Hop::kRead, Hop::kNone},
    {kDisk, false, kDevice, false, Needs::kNothing, Hop::kReadFlipped, Hop::kHostToDevice},
    {kDisk, false, kDisk, false, Needs::kNothing, Hop::kReadFlipped, Hop::kWrite},
    // Device memory on the far side is its owner's affair: the owner stages what its network cannot reach.
    {kHost, false, kHost | kDevice, true, Needs::kNothing, Hop::kWrite, Hop::kNone},
    {kDevice, false, kHost | kDevice, true, Needs::kDeviceNetwork, Hop::kWrite, Hop::kNone},
    {kDevice, false, kHost | kDevice, true, Needs::kNothing, Hop::kDeviceToHost, Hop::kWrite},
    {kHost | kDevice, true, kHost, false, Needs::kNothing, Hop::kReadFlipped, Hop::kNone},
    {kHost | kDevice, true, kDevice, false, Needs::kDeviceNetwork, Hop::kReadFlipped, Hop::kNone},
    {kHost | kDevice, true, kDevice, false, Needs::kNothing, Hop::kReadFlipped, Hop::kHostToDevice},
};

bool has(Needs needs, TransferCapabilities capabilities) {
  if (needs == Needs::kFileToDevice) return capabilities.fileToDevice;
  return needs == Needs::kNothing || capabilities.deviceNetwork;
}

std::string sideName(TransferSide side) {
  return std::string(side.remote ? "remote " : "local ") + storageKindName(side.kind);
}

const char* reasonFor(TransferSide source, TransferSide target) {
  if (source.remote && target.remote)
    return "both sides are remote; start it on the worker that owns one of them";
  return "files are not reachable by peers; bring the blocks into host or device memory first";
}

}  // namespace

const char* hopName(Hop hop) {
  switch (hop) {
    case Hop::kNone:
      return "none";
    case Hop::kMemcpy:
      return "memcpy";
    case Hop::kHostToDevice:
      return "hostToDevice";
    case Hop::kDeviceToHost:
      return "deviceToHost";
    case Hop::kDeviceToDevice:
      return "deviceToDevice";
    case Hop::kWrite:
      return "write";
    case Hop::kRead:
      return "read";
    case Hop::kReadFlipped:
      return "readFlipped";
  }
  return "none";
}

std::string TransferStrategy::text() const {
  return isTwoHop() ? std::string(hopName(first)) + ", pinned, " + hopName(second) : hopName(first);
}

TransferStrategy strategyFor(TransferSide source, TransferSide target, TransferCapabilities capabilities) {
  for (const Row& row : kTable) {
    if ((row.from & bit(source.kind)) == 0 || (row.to & bit(target.kind)) == 0) continue;
    if (row.fromRemote != source.remote || row.toRemote != target.remote) continue;
    if (has(row.needs, capabilities)) return {row.first, row.second};
  }
  throw Error(ErrorCode::kUnsupportedHere, "no transfer from " + sideName(source) + " to " +
                                               sideName(target) + ": " + reasonFor(source, target));
}

}  // namespace railrunner
