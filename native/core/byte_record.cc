#include "core/byte_record.h"

#include "core/pattern.h"

namespace railrunner {

uint64_t digestOf(std::span<const uint8_t> data, uint64_t salt) {
  uint64_t digest = mix64(salt + data.size());
  for (const uint8_t byte : data) digest = mix64(digest ^ byte);
  return digest;
}

}  // namespace railrunner
