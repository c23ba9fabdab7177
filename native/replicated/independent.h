#pragma once

#include "replicated/transfer.h"

namespace railrunner {

// Every rank loads everything from tiers of its own, as without replicated mode: nothing is handed on.
class IndependentTransfer : public ReplicatedTransfer {
 public:
  IndependentTransfer(Device& device, const ReplicatedRequest& request);

  MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) override;
  ProbeResult probe(GateRef gate, RunControl& control) override;
  ReplicatedFacts facts() const override;
  void close(Exchange*, int64_t) override { transfer_.reset(); }

 private:
  Transfer& require() const;

  std::unique_ptr<Transfer> transfer_;
};

}  // namespace railrunner
