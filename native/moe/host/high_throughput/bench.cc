#include "moe/host/high_throughput/bench.h"

#include <algorithm>
#include <cstring>

#include "moe/host/content.h"
#include "moe/host/rows.h"
#include "moe/numerics.h"
#include "moe/phase_times.h"

namespace railrunner::moe::host::high_throughput {

namespace {

Places placesOf(const BenchOptions& options, const NetworkRelation& relation, uint32_t rank,
                std::vector<std::byte*> bases) {
  return Places({rank, std::move(bases), options.nodeOfRank}, relation);
}

uint64_t scalesOf(const Shape& shape, uint64_t rows) {
  return shape.payload == DispatchDtype::kFp8E4m3 ? rows * shape.numScales() : 0;
}

}  // namespace

uint64_t symmetricBytes(const BenchOptions& options, const NetworkRelation& relation,
                        const std::vector<Capacity>& capacities) {
  uint64_t tokens = 1;
  for (const Capacity& capacity : capacities) tokens = std::max(tokens, capacity.tokens);
  return BufferLayout(options.shape, tokens, mostInboxes(relation, options.nodeOfRank)).totalBytes;
}

HostBench::HostBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank,
                     const NetworkRelation& relation, const std::vector<Capacity>& capacities,
                     std::shared_ptr<PeerLinks> links)
    : options_(options),
      shape_(options.shape),
      ht_(*options.highThroughput),
      routing_(std::move(routing)),
      digest_(routingDigest(routing_.topkIdx, routing_.numTokens)),
      capacity_(capacities[rank]),
      control_(control),
      rank_(rank),
      probe_(shape_.worldSize, options.numProxies),
      links_(std::move(links)),
      exchange_({shape_,
                 ht_,
                 placesOf(options, relation, rank, links_->buffer->bases()),
                 capacities,
                 {links_->network.get(), links_->region},
                 options.seam},
                control),
      received_(shape_, capacity_),
      y_(isExpertMajor() ? capacity_.rows * shape_.paddedHidden() : 0, "expert outputs"),
      combined_(static_cast<uint64_t>(shape_.maxDispatchTokensPerRank) * shape_.paddedHidden(),
                "combined tokens"),
      row_(shape_.paddedHidden()) {
  std::copy(routing_.topkIdx.begin(), routing_.topkIdx.end(), exchange_.topkIdx());
  std::copy(routing_.topkWeights.begin(), routing_.topkWeights.end(), exchange_.topkWeights());
}

uint64_t HostBench::rowsInUse() const {
  const ReceivedRows& rows = received_.view();
  const int32_t last =
      isExpertMajor() ? rows.expertBegin[shape_.numLocalExperts()] : rows.sourceBegin[shape_.worldSize];
  return static_cast<uint64_t>(
      std::clamp<int64_t>(last, 0, static_cast<int64_t>(rowsOfX(shape_, capacity_))));
}

void HostBench::fillTokens(uint32_t salt) {
  salt_ = salt;
  const bool isFp8 = shape_.payload == DispatchDtype::kFp8E4m3;
  for (uint32_t token = 0; token < routing_.numTokens; ++token) {
    const uint32_t base = tokenBase(options_.seed, salt, rank_, token);
    uint8_t* target = exchange_.x() + token * shape_.payloadRowBytes();
    auto* row = isFp8 ? row_.data() : reinterpret_cast<uint16_t*>(target);
    fillTokenRow(row, shape_.hidden, base);
    std::fill(row + shape_.hidden, row + shape_.paddedHidden(), 0);  // the probe writes there too
    if (!isFp8) continue;
    quantizeRow(target, exchange_.scales() + static_cast<uint64_t>(token) * shape_.numScales(), row,
                shape_.paddedHidden(), shape_.roundScale);
  }
}

// Outputs of earlier samples must not pass for the last one's, and what lies between and behind its rows must not
// change. A layout that is used again stays: later dispatches do not write it.
void HostBench::poison() {
  const ReceivedRows& rows = received_.view();
  const uint64_t all = rowsOfX(shape_, capacity_);
  const uint64_t used = handle_.epoch == 0 ? all : rowsInUse();
  std::memset(rows.x, kPoisonByte, (std::min(used, all) + 1) * shape_.payloadRowBytes());
  std::memset(rows.scales, kPoisonByte, scalesOf(shape_, used) * sizeof(float));
  std::memset(combined_.data(), kPoisonByte, combined_.count() * sizeof(uint16_t));
  if (ht_.reuseLayout) return;
  const uint64_t choices = capacity_.tokens * shape_.numTopk * sizeof(int32_t);
  std::memset(rows.count, kPoisonByte, shape_.numLocalExperts() * sizeof(int32_t));
  std::memset(rows.rowToken, kPoisonByte, capacity_.rows * sizeof(int32_t));
  std::memset(rows.sourceToken, kPoisonByte, capacity_.tokens * sizeof(int32_t));
  std::memset(rows.tokenRow, kPoisonByte, choices);
  std::memset(rows.tokenExpert, kPoisonByte, choices);
  std::memset(rows.tokenWeight, kPoisonByte, choices);
}

