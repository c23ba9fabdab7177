#include "core/clock.h"
#include "moe/cuda/high_throughput/bench.h"
#include "moe/cuda/high_throughput/content.h"
#include "moe/cuda/timed_graph.h"
#include "moe/cuda/timing.h"
#include "moe/phase_times.h"

namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::check;
using railrunner::cuda::makeCurrent;

// One iteration for the sampler: dispatch and combine timed, experts between them not.
class RoundTrip {
 public:
  RoundTrip(CudaBench& bench, GateRef gate, const SampleProtocol& protocol, Timing timing)
      : bench_(bench), timing_(timing), times_(gate, protocol, false, nameOf(timing)) {}

  void beforeSample(uint32_t sample, bool isLast) {
    times_.beginSample(sample);
    bench_.fillTokens(sample);
    if (timing_ == Timing::kEvent && isLast) bench_.poison();
    bench_.finish("filling tokens");
  }

  double run() {
    const double dispatchUs = timed(false);
    times_.record(0, dispatchUs);
    launchExperts(bench_.arguments_, bench_.stream_);
    bench_.finish("the experts");
    times_.meet(1);
    const double combineUs = timed(true);
    times_.record(1, combineUs);
    if (bench_.dispatchFirstUs_ == 0) {
      bench_.dispatchFirstUs_ = dispatchUs;
      bench_.combineFirstUs_ = combineUs;
    }
    return dispatchUs + combineUs;
  }

  void finish(SampleSet set, MeasuredPhases& samples) {
    times_[0].bytes = bench_.dispatchBytes();
    times_[1].bytes = bench_.combineBytes();
    times_.finish(std::move(set), samples);
  }

 private:
  double timed(bool isCombine) {
    bench_.beginCall();
    if (timing_ == Timing::kEvent) {
      bench_.queueColdStart();
      begin_.record(bench_.stream_);
    }
    const double startUs = nowUs();
    if (isCombine) {
      bench_.queueCombine();
    } else {
      bench_.queueDispatch();
    }
    if (timing_ == Timing::kEvent) end_.record(bench_.stream_);
    bench_.finish(isCombine ? "combine" : "dispatch");
    if (timing_ == Timing::kHost) return nowUs() - startUs;
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(ms) * 1e3;
  }

  CudaBench& bench_;
  const Timing timing_;
  PhaseTimes times_;
  Event begin_{Event::Use::kTime};
  Event end_{Event::Use::kTime};
};

// A graph of calls of one kind, replayed: the epoch is not baked in, a tail node advances it in device memory.
class GraphReplay {
 public:
  GraphReplay(CudaBench& bench, bool isCombine) : bench_(bench), isCombine_(isCombine) {
    phase_.phase = isCombine ? "combine" : "dispatch";
    phase_.timing = "graph";
    const uint32_t epoch = bench.epoch_;
    bench.beginCall();
    bench.arguments_.epochBase = bench.epochBase_.as<uint32_t>();
    graph_ = std::make_unique<TimedGraph>(bench.stream_, [this] { queueCalls(); });
    bench.epoch_ = epoch;
    check(cudaMemcpyAsync(bench.epochBase_.as(), &bench.epoch_, sizeof(uint32_t), cudaMemcpyHostToDevice,
                          bench.stream_),
          "cudaMemcpyAsync");
    bench.finish("preparing the graph");
  }

  void beforeSample(uint32_t, bool) {}
  double run() {
    // The first replay covers the launch of the second, which is timed.
    graph_->replay();
    graph_->replayTimed();
    bench_.epoch_ += 2 * kCalls;
    if (!isCombine_ && !bench_.ht_.reuseLayout) bench_.layoutEpoch_ = bench_.epoch_;
    bench_.finish(isCombine_ ? "combine in a graph" : "dispatch in a graph");
    return graph_->timeUs() / kCalls;
  }
  Phase finish(SampleSet set) {
    phase_.timesUs = std::move(set.timesUs);
    phase_.entrySkewUs = std::move(set.entrySkewUs);
    phase_.bytes = isCombine_ ? bench_.combineBytes() : bench_.dispatchBytes();
    return std::move(phase_);
  }

 private:
  static constexpr uint32_t kCalls = 20;

  void queueCalls() {
    const uint32_t layoutEpoch = bench_.layoutEpoch_;
    for (uint32_t i = 1; i <= kCalls; ++i) {
      bench_.arguments_.epoch = i;
      if (isCombine_) {
        bench_.queueCombine();
      } else {
        bench_.queueDispatch();
      }
    }
    bench_.layoutEpoch_ = layoutEpoch;
    launchAdvanceEpoch(bench_.epochBase_.as<uint32_t>(), kCalls, bench_.stream_);
  }

  CudaBench& bench_;
  const bool isCombine_;
  std::unique_ptr<TimedGraph> graph_;
  Phase phase_;
};

MeasuredPhases CudaBench::measure(const SampleProtocol& protocol, GateRef gate) {
  makeCurrent(ordinal_);
  MeasuredPhases samples;
  const auto roundTrips = [&](Timing timing) {
    RoundTrip trip(*this, gate, protocol, timing);
    trip.finish(sample(trip, gate, protocol, control_), samples);
  };
  roundTrips(Timing::kHost);
  for (const bool isCombine : {false, true}) {
    if (samples.stopped || staged_ != nullptr || (waitsForCounts() && !reuses())) break;
    GraphReplay replay(*this, isCombine);
    SampleSet set = sample(replay, gate, protocol, control_);
    samples.stopped = samples.stopped || set.stopped;
    samples.phases.push_back(replay.finish(std::move(set)));
  }
  if (!samples.stopped) roundTrips(Timing::kEvent);
  return samples;
}

}  // namespace railrunner::moe::cuda::high_throughput
