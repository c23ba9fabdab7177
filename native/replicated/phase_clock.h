#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "replicated/transfer.h"

namespace railrunner {

// When one iteration's phases began and ended on this rank, microseconds of any one clock; end < begin: no
// such phase.
struct PhaseTimes {
  double loadBegin = 0, loadEnd = -1;
  double moveBegin = 0, moveEnd = -1;
  double total = 0;

  bool hasLoad() const { return loadEnd >= loadBegin; }
  bool hasMove() const { return moveEnd >= moveBegin; }
};

// Phases of the same iterations; empty where the rank has no such phase.
struct ReplicatedSamples {
  SampleSet total;
  std::vector<double> loadUs;
  std::vector<double> broadcastUs;
  double overlapPct = -1;  // as in ReplicatedFacts

  MeasuredPhases phases(const ReplicatedFacts& facts) && {
    const std::string direction = std::string(tierName(facts.sourceTier)) + "->" + tierName(Tier::kDevice);
    const auto payloadAlone = [](uint64_t bytes) {
      PathBytes path;
      path.payload = bytes;
      return path;
    };
    MeasuredPhases measured;
    measured.stopped = total.stopped;
    if (facts.sourceTier != Tier::kDevice) {
      measured.phases.push_back(
          {"load", "host", direction, std::move(loadUs), {}, payloadAlone(facts.loadBytes)});
    }
    measured.phases.push_back(
        {"broadcast", "host", direction, std::move(broadcastUs), {}, payloadAlone(facts.bytes.payload)});
    measured.phases.push_back(
        {"total", "host", direction, std::move(total.timesUs), std::move(total.entrySkewUs), facts.bytes});
    return measured;
  }
};

// Keeps the phases of every iteration; the recorded ones are the last of them.
class PhaseClock {
 public:
  void reserve(size_t iterations) { times_.reserve(iterations); }
  void add(const PhaseTimes& times) { times_.push_back(times); }

  ReplicatedSamples samplesOf(SampleSet total) const {
    ReplicatedSamples samples;
    const size_t count = std::min(total.timesUs.size(), times_.size());
    double overlapSum = 0;
    size_t overlaps = 0;
    for (size_t i = times_.size() - count; i < times_.size(); ++i) {
      const PhaseTimes& times = times_[i];
      if (times.hasLoad()) samples.loadUs.push_back(times.loadEnd - times.loadBegin);
      if (times.hasMove()) samples.broadcastUs.push_back(times.moveEnd - times.moveBegin);
      if (!times.hasLoad() || !times.hasMove()) continue;
      const double both = std::min(times.loadEnd, times.moveEnd) - std::max(times.loadBegin, times.moveBegin);
      const double shorter = std::min(times.loadEnd - times.loadBegin, times.moveEnd - times.moveBegin);
      if (!(shorter > 0)) continue;
      overlapSum += std::clamp(both / shorter, 0.0, 1.0);
      ++overlaps;
    }
    if (overlaps > 0) samples.overlapPct = 100 * overlapSum / static_cast<double>(overlaps);
    samples.total = std::move(total);
    return samples;
  }

 private:
  std::vector<PhaseTimes> times_;
};

}  // namespace railrunner
