#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

// The numbers of a metadata blob. The reader throws kWrongData for everything that the writer does not write.
namespace railrunner {

class MetadataWriter {
 public:
  void fixed(uint64_t value, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; ++i) data_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  void number(uint64_t value) {
    while (value >= 0x80) {
      data_.push_back(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    data_.push_back(static_cast<uint8_t>(value));
  }
  void raw(std::span<const uint8_t> bytes) { data_.insert(data_.end(), bytes.begin(), bytes.end()); }
  std::vector<uint8_t>& data() { return data_; }

 private:
  std::vector<uint8_t> data_;
};

class MetadataReader {
 public:
  explicit MetadataReader(std::span<const uint8_t> data) : data_(data) {}

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::kWrongData, "metadata blob, byte " + std::to_string(at_) + ": " + what +
                                           ". The blob is refused as a whole; export it again, with the same "
                                           "build of railrunner on both sides.");
  }
  uint64_t fixed(uint32_t bytes, const char* what) {
    const std::span<const uint8_t> from = raw(bytes, what);
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(from[i]) << (8 * i);
    return value;
  }
  // In [min, max].
  uint64_t number(const char* what, uint64_t min, uint64_t max) {
    uint64_t value = 0;
    for (uint32_t shift = 0;; shift += 7) {
      const uint64_t byte = raw(1, what)[0];
      if (shift == 63 && byte > 1) refuse(std::string(what) + " has more than 64 bits");
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && shift > 0) refuse(std::string(what) + " is written with more bytes than it needs");
      break;
    }
    if (value < min || value > max) {
      refuse(std::string(what) + ": expected " + std::to_string(min) + " to " + std::to_string(max) +
             ", received " + std::to_string(value));
    }
    return value;
  }
  uint32_t number32(const char* what, uint64_t min, uint32_t max) {
    return static_cast<uint32_t>(number(what, min, max));
  }
  std::span<const uint8_t> raw(uint64_t bytes, const char* what) {
    if (bytes > data_.size() - at_) {
      refuse(std::string(what) + " is cut off: " + std::to_string(bytes) + " bytes expected, " +
             std::to_string(data_.size() - at_) + " left");
    }
    const std::span<const uint8_t> part = data_.subspan(at_, bytes);
    at_ += bytes;
    return part;
  }
  void end() const {
    if (at_ != data_.size()) refuse(std::to_string(data_.size() - at_) + " bytes follow its end");
  }

 private:
  std::span<const uint8_t> data_;
  size_t at_ = 0;
};

}  // namespace railrunner
