#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/exchange.h"

// What benchmarks make of their samples.
namespace railrunner::bench {

inline double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// By iteration: the time of the slowest rank. Every rank has as many samples.
inline std::vector<double> slowestOf(Exchange& ranks, const std::vector<double>& mine) {
  const auto all = ranks.allgather({reinterpret_cast<const uint8_t*>(mine.data()), 8 * mine.size()}, 0);
  std::vector<double> slowest(mine.size());
  for (const auto& bytes : all) {
    for (size_t i = 0; i < mine.size(); ++i) {
      double value = 0;
      std::memcpy(&value, bytes.data() + 8 * i, 8);
      slowest[i] = std::max(slowest[i], value);
    }
  }
  return slowest;
}

// Samples of both operations, in us.
struct ExchangeTimes {
  std::vector<double> dispatchUs, combineUs;
};

}  // namespace railrunner::bench
