#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/clock.h"

namespace railrunner {

// The index of the variant whose shortest time is the shortest: run(variant) does the same work by each of numVariants
// variants. One round warms up, `rounds` are timed. Rounds over all variants, not all rounds of one: what else
// the machine does then meets each of them alike.
template <class Run>
size_t fastestOf(size_t numVariants, uint32_t rounds, Run&& run) {
  if (numVariants == 1) return 0;
  std::vector<double> bestUs(numVariants, std::numeric_limits<double>::infinity());
  for (uint32_t round = 0; round <= rounds; ++round) {
    for (size_t variant = 0; variant < numVariants; ++variant) {
      const double startUs = nowUs();
      run(variant);
      if (round > 0) bestUs[variant] = std::min(bestUs[variant], nowUs() - startUs);
    }
  }
  return static_cast<size_t>(std::min_element(bestUs.begin(), bestUs.end()) - bestUs.begin());
}

}  // namespace railrunner
