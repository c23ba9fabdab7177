#pragma once

#include "replicated/transfer.h"

namespace railrunner {

// Every rank loads everything from tiers of its own, as without replicated mode: nothing is handed on.
class IndependentTransfer : public ReplicatedTransfer {
 public:
  // Compiles; the exchange is used by takeBlocks alone.
  IndependentTransfer(Exchange& exchange, Device& device, ReplicatedRequest request);

  MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) override;
  ProbeResult probe(GateRef gate, RunControl& control) override;
  ReplicatedFacts facts() const override;
  void takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds,
                  int64_t deadlineNs) override;
  void close(Exchange*, int64_t) override { transfer_.reset(); }

 private:
  void compile();
  Transfer& require() const;

  Exchange& exchange_;
  Device& device_;
  ReplicatedRequest request_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace railrunner
