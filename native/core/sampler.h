#pragma once

#include <vector>

#include "core/clock.h"
#include "core/run_control.h"

namespace railrunner {

struct SampleProtocol {
  uint32_t warmup = 0;       // iterations run and not recorded
  uint32_t iterations = 0;   // iterations recorded
  bool freeRunning = false;  // true: no gate before each sample, only one before the loop
};

struct SampleSet {
  std::vector<double> timesUs;  // one a recorded iteration
  std::vector<double>
      entrySkewUs;       // last minus first rank of the node through the gate, per recorded iteration
  bool stopped = false;  // a stop word ended the loop; timesUs holds the samples finished before
};

// The measured loop, written once. Operation offers
//   void beforeSample(uint32_t index, bool isLast)  outside the timed span: re-poison before the last one
//   double run()                                    one iteration; returns its duration in us by its own
//   timing
// Gate offers
//   uint32_t arrive(uint32_t stopWord)              barrier; returns the maximum of all ranks' stop words
//   double lastSkewUs()                             entry skew of the gate passed last
//   void fail()                                     this rank comes to no further gate; peers leave theirs
// Nothing here allocates or calls virtually between samples.
template <class Operation, class Gate>
SampleSet sample(Operation& operation, Gate& gate, const SampleProtocol& protocol, RunControl& control) {
  SampleSet set;
  set.timesUs.reserve(protocol.iterations);
  set.entrySkewUs.reserve(protocol.iterations);
  const uint32_t total = protocol.warmup + protocol.iterations;
  try {
    for (uint32_t i = 0; i < total; ++i) {
      control.iteration.store(i, std::memory_order_relaxed);
      operation.beforeSample(i, i + 1 == total);
      const bool gated = !protocol.freeRunning || i == 0 || i + 1 == total;
      if (gated && gate.arrive(control.stop.load(std::memory_order_relaxed)) != 0) {
        set.stopped = true;
        break;
      }
      const double timeUs = operation.run();
      if (i >= protocol.warmup) {
        set.timesUs.push_back(timeUs);
        if (gated) set.entrySkewUs.push_back(gate.lastSkewUs());
      }
    }
  } catch (...) {
    // The iteration stays as it is: the report of a hang or a failure reads it.
    gate.fail();
    throw;
  }
  control.iteration.store(-1, std::memory_order_relaxed);
  return set;
}

}  // namespace railrunner
