#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace railrunner {

// Byte arithmetic that refuses to wrap: sizes come from specs, and a wrapped size passes every later check.
inline uint64_t checkedMultiply(uint64_t a, uint64_t b, const char* what) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    throw Error(ErrorCode::kArgument, std::string(what) + " overflows 64 bits: " + std::to_string(a) + " x " +
                                          std::to_string(b) + ". Use a smaller geometry.");
  }
  return result;
}

inline uint64_t checkedAdd(uint64_t a, uint64_t b, const char* what) {
  uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    throw Error(ErrorCode::kArgument, std::string(what) + " overflows 64 bits: " + std::to_string(a) + " + " +
                                          std::to_string(b) + ". Use a smaller geometry.");
  }
  return result;
}

// Rounds up to a multiple of alignment, which is a power of two.
inline uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return checkedAdd(value, alignment - 1, "alignment") & ~(alignment - 1);
}

}  // namespace railrunner
