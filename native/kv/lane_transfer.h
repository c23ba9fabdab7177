#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "kv/copy_team.h"
#include "kv/transfer.h"

namespace railrunner {

// A transfer of one or two lanes that run as loops of this process. A Lane offers
//   void tune(RunControl&)                    before the first sample
//   void execute(RunControl&)                 one iteration; nothing is in flight when it returns or throws
//   void poisonTargets(const RunControl&)
//   LaneFacts facts() const
//   std::unique_ptr<Lane::Probe> makeProbe(const RunControl&)  an operation of core/sampler.h with bytes()
template <class Lane>
class LaneTransfer : public Transfer {
 public:
  // `probeSource`: the peak_source of the row.
  LaneTransfer(std::vector<std::unique_ptr<Lane>> lanes, std::string probeSource)
      : lanes_(std::move(lanes)), probeSource_(std::move(probeSource)), pair_(lanes_.size() > 1 ? 2 : 1) {}

  std::vector<LaneFacts> facts() const override {
    std::vector<LaneFacts> all;
    for (const auto& lane : lanes_) all.push_back(lane->facts());
    return all;
  }

  MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) override {
    Operation operation(*this, control, protocol);
    const SampleSet whole = sample(operation, gate, protocol, control);
    MeasuredPhases measured;
    addPhases(measured, "host", whole, facts(), operation.laneTimesUs());
    return measured;
  }

  ProbeResult probe(GateRef gate, RunControl& control) override {
    ProbeOperation operation(*this, control);
    const SampleSet set = sample(operation, gate, SampleProtocol{2, 7, false}, control);
    ProbeResult result;
    result.stopped = set.stopped;
    result.source = probeSource_;
    if (set.timesUs.empty()) return result;
    std::vector<double> times = set.timesUs;
    std::sort(times.begin(), times.end());
    result.GBps = static_cast<double>(operation.bytes()) / (times[times.size() / 2] * 1e3);
    return result;
  }

 private:
  class Operation {
   public:
    Operation(LaneTransfer& transfer, RunControl& control, const SampleProtocol& protocol)
        : transfer_(transfer), control_(control) {
      for (auto& times : timesUs_) times.reserve(static_cast<size_t>(protocol.warmup) + protocol.iterations);
    }

    void beforeSample(uint32_t index, bool isLast) {
      if (index == 0) {
        for (auto& lane : transfer_.lanes_) lane->tune(control_);
      }
      if (isLast) {
        for (auto& lane : transfer_.lanes_) lane->poisonTargets(control_);
      }
    }

    double run() {
      startUs_ = nowUs();
      failures_ = {};
      transfer_.pair_.run(*this, static_cast<uint32_t>(transfer_.lanes_.size()), control_);
      const double timeUs = nowUs() - startUs_;
      for (const std::exception_ptr& failure : failures_) {
        if (failure) std::rethrow_exception(failure);
      }
      for (size_t lane = 0; lane < transfer_.lanes_.size(); ++lane)
        timesUs_[lane].push_back(endsUs_[lane] - startUs_);
      return timeUs;
    }

    // One lane each, called by the pair's threads.
    void operator()(uint32_t lane) {
      try {
        transfer_.lanes_[lane]->execute(control_);
      } catch (...) {
        failures_[lane] = std::current_exception();
      }
      endsUs_[lane] = nowUs();
    }

    std::vector<const std::vector<double>*> laneTimesUs() const { return {&timesUs_[0], &timesUs_[1]}; }

   private:
    LaneTransfer& transfer_;
    RunControl& control_;
    double startUs_ = 0;
    std::array<double, 2> endsUs_{};
    std::array<std::exception_ptr, 2> failures_{};
    std::array<std::vector<double>, 2> timesUs_;
  };

  class ProbeOperation {
   public:
    ProbeOperation(LaneTransfer& transfer, RunControl& control) : transfer_(transfer), control_(control) {}

    // Its memory is allocated inside the loop's protocol: a rank whose allocation fails leaves by the gate, with the
    // others.
    void beforeSample(uint32_t index, bool) {
      if (index != 0) return;
      for (auto& lane : transfer_.lanes_) {
        probes_.push_back(lane->makeProbe(control_));
        bytes_ += probes_.back()->bytes();
      }
    }

    double run() {
      const double startUs = nowUs();
      transfer_.pair_.run(*this, static_cast<uint32_t>(probes_.size()), control_);
      const double timeUs = nowUs() - startUs;
      for (const std::exception_ptr& failure : failures_) {
        if (failure) std::rethrow_exception(failure);
      }
      return timeUs;
    }

    void operator()(uint32_t lane) {
      try {
        probes_[lane]->run();
      } catch (...) {
        failures_[lane] = std::current_exception();
      }
    }

    uint64_t bytes() const { return bytes_; }

   private:
    LaneTransfer& transfer_;
    RunControl& control_;
    std::vector<std::unique_ptr<typename Lane::Probe>> probes_;
    uint64_t bytes_ = 0;
    std::array<std::exception_ptr, 2> failures_{};
  };

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::string probeSource_;
  CopyTeam pair_;
};

}  // namespace railrunner
