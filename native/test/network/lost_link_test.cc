// A link between nodes that is lost while a replicated transfer runs: each of the waits sees it and names the link, long
// before the stage's deadline. `lost_link_test CASE`; without one it lists them.
#include <unistd.h>

#include <cstring>
#include <thread>

#include "core/clock.h"
#include "core/gate.h"
#include "test/support/broadcast_between_nodes.h"
#include "test/support/case_by_name.h"
#include "test/support/cut_links.h"
#include "test/support/expect.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

// The stage's deadline: only bounds a wait that notices nothing.
constexpr int kDeadlineSeconds = 60;

// The rank measures, the other one does not come to it and cuts its links once this one is known to wait.
void waitsForThePeer(HubExchange& exchange, uint32_t waiter) {
  RunControl control;
  control.setCrowded(true);
  BroadcastBetweenNodes broadcast(exchange.rank());
  const auto transfer = broadcast.open(exchange, control, nowNs() + kDeadlineSeconds * 1'000'000'000LL);
  if (exchange.rank() != waiter) {
    usleep(300'000);
    cutLinks();
    exchange.barrier();  // the other has said what it saw
    return;
  }
  std::atomic<bool> over{false};
  std::thread deadline([&] {
    for (int i = 0; i < kDeadlineSeconds * 10 && !over.load(); ++i) usleep(100'000);
    if (!over.load()) control.abort.store(static_cast<uint32_t>(AbortReason::kOwn));
  });
  std::string said = "nothing";
  std::string code;
  try {
    SoloGate gate;
    transfer->measure(GateRef(gate), {0, 3, false}, control);
  } catch (const Error& error) {
    said = error.what();
    code = errorCodeName(error.code());
  }
  over.store(true);
  deadline.join();
  const std::string peer = "to rank " + std::to_string(1 - waiter);
  EXPECT(code == "E_NETWORK" && said.find(peer) != std::string::npos, "%s: %s", code.c_str(), said.c_str());
  EXPECT(control.awaitedPeer.load() == static_cast<int32_t>(1 - waiter), "awaited: %d",
         control.awaitedPeer.load());
  exchange.barrier();
}

int runCase(uint32_t waiter) {
  const auto outcomes = runRanks(2, [&](HubExchange& exchange) {
    waitsForThePeer(exchange, waiter);
    return 0;
  });
  for (const RankOutcome& outcome : outcomes)
    EXPECT(outcome.exitStatus == 0, "a rank ended with %d", outcome.exitStatus);
  return 0;
}

const CasesByName kCases = {
    {"blocks-that-do-not-arrive", [] { return runCase(1); }},
    {"an-acknowledgement-that-does-not-arrive", [] { return runCase(0); }},
};

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  return railrunner::test::runCaseByName(railrunner::test::kCases, argc, argv);
}
