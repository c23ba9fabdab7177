#pragma once

#include <time.h>

#include <cstdint>

namespace railrunner {

// Nanoseconds of CLOCK_MONOTONIC: one clock for all processes of a host, so that ranks of a node can be
// compared.
inline int64_t nowNs() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

inline double nowUs() { return static_cast<double>(nowNs()) * 1e-3; }

}  // namespace railrunner
