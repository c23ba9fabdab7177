#pragma once

#include <cstdint>
#include <cstdlib>

namespace railrunner::test {

// Threads with which a rank of a test copies, fills and checks. RAILRUNNER_THREADS_PER_RANK sets it, as it does for a
// run: two cores then test what a host of 64 runs.
inline uint32_t threadsPerRank(uint32_t otherwise) {
  const char* given = std::getenv("RAILRUNNER_THREADS_PER_RANK");
  const int threads = given == nullptr ? 0 : std::atoi(given);
  return threads > 0 && threads <= 64 ? static_cast<uint32_t>(threads) : otherwise;
}

}  // namespace railrunner::test
