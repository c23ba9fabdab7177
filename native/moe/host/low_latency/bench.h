#pragma once

#include <memory>

#include "moe/bench.h"
#include "moe/host/lazy_memory.h"
#include "moe/host/low_latency/exchange.h"
#include "moe/host/probe.h"
#include "moe/peer_links.h"

namespace railrunner::moe::host {

// A dispatch result in memory of its own.
class HostResult {
 public:
  explicit HostResult(const Shape& shape);
  DispatchResult& view() { return view_; }
  const DispatchResult& view() const { return view_; }

 private:
  LazyMemory<uint8_t> x_;
  LazyMemory<float> scales_;
  LazyMemory<int32_t> count_;
  LazyMemory<int32_t> sourceToken_;
  LazyMemory<uint64_t> layoutRange_;
  LazyMemory<int32_t> messageCount_;
  LazyMemory<int32_t> messageToken_;
  LazyMemory<int32_t> messageRow_;
  LazyMemory<float> messageWeight_;
  LazyMemory<int32_t> ownRow_;
  LazyMemory<int32_t> relayCount_;
  LazyMemory<int32_t> relayToken_;
  LazyMemory<int32_t> relayIds_;
  DispatchResult view_;
};

class HostBench : public Bench {
 public:
  // `links`: every peer is reached by their buffer or by their network.
  HostBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank,
            std::shared_ptr<PeerLinks> links);

  MeasuredPhases measure(const SampleProtocol& protocol, GateRef gate) override;
  ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                   int64_t deadlineNs) override;
  BenchResults results() const override;
  BenchFacts facts() const override;
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  friend struct RoundTrip;

  TokenBatch batch() const {
    return {x_.data(), routing_.topkIdx.data(), routing_.topkWeights.data(), routing_.numTokens};
  }
  uint32_t numGroups() const;
  uint64_t firstRow(uint32_t group) const;
  uint64_t rowsOfGroup() const;
  void fillTokens(uint32_t salt);
  void poison();
  uint16_t* expertOutput() const;
  void runExperts();
  void runExpertRow(uint16_t* y, uint64_t row, uint32_t group);

  const BenchOptions options_;
  const Shape shape_;
  const Routing routing_;
  RunControl& control_;
  const uint32_t rank_;
  PointProbe probe_;
  const std::shared_ptr<PeerLinks> links_;
  HostExchange exchange_;
  HostResult result_;
  LazyMemory<uint16_t> x_;         // [maxDispatchTokensPerRank, paddedHidden]
  LazyMemory<uint16_t> y_;         // [resultRows, paddedHidden]; unused with zeroCopy
  LazyMemory<uint16_t> combined_;  // [maxDispatchTokensPerRank, paddedHidden]
  std::vector<uint16_t> expertRow_;
  uint32_t salt_ = 0;
};

}  // namespace railrunner::moe::host
