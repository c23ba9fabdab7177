#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace railrunner {

// What ranks tell each other while something is set up: numbers, bytes and texts in a row. The reader trusts nothing.
class ByteWriter {
 public:
  void number(uint64_t value) { raw(&value, sizeof(value)); }
  void bytes(std::span<const uint8_t> data) {
    number(data.size());
    raw(data.data(), data.size());
  }
  void text(const std::string& value) {
    bytes({reinterpret_cast<const uint8_t*>(value.data()), value.size()});
  }
  const std::vector<uint8_t>& data() const { return data_; }

 private:
  void raw(const void* from, size_t size) {
    const uint8_t* begin = static_cast<const uint8_t*>(from);
    data_.insert(data_.end(), begin, begin + size);
  }
  std::vector<uint8_t> data_;
};

// Every read throws kWrongData where the bytes cannot have been written by ByteWriter in that order.
class ByteReader {
 public:
  // `source` is named in errors: the rank that the bytes came from.
  ByteReader(std::span<const uint8_t> data, uint32_t source) : data_(data), source_(source) {}

  uint64_t number() {
    uint64_t value = 0;
    need(sizeof(value));
    std::memcpy(&value, data_.data(), sizeof(value));
    data_ = data_.subspan(sizeof(value));
    return value;
  }
  std::vector<uint8_t> bytes(uint64_t maxBytes) {
    const uint64_t size = number();
    if (size > maxBytes)
      throw fault("a field of " + std::to_string(size) + " bytes, expected at most " +
                  std::to_string(maxBytes));
    need(size);
    std::vector<uint8_t> result(data_.begin(), data_.begin() + static_cast<std::ptrdiff_t>(size));
    data_ = data_.subspan(size);
    return result;
  }
  std::string text(uint64_t maxBytes) {
    const std::vector<uint8_t> raw = bytes(maxBytes);
    return std::string(raw.begin(), raw.end());
  }
  void end() const {
    if (!data_.empty()) throw fault(std::to_string(data_.size()) + " bytes too many");
  }
  Error fault(const std::string& what) const {
    return Error(ErrorCode::kWrongData, "the record of rank " + std::to_string(source_) + " is not valid: " +
                                            what + ". All ranks must run the same build.");
  }

 private:
  void need(uint64_t size) const {
    if (size > data_.size())
      throw fault("it ends after " + std::to_string(data_.size()) + " of " + std::to_string(size) + " bytes");
  }
  std::span<const uint8_t> data_;
  uint32_t source_;
};

// Tells bytes that changed in transit from those that were sent; no protection against intent.
uint64_t digestOf(std::span<const uint8_t> data, uint64_t salt);

}  // namespace railrunner
