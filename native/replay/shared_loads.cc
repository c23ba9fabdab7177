#include "replay/shared_loads.h"

#include <utility>

#include "core/attempt.h"
#include "core/clock.h"
#include "core/error.h"

namespace railrunner {

namespace {

// Of opening and closing one load. The deadline of the stage ends it earlier.
constexpr int64_t kDeadlineNs = 600LL * 1'000'000'000;

}  // namespace

SharedLoads::SharedLoads(Exchange& exchange, Device& device, std::array<ReplicatedRequest, 2> requests)
    : exchange_(exchange), device_(device), requests_(std::move(requests)) {}

SharedLoads::Outcome SharedLoads::load(Tier from, std::vector<uint32_t> sourceIds,
                                       std::vector<uint32_t> targetIds, GateRef gate, RunControl& control) {
  const double startUs = nowUs();
  ReplicatedRequest request = requests_[from == Tier::kDisk ? 1 : 0];
  request.sourceIds = std::move(sourceIds);
  request.targetIds = std::move(targetIds);
  const auto transfer =
      openReplicated(exchange_, control, device_, std::move(request), nowNs() + kDeadlineNs);
  Outcome outcome;
  try {
    const MeasuredPhases measured = transfer->measure(gate, SampleProtocol{0, 1, false}, control);
    outcome.stopped = measured.stopped;
    for (const Phase& phase : measured.phases) {
      if (phase.phase != "total" || phase.timesUs.empty()) continue;
      outcome.loadUs = phase.timesUs.front();
      outcome.bytes = phase.bytes;
    }
    const ReplicatedFacts facts = transfer->facts();
    strategyUsed_ = replicatedStrategyName(facts.strategyUsed);
    if (!facts.networkTransport.empty()) networkTransport_ = facts.networkTransport;
  } catch (...) {
    static_cast<void>(attempt([&] { transfer->close(nullptr, nowNs() + kDeadlineNs); }));
    throw;
  }
  transfer->close(&exchange_, nowNs() + kDeadlineNs);
  outcome.setUpUs = nowUs() - startUs - outcome.loadUs;
  return outcome;
}

}  // namespace railrunner
