#include "core/clock.h"
#include "moe/cuda/content.h"
#include "moe/cuda/low_latency/bench.h"
#include "moe/cuda/timing.h"
#include "moe/phase_times.h"

namespace railrunner::moe::cuda {

using railrunner::cuda::check;
using railrunner::cuda::makeCurrent;

// One iteration for the sampler: dispatch and combine timed, experts between them not.
class CudaRoundTrip {
 public:
  CudaRoundTrip(CudaBench& bench, GateRef gate, const SampleProtocol& protocol, Timing timing)
      : bench_(bench), timing_(timing), times_(gate, protocol, bench.options_.split, nameOf(timing)) {}

  void beforeSample(uint32_t sample, bool isLast) {
    times_.beginSample(sample);
    bench_.fillTokens(sample);
    if (timing_ == Timing::kEvent && isLast) bench_.poison();
    bench_.finish("filling tokens");
  }

  double run() {
    double totalUs = 0;
    const bool split = bench_.options_.split;
    bench_.beginCall();
    for (uint32_t phase = 0; phase < times_.size(); ++phase) {
      const bool isCombine = times_.isCombine(phase);
      if (isCombine && !times_.isReceive(phase)) {
        bench_.beginCall();
        bench_.queueExperts();
        bench_.finish("the experts");
      }
      if (phase > 0) times_.meet(phase);
      const uint32_t halves = !split ? kSend | kReceive : times_.isReceive(phase) ? kReceive : kSend;
      const double timeUs = timed(isCombine, halves);
      times_.record(phase, timeUs);
      totalUs += timeUs;
    }
    return totalUs;
  }

  void finish(SampleSet set, MeasuredPhases& samples) {
    times_[0].bytes = bench_.dispatchBytes();
    times_[times_.size() / 2].bytes = bench_.combineBytes();
    times_.finish(std::move(set), samples);
  }

 private:
  double timed(bool isCombine, uint32_t halves) {
    const char* call = isCombine ? "combine" : "dispatch";
    if (timing_ == Timing::kEvent) {
      bench_.queueColdStart();
      begin_.record(bench_.stream_);
    }
    const double startUs = nowUs();
    if (isCombine) {
      bench_.queueCombine(halves);
    } else {
      bench_.queueDispatch(halves);
    }
    if (timing_ == Timing::kEvent) end_.record(bench_.stream_);
    bench_.finish(call);
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

// A graph of calls of one kind, replayed: the epoch is not baked in, a tail node advances it in device
// memory.
class GraphReplay {
 public:
  GraphReplay(CudaBench& bench, bool isCombine)
      : bench_(bench), isCombine_(isCombine), numCalls_(bench.links_->network == nullptr ? 20 : 4) {
    phase_.phase = isCombine ? "combine" : "dispatch";
    phase_.timing = "graph";
    bench.beginCall();
    --bench.epoch_;
    bench.arguments_.epochBase = bench.epochBase_.as<uint32_t>();
    graph_ = std::make_unique<TimedGraph>(bench.stream_, [this] { queueCalls(); });
    (isCombine ? bench.combines_ : bench.dispatches_) -= numCalls_;  // captured, not run
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
    bench_.epoch_ += 2 * numCalls_;
    (isCombine_ ? bench_.combines_ : bench_.dispatches_) += 2 * numCalls_;
    bench_.finish(isCombine_ ? "combine in a graph" : "dispatch in a graph");
    return graph_->timeUs() / numCalls_;
  }
  Phase finish(SampleSet set) {
    phase_.timesUs = std::move(set.timesUs);
    phase_.entrySkewUs = std::move(set.entrySkewUs);
    return std::move(phase_);
  }

 private:
  void queueCalls() {
    for (uint32_t i = 1; i <= numCalls_; ++i) {
      bench_.arguments_.epoch = i;
      if (isCombine_) {
        bench_.queueCombine(kSend | kReceive);
      } else {
        bench_.queueDispatch(kSend | kReceive);
      }
    }
    launchAdvanceEpoch(bench_.epochBase_.as<uint32_t>(), numCalls_, bench_.stream_);
  }

  CudaBench& bench_;
  const bool isCombine_;
  const uint32_t
      numCalls_;  // fewer over the network, where a call takes so long that its start hardly counts
  std::unique_ptr<TimedGraph> graph_;
  Phase phase_;
};

MeasuredPhases CudaBench::measure(const SampleProtocol& protocol, GateRef gate) {
  makeCurrent(ordinal_);
  MeasuredPhases samples;
  const uint64_t issuedBefore = issuedToNetwork();
  dispatches_ = combines_ = 0;
  const auto roundTrips = [&](Timing timing) {
    CudaRoundTrip trip(*this, gate, protocol, timing);
    trip.finish(sample(trip, gate, protocol, control_), samples);
  };
  roundTrips(Timing::kHost);
  for (const bool isCombine : {false, true}) {
    if (options_.split || samples.stopped) break;
    GraphReplay replay(*this, isCombine);
    SampleSet set = sample(replay, gate, protocol, control_);
    samples.stopped = samples.stopped || set.stopped;
    samples.phases.push_back(replay.finish(std::move(set)));
    samples.phases.back().bytes = isCombine ? combineBytes() : dispatchBytes();
  }
  if (!samples.stopped) roundTrips(Timing::kEvent);
  if (samples.stopped) return samples;
  // When every rank has ended its calls, every message has arrived, so has been issued.
  if (gate.arrive(0) != 0) throw Error(ErrorCode::kAborted, "a rank failed at the end of a point's samples");
  requireCountedBytes(issuedBefore);
  return samples;
}

}  // namespace railrunner::moe::cuda
