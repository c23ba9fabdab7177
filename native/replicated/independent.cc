#include "replicated/independent.h"

#include "core/error.h"

namespace railrunner {

IndependentTransfer::IndependentTransfer(Device& device, const ReplicatedRequest& request) {
  LaneRequest lane{request.source,    request.target,     request.sourceIds,
                   request.targetIds, request.layerBegin, request.layerEnd};
  TransferOptions options = request.options;
  options.strategy = Strategy::kAuto;
  transfer_ = compileTransfer(device, {std::move(lane)}, options);
}

Transfer& IndependentTransfer::require() const {
  if (!transfer_) throw Error(ErrorCode::kState, "the replicated transfer is closed");
  return *transfer_;
}

ReplicatedSamples IndependentTransfer::measure(GateRef gate, const SampleProtocol& protocol,
                                               RunControl& control) {
  ReplicatedSamples samples;
  for (TimedSamples& set : require().measure(gate, protocol, control)) {
    if (set.lane < 0 && set.timing == "host") samples.total = std::move(set.samples);
  }
  samples.loadUs = samples.total.timesUs;
  return samples;
}

ProbeResult IndependentTransfer::probe(GateRef gate, RunControl& control) {
  return require().probe(gate, control);
}

ReplicatedFacts IndependentTransfer::facts() const {
  const LaneFacts lane = require().facts().front();
  ReplicatedFacts facts;
  facts.payloadBytes = facts.loadBytes = lane.payloadBytes;
  facts.selfBytes = lane.selfBytes;
  facts.pcieBytes = lane.pcieBytes;
  facts.diskBytes = lane.diskBytes;
  facts.numChunks = 1;
  facts.numOperations = lane.numCopies;
  facts.strategyUsed = ReplicatedStrategy::kIndependent;
  facts.diskIo = lane.diskIo;
  return facts;
}

}  // namespace railrunner
