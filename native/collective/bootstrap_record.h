#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace railrunner {

constexpr size_t kNcclUniqueIdBytes = 128;
using NcclUniqueIdBytes = std::array<uint8_t, kNcclUniqueIdBytes>;

// What the root sends every rank so that all join one communicator. 136 bytes on the wire:
//   0  world size, signed 32 bits, little endian
//   4  zero
//   8  the unique id
struct BootstrapRecord {
  static constexpr size_t kBytes = 136;
  int32_t worldSize = 0;
  NcclUniqueIdBytes id{};
};

std::array<uint8_t, BootstrapRecord::kBytes> encodeRecord(const BootstrapRecord& record);

// It came over the wire: throws kArgument, saying what was expected and received, unless the length is 136,
// the padding is zero, and the world size is positive and `expectedWorldSize`, which is MPI's.
BootstrapRecord decodeRecord(std::span<const uint8_t> bytes, int32_t expectedWorldSize);

}  // namespace railrunner
