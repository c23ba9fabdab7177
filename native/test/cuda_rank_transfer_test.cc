#include "test/case_by_name.h"
#include "test/transfer_scene.h"

// Reads and writes between processes on GPUs of one node, by IPC. Arguments: a case, and how many GPUs there are.
namespace railrunner::test {
namespace {

uint32_t numGpus = 1;

int pass(Scene scene) {
  scene.device = DeviceKind::kCuda;
  scene.numGpus = numGpus;
  return allEnded(runRanks(scene.sources + scene.targets,
                           [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); }));
}

int everyTier() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const Tier from : {Tier::kDevice, Tier::kHost}) {
      for (const Tier to : {Tier::kDevice, Tier::kHost}) {
        EXPECT(pass({.op = op, .sourceTier = from, .targetTier = to}) == 0, "tiers");
      }
    }
    EXPECT(pass({.sources = 2, .targets = 1, .op = op}) == 0, "merged heads");
    EXPECT(pass({.sources = 1, .targets = 2, .op = op, .targetPagesPerBlock = 4}) == 0, "split heads, pages");
    EXPECT(pass({.op = op, .sourcePagesPerBlock = 4}) == 0, "pages");
  }
  return 0;
}

int plantedFaults() {
  for (const MoveFault fault : {MoveFault::kWrongSplit, MoveFault::kLostPiece, MoveFault::kTruncatedPiece,
                                MoveFault::kEarlyNotification}) {
    Scene scene{.fault = fault, .device = DeviceKind::kCuda, .numGpus = numGpus};
    const auto outcomes =
        runRanks(2, [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); });
    const int expected = fault == MoveFault::kEarlyNotification ? 11 : 10;
    EXPECT(outcomes[1].exitStatus == expected, "fault %u: %d", static_cast<unsigned>(fault),
           outcomes[1].exitStatus);
  }
  return 0;
}

// Device memory of a GPU over the network: refused by name on every rank, before anything is connected to no end.
int networkRefused() {
  return allEnded(runRanks(2, [&](HubExchange& exchange) {
    const Scene scene{.network = true, .device = DeviceKind::kCuda, .numGpus = numGpus};
    Rank self(exchange, scene);
    try {
      RankTransfer::open(exchange, self.control, *self.device, self.options(), nowNs() + kMinuteNs);
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kUnsupportedHere, "%s", error.what());
      return 0;
    }
    return 3;
  }));
}

// Blocks like those of Llama-3.1-70B at tensor parallel 4: 80 layers, regions of 16 tokens x 2 heads x 256 bytes = 8 KiB;
// and other sizes of pieces.
int speed() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const uint64_t headBytes : {32U, 128U, 512U}) {
      for (const uint32_t maxCtas : {16U, 64U}) {
        std::printf("%s, region %llu bytes, %u blocks of threads\n",
                    op == TransferOp::kWrite ? "write" : "read",
                    static_cast<unsigned long long>(headBytes * 16 * kHeads), maxCtas);
        const Scene scene{.op = op,
                          .numPages = static_cast<uint32_t>(2'097'152 / headBytes / 16),
                          .numLayers = 16,
                          .pageTokens = 16,
                          .headBytes = headBytes,
                          .iterations = 20,
                          .maxCtas = maxCtas};
        EXPECT(pass(scene) == 0, "speed");
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner::test;
  if (argc > 2) numGpus = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  return runCaseByName({{"every-tier", everyTier},
                        {"planted-faults", plantedFaults},
                        {"network-refused", networkRefused},
                        {"speed", speed}},
                       argc, argv);
}
