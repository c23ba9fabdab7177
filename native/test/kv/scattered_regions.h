#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kv/cuda/copy_schedule.h"

// Regions for tests of copies: scattered places, all alignments, lengths that no access width divides.
namespace railrunner::test {

using cuda::CopyDirection;
using cuda::CopyRegion;
using cuda::CopyStrategy;

// Regions of one size at scattered places of both sides, each `stride` from the next place.
struct Scatter {
  uint64_t regionBytes;
  uint64_t stride;
  uint64_t deviceOffset;  // of the first place, for alignments
  uint64_t hostOffset;
  uint32_t count;
  bool hostInOrder;
};

inline std::vector<CopyRegion> scatter(const Scatter& s, uint64_t device, uint64_t host,
                                       CopyDirection direction) {
  std::vector<uint32_t> devicePlaces(s.count);
  std::iota(devicePlaces.begin(), devicePlaces.end(), 0);
  std::vector<uint32_t> hostPlaces = devicePlaces;
  std::mt19937 random(7);
  std::shuffle(devicePlaces.begin(), devicePlaces.end(), random);
  if (!s.hostInOrder) std::shuffle(hostPlaces.begin(), hostPlaces.end(), random);
  std::vector<CopyRegion> regions;
  for (uint32_t i = 0; i < s.count; ++i) {
    const uint64_t d = device + s.deviceOffset + devicePlaces[i] * s.stride;
    const uint64_t h = host + s.hostOffset + hostPlaces[i] * (s.hostInOrder ? s.regionBytes : s.stride);
    regions.push_back(direction == CopyDirection::kDeviceToHost ? CopyRegion{d, h, s.regionBytes}
                                                                : CopyRegion{h, d, s.regionBytes});
  }
  return regions;
}

inline const Scatter kCases[] = {
    {1, 3, 0, 0, 50, false},        {24, 40, 8, 16, 200, false},    {100, 104, 4, 12, 200, false},
    {4096, 4096, 0, 0, 600, false}, {4096, 4096, 0, 0, 600, true},  {36864, 36864, 16, 0, 90, true},
    {4100, 4100, 0, 0, 500, true},  {65544, 65552, 0, 8, 60, true}, {1 << 20, 1 << 20, 0, 0, 9, false},
    {4095, 4096, 1, 3, 300, false},
};

inline std::string nameOf(const Scatter& s, CopyDirection direction, CopyStrategy strategy) {
  return std::string(copyStrategyName(strategy)) +
         (direction == CopyDirection::kDeviceToHost ? " device to host, " : " host to device, ") +
         std::to_string(s.count) + " regions of " + std::to_string(s.regionBytes) + " bytes at offsets " +
         std::to_string(s.deviceOffset) + " and " + std::to_string(s.hostOffset) +
         (s.hostInOrder ? ", host in order" : ", host scattered");
}

}  // namespace railrunner::test
