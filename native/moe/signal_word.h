#pragma once

#include <cstdint>

#include "core/pattern.h"

// The word that one rank stores for another: the epoch of the call above, and below what goes with it. Shared by host
// code and CUDA kernels.
namespace railrunner::moe {

RAILRUNNER_HOST_DEVICE inline uint64_t encodeSignal(uint32_t epoch, uint32_t count) {
  return (static_cast<uint64_t>(epoch) << 32) | count;
}
RAILRUNNER_HOST_DEVICE inline uint32_t signalEpoch(uint64_t word) {
  return static_cast<uint32_t>(word >> 32);
}
RAILRUNNER_HOST_DEVICE inline uint32_t signalCount(uint64_t word) { return static_cast<uint32_t>(word); }

}  // namespace railrunner::moe
