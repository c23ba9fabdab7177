#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/gate.h"
#include "core/phase.h"
#include "core/sampler.h"

// Phases of a measured point as its samples go by: dispatch and combine, or the two halves of each.
namespace railrunner::moe {

class PhaseTimes {
 public:
  PhaseTimes(GateRef gate, const SampleProtocol& protocol, bool split, const char* timing = "host")
      : gate_(gate), warmup_(protocol.warmup) {
    static constexpr const char* kSplit[] = {"dispatchSend", "dispatchReceive", "combineSend",
                                             "combineReceive"};
    static constexpr const char* kFused[] = {"dispatch", "combine"};
    phases_.resize(split ? 4 : 2);
    for (size_t i = 0; i < phases_.size(); ++i) {
      phases_[i].phase = split ? kSplit[i] : kFused[i];
      phases_[i].timing = timing;
      phases_[i].timesUs.reserve(protocol.iterations);
      phases_[i].entrySkewUs.reserve(protocol.iterations);
    }
  }

  uint32_t size() const { return static_cast<uint32_t>(phases_.size()); }
  Phase& operator[](uint32_t phase) { return phases_[phase]; }
  bool isCombine(uint32_t phase) const { return phase >= size() / 2; }
  bool isReceive(uint32_t phase) const { return size() == 4 && phase % 2 == 1; }

  // Of warm-up samples nothing is kept.
  void beginSample(uint32_t sample) { keeps_ = sample >= warmup_; }
  void record(uint32_t phase, double timeUs) {
    if (keeps_) phases_[phase].timesUs.push_back(timeUs);
  }
  // Collective, before every phase but a sample's first, which its own gate precedes. Nobody asks to stop here: the
  // stop word is merged at the sample's gate alone. Throws kAborted where a rank has failed.
  void meet(uint32_t phase) {
    if (gate_.arrive(0) != 0)
      throw Error(ErrorCode::kAborted, "a rank failed between the phases of a sample");
    if (keeps_) phases_[phase].entrySkewUs.push_back(gate_.lastSkewUs());
  }

  // Once the sampler is through: what came of it joins what other timings left.
  void finish(SampleSet set, MeasuredPhases& all) {
    phases_[0].entrySkewUs = std::move(set.entrySkewUs);
    all.stopped = all.stopped || set.stopped;
    for (Phase& phase : phases_) all.phases.push_back(std::move(phase));
    phases_.clear();
  }

 private:
  GateRef gate_;
  const uint32_t warmup_;
  bool keeps_ = false;
  std::vector<Phase> phases_;
};

}  // namespace railrunner::moe
