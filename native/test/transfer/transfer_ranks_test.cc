#include "test/support/case_by_name.h"
#include "test/transfer/transfer_scene.h"

// Reads and writes between processes: over mapped memory and over the network, with tensor-parallel splits; what a
// transfer must find, and how it ends when a peer does not go on.
namespace railrunner::test {
namespace {

int allPass(const Scene& scene) {
  return allEnded(runRanks(scene.sources + scene.targets,
                           [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); }));
}

int everyPath() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const bool network : {false, true}) {
      for (const auto& [sources, targets] :
           std::vector<std::pair<uint32_t, uint32_t>>{{1, 1}, {2, 1}, {1, 2}, {2, 4}}) {
        EXPECT(allPass({.sources = sources, .targets = targets, .op = op, .network = network}) == 0, "scene");
      }
      EXPECT(allPass({.op = op, .network = network, .sourcePagesPerBlock = 1, .targetPagesPerBlock = 4}) == 0,
             "pages");
      EXPECT(allPass({.op = op, .network = network, .sourcePagesPerBlock = 4, .targetPagesPerBlock = 1}) == 0,
             "pages");
    }
  }
  return 0;
}

// Again and again, more than sockets hold: the last of 20 is poisoned and checked.
int repeatsOverTheNetwork() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    Scene scene{.sources = 2, .targets = 1, .op = op, .network = true, .headBytes = 2048, .iterations = 20};
    scene.pageTokens = 16;
    EXPECT(allPass(scene) == 0, "repeats");
  }
  return 0;
}

// As for memory of a GPU, by the host device: both sides through bounce buffers much smaller than what moves.
int bounceBuffers() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const Tier from : {Tier::kDevice, Tier::kHost}) {
      for (const Tier to : {Tier::kDevice, Tier::kHost}) {
        Scene scene{.op = op, .network = true, .sourceTier = from, .targetTier = to, .headBytes = 4096};
        scene.networkMemory = NetworkMemory::kStaged;
        scene.pageTokens = 16;
        EXPECT(allPass(scene) == 0, "tiers");
      }
    }
    for (const auto& [sources, targets] : std::vector<std::pair<uint32_t, uint32_t>>{{2, 1}, {2, 4}}) {
      Scene scene{.sources = sources, .targets = targets, .op = op, .network = true, .headBytes = 1024};
      scene.networkMemory = NetworkMemory::kStaged;
      scene.pageTokens = 16;
      EXPECT(allPass(scene) == 0, "heads split and merged");
    }
  }
  return 0;
}

int findsPlanted(const Scene& scene) {
  const auto outcomes = runRanks(2, [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); });
  EXPECT(outcomes[0].exitStatus == 0, "rank 0 ended with %d", outcomes[0].exitStatus);
  const bool early = scene.fault == FaultKind::kEarlyNotification;
  // Bytes that are held back arrive before the check, or not.
  const bool found = outcomes[1].exitStatus == (early ? 11 : 10) || (early && outcomes[1].exitStatus == 10);
  EXPECT(found, "fault %u: rank 1 ended with %d", static_cast<unsigned>(*scene.fault),
         outcomes[1].exitStatus);
  return 0;
}

// Each is found by the rank that the bytes arrive at.
int plantedFaults() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const bool network : {false, true}) {
      for (const FaultKind fault : {FaultKind::kWrongSplit, FaultKind::kLostPiece, FaultKind::kTruncatedPiece,
                                    FaultKind::kEarlyNotification}) {
        Scene scene{.op = op, .network = network, .fault = fault};
        EXPECT(findsPlanted(scene) == 0, "fault");
        if (!network) continue;
        scene.networkMemory = NetworkMemory::kStaged;
        EXPECT(findsPlanted(scene) == 0, "fault, through bounce buffers");
      }
    }
  }
  return 0;
}

