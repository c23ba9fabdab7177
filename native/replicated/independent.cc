#include "replicated/independent.h"

#include <utility>

#include "core/error.h"
#include "replicated/phase_clock.h"

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

MeasuredPhases IndependentTransfer::measure(GateRef gate, const SampleProtocol& protocol,
                                            RunControl& control) {
  ReplicatedSamples samples;
  MeasuredPhases measured = require().measure(gate, protocol, control);
  samples.total.stopped = measured.stopped;
  for (Phase& phase : measured.phases) {
    if (phase.phase != "total" || std::string(phase.timing) != "host") continue;
    samples.total.timesUs = std::move(phase.timesUs);
    samples.total.entrySkewUs = std::move(phase.entrySkewUs);
  }
  samples.loadUs = samples.total.timesUs;
  return std::move(samples).phases(facts());
}

ProbeResult IndependentTransfer::probe(GateRef gate, RunControl& control) {
  return require().probe(gate, control);
}

ReplicatedFacts IndependentTransfer::facts() const {
  const LaneFacts lane = require().facts().front();
  ReplicatedFacts facts;
  facts.sourceTier = lane.from;
  facts.bytes = lane.bytes;
  facts.loadBytes = lane.bytes.payload;
  facts.numChunks = 1;
  facts.numOperations = lane.numCopies;
  facts.strategyUsed = ReplicatedStrategy::kIndependent;
  facts.diskIo = lane.diskIo;
  return facts;
}

}  // namespace railrunner
