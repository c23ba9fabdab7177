#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transfer/physical_layout.h"

// What a rank tells its peers of the memory that they may read and write: who it is, and each layout with where it lies.
// One blob per rank, sent over the control plane. Little-endian, numbers of the body as minimal base-128 varints:
//
//   "RRKV"  u16 version  u16 0  u32 bytes of the whole  u64 checksum of all but itself
//   u64 worker id, agent name; tables of groups, each once; layouts by ascending id
//
// There is one encoding of every content, nothing grows with the number of blocks, and a blob is trusted in nothing: it
// is refused unless it is, byte for byte, what encodeMetadata() makes of what it says.
namespace railrunner {

inline constexpr uint16_t kMetadataVersion = 1;
inline constexpr uint64_t kMetadataHeaderBytes = 20;
// A blob is no longer than this for its layouts, of one allocation each.
inline constexpr uint64_t kMetadataFixedBytes = 512;
inline constexpr uint64_t kMetadataBytesPerAllocation = 100;
inline constexpr size_t kMaxAgentName = 64;

inline uint64_t metadataLimit(uint64_t numAllocations) {
  return kMetadataFixedBytes + kMetadataBytesPerAllocation * numAllocations;
}

struct WorkerAddress {
  uint64_t workerId = 0;
  std::string agentName;  // 1 to 64 printable characters
  bool operator==(const WorkerAddress&) const = default;
};

struct Metadata {
  WorkerAddress worker;
  std::vector<std::shared_ptr<const PhysicalLayout>> layouts;  // by ascending id
};

// Throws kArgument for a name that cannot be sent, kUnsupportedHere for layouts that do not fit the limit.
std::vector<uint8_t> encodeMetadata(const Metadata& metadata);

// Throws kWrongData, saying what is wrong and at which byte.
Metadata decodeMetadata(std::span<const uint8_t> blob);

// Of the blob's bytes but the checksum's own.
uint64_t metadataChecksum(std::span<const uint8_t> blob);

}  // namespace railrunner
