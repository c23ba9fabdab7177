#include "replicated/independent.h"

#include <utility>

#include "core/error.h"
#include "replicated/block_agreement.h"
#include "replicated/phase_clock.h"

namespace railrunner {

IndependentTransfer::IndependentTransfer(Exchange& exchange, Device& device, ReplicatedRequest request)
    : exchange_(exchange), device_(device), request_(std::move(request)) {
  compile();
}

void IndependentTransfer::compile() {
  LaneRequest lane{request_.source,    request_.target,     request_.sourceIds,
                   request_.targetIds, request_.layerBegin, request_.layerEnd};
  TransferOptions options = request_.options;
  options.strategy = Strategy::kAuto;
  transfer_ = compileTransfer(device_, {std::move(lane)}, options);
}

void IndependentTransfer::takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds,
                                     int64_t deadlineNs) {
  transfer_.reset();
  request_.sourceIds = std::move(sourceIds);
  request_.targetIds = std::move(targetIds);
  agreeOnBlocks(exchange_, request_, device_.kind(), deadlineNs, [&] {
    request_.target->markUnknown(request_.targetIds);
    compile();
  });
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
