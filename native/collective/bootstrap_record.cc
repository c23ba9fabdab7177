#include "collective/bootstrap_record.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace railrunner {

namespace {

constexpr size_t kIdOffset = 8;

Error recordError(const std::string& what) {
  return Error(ErrorCode::kArgument,
               "NCCL bootstrap record: " + what + ". Do all ranks run the same railrunner?");
}

}  // namespace

std::array<uint8_t, BootstrapRecord::kBytes> encodeRecord(const BootstrapRecord& record) {
  std::array<uint8_t, BootstrapRecord::kBytes> bytes{};
  const auto size = static_cast<uint32_t>(record.worldSize);
  for (size_t i = 0; i < sizeof(size); ++i) bytes[i] = static_cast<uint8_t>(size >> (8 * i));
  std::copy(record.id.begin(), record.id.end(), bytes.begin() + kIdOffset);
  return bytes;
}

BootstrapRecord decodeRecord(std::span<const uint8_t> bytes, int32_t expectedWorldSize) {
  if (bytes.size() != BootstrapRecord::kBytes) {
    throw recordError("expected 136 bytes, received " + std::to_string(bytes.size()));
  }
  uint32_t size = 0;
  for (size_t i = 0; i < sizeof(size); ++i) size |= static_cast<uint32_t>(bytes[i]) << (8 * i);
  BootstrapRecord record;
  record.worldSize = static_cast<int32_t>(size);
  if (record.worldSize < 1) {
    throw recordError("expected a world size of 1 or more, received " + std::to_string(record.worldSize));
  }
  for (size_t i = sizeof(size); i < kIdOffset; ++i) {
    if (bytes[i] != 0) {
      throw recordError("expected zero at byte " + std::to_string(i) + ", received " +
                        std::to_string(bytes[i]));
    }
  }
  if (record.worldSize != expectedWorldSize) {
    throw recordError("expected MPI's world size " + std::to_string(expectedWorldSize) + ", received " +
                      std::to_string(record.worldSize));
  }
  std::copy(bytes.begin() + kIdOffset, bytes.end(), record.id.begin());
  return record;
}

}  // namespace railrunner