// Ends before anything is sent, on all ranks.
int demandsNotMet() {
  const auto body = [](HubExchange& exchange, const std::function<void(RankTransferOptions&)>& demand,
                       const char* part) {
    Rank self(exchange, {.network = true});
    RankTransferOptions options = self.options();
    demand(options);
    try {
      RankTransfer::open(exchange, self.control, *self.device, options, nowNs() + kMinuteNs);
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kTransport, "%s", error.what());
      EXPECT(std::string(error.what()).find(part) != std::string::npos, "`%s` lacks `%s`", error.what(),
             part);
      return 0;
    }
    return 3;
  };
  const auto all = [&](const std::function<void(RankTransferOptions&)>& demand, const char* part) {
    return allEnded(runRanks(2, [&](HubExchange& exchange) { return body(exchange, demand, part); }));
  };
  EXPECT(all([](auto& options) { options.demandedTransports = "rc,dc"; },
             "demanded rc,dc, but UCX uses tcp") == 0,
         "a transport that is not there");
  EXPECT(allPass({.network = true, .demandedTransports = "rc,tcp"}) == 0, "a demand that is met");
  return 0;
}

// All ranks are told of what one rank asked for, before anything was moved.
int refusedMoves() {
  const auto body = [](HubExchange& exchange, const std::function<void(RankTransferOptions&)>& change,
                       const char* part, ErrorCode code) {
    Rank self(exchange, {});
    RankTransferOptions options = self.options();
    if (!options.moves.empty()) change(options);
    try {
      RankTransfer::open(exchange, self.control, *self.device, options, nowNs() + kMinuteNs);
    } catch (const Error& error) {
      EXPECT(std::string(error.what()).find(part) != std::string::npos, "`%s` lacks `%s`", error.what(),
             part);
      EXPECT(error.code() == code, "code of %s", error.what());
      return 0;
    }
    return 3;
  };
  struct Refusal {
    std::function<void(RankTransferOptions&)> change;
    const char* part;
    ErrorCode code;
  };
  const Refusal refusals[] = {
      {[](auto& options) { options.moves[0].pages.targetPages[0] = Scene{}.numPages; }, "target page 32",
       ErrorCode::kBlockIds},
      {[](auto& options) { options.moves[0].peer = 0; }, "rank 0 has no pool on that side",
       ErrorCode::kArgument},
      {[](auto& options) { options.moves.push_back(options.moves[0]); }, "two with rank 1",
       ErrorCode::kArgument},
      {[](auto& options) {
         options.moves[0].pages.heads = {{0, 9}};
       },
       "heads [0, 9)", ErrorCode::kBlockIds},
      {[](auto& options) { options.op = TransferOp::kRead; }, "it reads where this rank writes",
       ErrorCode::kWrongData},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT(allEnded(runRanks(2,
                             [&](HubExchange& exchange) {
                               return body(exchange, refusal.change, refusal.part, refusal.code);
                             })) == 0,
           "refused");
  }
  return 0;
}

// A peer that leaves between open and measure: the others end, named, and nothing of theirs runs on.
int peerLeaves(bool network) {
  const auto outcomes = runRanks(2, [&](HubExchange& exchange) {
    Rank self(exchange, {.network = network});
    const auto transfer =
        RankTransfer::open(exchange, self.control, *self.device, self.options(), nowNs() + kMinuteNs);
    self.pool->prepare(self.content(false), self.control);
    exchange.barrier();
    if (self.rank == 1) _exit(9);
    SoloGate solo;
    try {
      transfer->measure(GateRef(solo), {0, network ? 100'000U : 1'000U, false});
    } catch (const Error& error) {
      std::printf("%s\n", error.what());
      EXPECT(error.code() == ErrorCode::kNetwork, "%s", error.what());
      EXPECT(std::string(error.what()).find("rank 1") != std::string::npos, "%s", error.what());
      return 0;
    }
    return network ? 4 : 0;  // memory that a peer shared stays until the last mapping of it goes
  });
  EXPECT(outcomes[0].exitStatus == 0, "rank 0 ended with %d", outcomes[0].exitStatus);
  return 0;
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner::test;
  return runCaseByName({{"every-path", everyPath},
                        {"repeats-over-network", repeatsOverTheNetwork},
                        {"bounce-buffers", bounceBuffers},
                        {"planted-faults", plantedFaults},
                        {"demands-not-met", demandsNotMet},
                        {"refused-moves", refusedMoves},
                        {"network-peer-leaves", [] { return peerLeaves(true); }},
                        {"mapped-peer-leaves", [] { return peerLeaves(false); }}},
                       argc, argv);
}
