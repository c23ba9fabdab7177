#include "moe/host/low_latency/bench.h"

#include <algorithm>
#include <cstring>

#include "moe/host/content.h"
#include "moe/host/rows.h"
#include "moe/numerics.h"
#include "moe/payload.h"
#include "moe/phase_times.h"

namespace railrunner::moe::host {

HostResult::HostResult(const Shape& s)
    : x_(s.resultRows() * s.payloadRowBytes(), "dispatch result"),
      scales_(s.payload == DispatchDtype::kFp8E4m3 ? s.resultRows() * s.numScales() : 0, "scales"),
      count_(std::max(s.numLocalExperts(), s.worldSize), "row counts"),
      sourceToken_(s.resultRows(), "source tokens"),
      layoutRange_(static_cast<uint64_t>(s.numLocalExperts()) * s.worldSize, "layout ranges"),
      messageCount_(s.worldSize, "message counts"),
      messageToken_(s.dedup ? s.maxReceivedTokens() : 0, "message tokens"),
      messageRow_(s.dedup ? static_cast<uint64_t>(s.maxReceivedTokens()) * s.numTopk : 0, "message rows"),
      messageWeight_(messageRow_.count(), "message weights"),
      ownRow_(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numTopk, "own rows"),
      relayCount_(s.worldSize, "relayed messages"),
      relayToken_(messageToken_.count(), "relayed tokens"),
      relayIds_(messageRow_.count(), "relayed choices"),
      view_{x_.data(),
            scales_.data(),
            count_.data(),
            sourceToken_.data(),
            layoutRange_.data(),
            messageCount_.data(),
            messageToken_.data(),
            messageRow_.data(),
            messageWeight_.data(),
            ownRow_.data(),
            nullptr,
            0,
            relayCount_.data(),
            relayToken_.data(),
            relayIds_.data()} {}

HostBench::HostBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank,
                     std::shared_ptr<PeerLinks> links)
    : options_(options),
      shape_(options.shape),
      routing_(std::move(routing)),
      control_(control),
      rank_(rank),
      probe_(shape_.worldSize, options.numProxies),
      links_(std::move(links)),
      exchange_(shape_, {rank, links_->buffer->bases(), options.nodeOfRank}, control,
                {links_->network.get(), links_->region}, options.seam),
      result_(shape_),
      x_(static_cast<uint64_t>(shape_.maxDispatchTokensPerRank) * shape_.paddedHidden(), "tokens"),
      y_(shape_.zeroCopy ? 0 : shape_.resultRows() * shape_.paddedHidden(), "expert outputs"),
      combined_(x_.count(), "combined tokens"),
      expertRow_(shape_.paddedHidden()) {
  std::fill_n(result_.view().count, numGroups(), -1);  // not known before the first dispatch
}

uint32_t HostBench::numGroups() const {
  return shape_.outputLayout == OutputLayout::kExpertMajor ? shape_.numLocalExperts() : shape_.worldSize;
}

uint64_t HostBench::rowsOfGroup() const {
  return shape_.outputLayout == OutputLayout::kExpertMajor ? shape_.maxReceivedTokens()
                                                           : shape_.maxDispatchTokensPerRank;
}

uint64_t HostBench::firstRow(uint32_t group) const { return group * rowsOfGroup(); }

void HostBench::fillTokens(uint32_t salt) {
  salt_ = salt;
  for (uint32_t token = 0; token < routing_.numTokens; ++token) {
    const uint32_t base = tokenBase(options_.seed, salt, rank_, token);
    fillTokenRow(x_.data() + static_cast<uint64_t>(token) * shape_.paddedHidden(), shape_.hidden, base);
  }
}

// Outputs of earlier samples must not pass for the last one's, and what lies behind its rows must not change.
void HostBench::poison() {
  DispatchResult& result = result_.view();
  for (uint32_t group = 0; group < numGroups(); ++group) {
    const uint64_t rows = rowsToPoison(result.count[group], rowsOfGroup());
    std::memset(result.x + firstRow(group) * shape_.payloadRowBytes(), kPoisonByte,
                rows * shape_.payloadRowBytes());
    std::memset(result.sourceToken + firstRow(group), kPoisonByte, rows * sizeof(int32_t));
    if (shape_.payload == DispatchDtype::kFp8E4m3) {
      std::memset(result.scales + firstRow(group) * shape_.numScales(), kPoisonByte,
                  rows * shape_.numScales() * sizeof(float));
    }
    result.count[group] = -1;
  }
  std::memset(combined_.data(), kPoisonByte, combined_.count() * sizeof(uint16_t));
}

uint16_t* HostBench::expertOutput() const { return shape_.zeroCopy ? exchange_.combineInput() : y_.data(); }

void HostBench::runExpertRow(uint16_t* y, uint64_t row, uint32_t group) {
  const DispatchResult& result = result_.view();
  const uint32_t columns = shape_.paddedHidden();
  const uint32_t firstExpert = rank_ * shape_.numLocalExperts();
  const bool expertMajor = shape_.outputLayout == OutputLayout::kExpertMajor;
  const float factor = expertMajor ? expertFactor(firstExpert + group) : 1.0F;
  uint16_t* target = y + row * columns;
  uint16_t* single = expertMajor ? target : expertRow_.data();
  if (shape_.payload == DispatchDtype::kBf16) {
    scaleRow(single, reinterpret_cast<const uint16_t*>(result.x) + row * columns, columns, factor);
  } else {
    dequantizeRow(single, result.x + row * columns, result.scales + row * shape_.numScales(), columns,
                  factor);
  }
  if (expertMajor) return;
  // Rank-major: all local experts of the token together, weighted, in the order of k. Factors are powers of
  // two, so that they may be taken into the weight without another rounding.
  const uint16_t* rows[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t count = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const int32_t expert = result.messageRow[row * shape_.numTopk + k];
    if (expert < 0) continue;
    rows[count] = single;
    weights[count++] = multiplyRounded(result.messageWeight[row * shape_.numTopk + k],
                                       expertFactor(firstExpert + static_cast<uint32_t>(expert)));
  }
  sumRows(target, rows, weights, count, columns);
}

