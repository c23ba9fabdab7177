#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/clock.h"

namespace railrunner {

// The number of the way whose shortest time is the shortest: run(way) does the same work in each of numWays
// ways. One round warms up, `rounds` are timed. Rounds over all ways, not all rounds of one way: what else
// the machine does then meets each of them alike.
template <class Run>
size_t fastestOf(size_t numWays, uint32_t rounds, Run&& run) {
  if (numWays == 1) return 0;
  std::vector<double> bestUs(numWays, std::numeric_limits<double>::infinity());
  for (uint32_t round = 0; round <= rounds; ++round) {
    for (size_t way = 0; way < numWays; ++way) {
      const double startUs = nowUs();
      run(way);
      if (round > 0) bestUs[way] = std::min(bestUs[way], nowUs() - startUs);
    }
  }
  return static_cast<size_t>(std::min_element(bestUs.begin(), bestUs.end()) - bestUs.begin());
}

}  // namespace railrunner
