#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "transfer/storage.h"

namespace railrunner {

// Where a side of a transfer lies: its kind of memory, and whether this worker owns it.
struct TransferSide {
  StorageKind kind = StorageKind::kSystem;
  bool remote = false;
};

// What this machine can do beyond plain copies.
struct TransferCapabilities {
  bool fileToDevice = false;   // files straight into and out of device memory
  bool deviceNetwork = false;  // the network reads and writes device memory itself
};

// How one hop goes. "Flipped": what calls it is the target, and fetches.
enum class Hop : uint8_t {
  kNone,
  kMemcpy,
  kHostToDevice,
  kDeviceToHost,
  kDeviceToDevice,
  kWrite,        // into a file, or into a peer's memory
  kRead,         // of a file into device memory
  kReadFlipped,  // of a file, or of a peer's memory, into host memory
};
const char* hopName(Hop hop);

struct TransferStrategy {
  Hop first = Hop::kNone;
  Hop second = Hop::kNone;  // behind a pinned bounce buffer; kNone where one hop does
  bool isTwoHop() const { return second != Hop::kNone; }
  std::string text() const;  // "deviceToHost, pinned, write"
};

// The one table of who reaches whom. Throws kUnsupportedHere, naming both sides and why, for a pair that is not in it.
TransferStrategy strategyFor(TransferSide source, TransferSide target, TransferCapabilities capabilities);

}  // namespace railrunner
