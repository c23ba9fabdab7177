#include "replay/shared_loads.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/attempt.h"
#include "core/clock.h"
#include "core/error.h"

namespace railrunner {

namespace {

// Of opening one load. The deadline of the stage ends it earlier.
constexpr int64_t kDeadlineNs = 600LL * 1'000'000'000;

}  // namespace

SharedLoads::SharedLoads(Exchange& exchange, Device& device, std::array<ReplicatedRequest, 2> requests)
    : exchange_(exchange), device_(device), requests_(std::move(requests)) {}

SharedLoads::Outcome SharedLoads::load(Tier from, std::vector<uint32_t> sourceIds,
                                       std::vector<uint32_t> targetIds, GateRef gate, RunControl& control) {
  const double startUs = nowUs();
  const size_t at = from == Tier::kDisk ? 1 : 0;
  std::unique_ptr<ReplicatedTransfer>& transfer = transfers_[at];
  if (transfer) {
    transfer->takeBlocks(std::move(sourceIds), std::move(targetIds), nowNs() + kDeadlineNs);
  } else {
    ReplicatedRequest request = requests_[at];
    request.sourceIds = std::move(sourceIds);
    request.targetIds = std::move(targetIds);
    request.changesBlocks = true;
    transfer = openReplicated(exchange_, control, device_, std::move(request), nowNs() + kDeadlineNs);
  }
  Outcome outcome;
  const MeasuredPhases measured = transfer->measure(gate, SampleProtocol{0, 1, false}, control);
  outcome.stopped = measured.stopped;
  for (const Phase& phase : measured.phases) {
    if (phase.phase != "total" || phase.timesUs.empty()) continue;
    outcome.loadUs = phase.timesUs.front();
    outcome.bytes = phase.bytes;
  }
  const ReplicatedFacts facts = transfer->facts();
  const std::string used = replicatedStrategyName(facts.strategyUsed);
  if (std::find(strategiesUsed_.begin(), strategiesUsed_.end(), used) == strategiesUsed_.end())
    strategiesUsed_.push_back(used);
  if (!facts.networkTransport.empty()) networkTransport_ = facts.networkTransport;
  outcome.setUpUs = nowUs() - startUs - outcome.loadUs;
  return outcome;
}

void SharedLoads::close(bool together, int64_t deadlineNs) {
  std::exception_ptr failure;
  for (std::unique_ptr<ReplicatedTransfer>& transfer : transfers_) {
    if (!transfer) continue;
    const std::unique_ptr<ReplicatedTransfer> closing = std::move(transfer);
    const std::exception_ptr thrown =
        attempt([&] { closing->close(together ? &exchange_ : nullptr, deadlineNs); });
    if (!failure) failure = thrown;
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