void HostBench::runExperts() {
  uint16_t* y = expertOutput();
  for (uint32_t group = 0; group < numGroups(); ++group) {
    const auto rows = static_cast<uint64_t>(result_.view().count[group]);
    for (uint64_t row = firstRow(group); row < firstRow(group) + rows; ++row) runExpertRow(y, row, group);
  }
}

// One iteration for the sampler: dispatch and combine timed, experts between them not.
struct RoundTrip {
  HostBench& bench;
  PhaseTimes times;  // in split mode send and receive of each, else each as a whole

  RoundTrip(HostBench& owner, GateRef gate, const SampleProtocol& protocol)
      : bench(owner), times(gate, protocol, owner.options_.split) {}

  void beforeSample(uint32_t sample, bool isLast) {
    times.beginSample(sample);
    bench.fillTokens(sample);
    if (isLast) bench.poison();
  }

  double run() {
    HostExchange& exchange = bench.exchange_;
    DispatchResult& result = bench.result_.view();
    const TokenBatch batch = bench.batch();
    const bool split = bench.options_.split;
    const double begin = nowUs();
    exchange.dispatchSend(batch);
    double sent = nowUs();
    if (split) {
      times.record(0, sent - begin);
      times.meet(1);
      sent = nowUs();
    }
    exchange.dispatchReceive(result);
    const double dispatched = nowUs();
    times.record(split ? 1 : 0, dispatched - (split ? sent : begin));
    times[0].bytes = exchange.bytes();

    bench.runExperts();
    uint16_t* y = bench.expertOutput();
    times.meet(split ? 2 : 1);
    const double back = nowUs();
    exchange.combineSend(y, batch, result);
    double returned = nowUs();
    if (split) {
      times.record(2, returned - back);
      times.meet(3);
      returned = nowUs();
    }
    exchange.combineReceive(bench.combined_.data());
    const double end = nowUs();
    times.record(split ? 3 : 1, end - (split ? returned : back));
    times[split ? 2 : 1].bytes = exchange.bytes();
    return (dispatched - begin) + (end - back);
  }
};

MeasuredPhases HostBench::measure(const SampleProtocol& protocol, GateRef gate) {
  RoundTrip trip(*this, gate, protocol);
  MeasuredPhases samples;
  trip.times.finish(sample(trip, gate, protocol, control_), samples);
  return samples;
}

ProbeRates HostBench::probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                            int64_t deadlineNs) {
  const ProbedPoint point{request, exchange, gate, deadlineNs, *links_, control_, rank_, options_.numProxies};
  const BufferLayout& layout = exchange_.layout();
  const uint64_t shareBytes = layout.receiveBytes / shape_.worldSize / kCacheLineBytes * kCacheLineBytes;
  return probeCopies(probe_, point, {layout.receiveOffset(0), shareBytes, numNetworkSlots(shape_)});
}

BenchResults HostBench::results() const {
  const DispatchResult& result = result_.view();
  BenchResults copy;
  copy.salt = salt_;
  copy.count.assign(result.count, result.count + numGroups());
  const bool expertMajor = shape_.outputLayout == OutputLayout::kExpertMajor;
  const uint64_t ranges =
      expertMajor ? static_cast<uint64_t>(shape_.numLocalExperts()) * shape_.worldSize : shape_.worldSize;
  copy.layoutRange.assign(result.layoutRange, result.layoutRange + ranges);
  for (uint32_t group = 0; group < numGroups(); ++group) {
    const auto rows = static_cast<uint64_t>(
        std::clamp<int64_t>(result.count[group], 0, static_cast<int64_t>(rowsOfGroup())));
    const uint8_t* x = result.x + firstRow(group) * shape_.payloadRowBytes();
    const int32_t* tokens = result.sourceToken + firstRow(group);
    copy.x.insert(copy.x.end(), x, x + rows * shape_.payloadRowBytes());
    copy.sourceToken.insert(copy.sourceToken.end(), tokens, tokens + rows);
    if (shape_.payload == DispatchDtype::kFp8E4m3) {
      const float* scales = result.scales + firstRow(group) * shape_.numScales();
      copy.scales.insert(copy.scales.end(), scales, scales + rows * shape_.numScales());
    }
    if (rows < rowsOfGroup()) {
      copy.guard.insert(copy.guard.end(), x + rows * shape_.payloadRowBytes(),
                        x + (rows + 1) * shape_.payloadRowBytes());
    }
  }
  copy.combined.assign(combined_.data(), combined_.data() + combined_.count());
  return copy;
}

BenchFacts HostBench::facts() const {
  if (links_->network == nullptr) return {};
  return {links_->network->info().transport, "host"};
}

void HostBench::close(Exchange* exchange, int64_t deadlineNs) { links_->close(exchange, deadlineNs); }

}  // namespace railrunner::moe::host
