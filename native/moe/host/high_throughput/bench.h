#pragma once

#include <memory>

#include "moe/host/high_throughput/exchange.h"
#include "moe/host/high_throughput/received.h"
#include "moe/host/lazy_memory.h"
#include "moe/host/probe.h"
#include "moe/peer_links.h"

namespace railrunner::moe::host::high_throughput {

// Of the symmetric buffer of every rank.
uint64_t symmetricBytes(const BenchOptions& options, const NetworkRelation& relation,
                        const std::vector<Capacity>& capacities);

// The measured point. Tokens lie in the symmetric buffer, as fp8 already quantised, before a call begins.
class HostBench : public Bench {
 public:
  HostBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank,
            const NetworkRelation& relation, const std::vector<Capacity>& capacities,
            std::shared_ptr<PeerLinks> links);

  MeasuredPhases measure(const SampleProtocol& protocol, GateRef gate) override;
  ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                   int64_t deadlineNs) override;
  BenchResults results() const override;
  BenchFacts facts() const override;
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  friend struct RoundTrip;

  bool isExpertMajor() const { return shape_.outputLayout == OutputLayout::kExpertMajor; }
  // Rows of x that the last dispatch filled, padding included.
  uint64_t rowsInUse() const;
  void fillTokens(uint32_t salt);
  void poison();
  void dispatch();
  void runExperts();
  void runExpertRows(uint32_t expert);
  void runReducedRow(uint32_t received);
  void readRow(uint16_t* out, uint64_t row, float factor) const;

  const BenchOptions options_;
  const Shape shape_;
  const Options ht_;
  const Routing routing_;
  const uint64_t digest_;
  const Capacity capacity_;
  RunControl& control_;
  const uint32_t rank_;
  PointProbe probe_;
  const std::shared_ptr<PeerLinks> links_;
  HostExchange exchange_;
  HostReceived received_;
  Handle handle_;
  LazyMemory<uint16_t> y_;         // expert-major: [capacity.rows, paddedHidden]
  LazyMemory<uint16_t> combined_;  // [maxDispatchTokensPerRank, paddedHidden]
  std::vector<uint16_t> row_;
  uint32_t salt_ = 0;
  double dispatchFirstUs_ = 0;
  double combineFirstUs_ = 0;
};

}  // namespace railrunner::moe::host::high_throughput