void HostBench::dispatch() {
  if (ht_.reuseLayout && handle_.epoch != 0) {
    exchange_.dispatchAgain(routing_.numTokens, digest_, received_.view(), handle_);
  } else {
    exchange_.dispatch(routing_.numTokens, digest_, received_.view(), handle_);
  }
}

// bf16 of one row of x times a power of two.
void HostBench::readRow(uint16_t* out, uint64_t row, float factor) const {
  const ReceivedRows& rows = received_.view();
  const uint8_t* x = rows.x + row * shape_.payloadRowBytes();
  if (shape_.payload == DispatchDtype::kBf16) {
    scaleRow(out, reinterpret_cast<const uint16_t*>(x), shape_.paddedHidden(), factor);
  } else {
    dequantizeRow(out, x, rows.scales + row * shape_.numScales(), shape_.paddedHidden(), factor);
  }
}

void HostBench::runExpertRows(uint32_t expert) {
  const ReceivedRows& rows = received_.view();
  const float factor = expertFactor(rank_ * shape_.numLocalExperts() + expert);
  const auto first = static_cast<uint64_t>(rows.expertBegin[expert]);
  for (uint64_t row = first; row < first + static_cast<uint64_t>(rows.count[expert]); ++row) {
    readRow(y_.data() + row * shape_.paddedHidden(), row, factor);
  }
}

// All local experts of one token together, in the order of k. Factors are powers of two, so that they may be taken
// into the weight without another rounding.
void HostBench::runReducedRow(uint32_t received) {
  const ReceivedRows& rows = received_.view();
  const uint16_t* terms[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t count = 0;
  readRow(row_.data(), received, 1.0F);
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const uint64_t choice = static_cast<uint64_t>(received) * shape_.numTopk + k;
    if (rows.tokenExpert[choice] < 0) continue;
    const auto expert = rank_ * shape_.numLocalExperts() + static_cast<uint32_t>(rows.tokenExpert[choice]);
    terms[count] = row_.data();
    weights[count++] = multiplyRounded(ht_.weighted ? rows.tokenWeight[choice] : 1.0F, expertFactor(expert));
  }
  sumRows(exchange_.combineInput() + static_cast<uint64_t>(received) * shape_.paddedHidden(), terms, weights,
          count, shape_.paddedHidden());
}

void HostBench::runExperts() {
  if (isExpertMajor()) {
    for (uint32_t expert = 0; expert < shape_.numLocalExperts(); ++expert) runExpertRows(expert);
    return;
  }
  const auto tokens = static_cast<uint32_t>(received_.view().sourceBegin[shape_.worldSize]);
  for (uint32_t received = 0; received < tokens; ++received) runReducedRow(received);
}

// One iteration for the sampler: dispatch and combine timed, experts between them not.
struct RoundTrip {
  HostBench& bench;
  PhaseTimes times;

  RoundTrip(HostBench& owner, GateRef gate, const SampleProtocol& protocol)
      : bench(owner), times(gate, protocol, false) {}

  void beforeSample(uint32_t sample, bool isLast) {
    times.beginSample(sample);
    bench.fillTokens(sample);
    if (isLast) bench.poison();
  }

  double run() {
    HostExchange& exchange = bench.exchange_;
    const double begin = nowUs();
    bench.dispatch();
    const double dispatchUs = nowUs() - begin;
    times.record(0, dispatchUs);
    times[0].bytes = exchange.bytes();
    bench.runExperts();
    times.meet(1);
    uint16_t* y = bench.isExpertMajor() ? bench.y_.data() : exchange.combineInput();
    const double back = nowUs();
    exchange.combine(y, bench.received_.view(), bench.handle_, bench.combined_.data());
    const double combineUs = nowUs() - back;
    times.record(1, combineUs);
    times[1].bytes = exchange.bytes();
    if (bench.dispatchFirstUs_ == 0) {
      bench.dispatchFirstUs_ = dispatchUs;
      bench.combineFirstUs_ = combineUs;
    }
    return dispatchUs + combineUs;
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
  const uint64_t shareBytes = shape_.maxDispatchTokensPerRank * shape_.payloadRowBytes() / shape_.worldSize /
                              kCacheLineBytes * kCacheLineBytes;
  if (shareBytes == 0) return {};  // too few tokens to give every peer a line
  const ProbedShare share{exchange_.layout().block.rows, shareBytes, kNetworkSlots};
  return probeCopies(probe_, point, share);
}

BenchFacts HostBench::facts() const {
  BenchFacts facts;
  if (links_->network != nullptr) {
    facts.transport = links_->network->info().transport;
    facts.memory = "host";
  }
  facts.strategy = ht_.strategy == Strategy::kSparse ? "sparse" : "allGather";
  facts.dispatchFirstUs = dispatchFirstUs_;
  facts.combineFirstUs = combineFirstUs_;
  return facts;
}

void HostBench::close(Exchange* exchange, int64_t deadlineNs) { links_->close(exchange, deadlineNs); }

}  // namespace railrunner::moe::host::high_throughput
