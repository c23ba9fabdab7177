#include <signal.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "test/replicated/replicated_rank.h"
#include "test/support/case_by_name.h"
#include "test/support/expect.h"
#include "test/support/hub_gate.h"
#include "test/support/rank_processes.h"

// The strategy ipc between processes, without MPI and without NCCL. Arguments: a case, and how many GPUs there are; 0 or
// none for the host device. Ranks take turns on the GPUs, so that a chain of four is walked on two.
namespace railrunner::test {
namespace {

uint32_t numGpus = 0;

std::unique_ptr<Device> deviceOf(const Exchange& exchange) {
  if (numGpus == 0) return openDevice(DeviceKind::kHost, 0);
  return openDevice(DeviceKind::kCuda, static_cast<int>(exchange.rank() % numGpus));
}

int moveAndCheck(HubExchange& exchange, const Case& tested) {
  ReplicatedRank self(exchange, deviceOf(exchange), tested);
  HubGate gate(exchange);
  const auto transfer =
      openReplicated(exchange, self.control, *self.device, self.request(), nowNs() + kMinuteNs);
  const MeasuredPhases measured = transfer->measure(GateRef(gate), {2, 6, tested.freeRunning}, self.control);
  const ReplicatedFacts facts = transfer->facts();
  transfer->close(&exchange, nowNs() + kMinuteNs);
  EXPECT(!measured.stopped && measured.phases.back().timesUs.size() == 6, "6 samples");
  EXPECT(facts.strategyUsed == ReplicatedStrategy::kIpc || tested.strategy == ReplicatedStrategy::kAuto,
         "ipc");
  const CheckReport report = self.target->check(self.content(self.targetIds), kCheckAllWords, self.control);
  EXPECT(report.checked > 0 && report.wrong == 0, "rank %u of %u: %llu of %llu words wrong, first %s",
         exchange.rank(), tested.ranks, static_cast<unsigned long long>(report.wrong),
         static_cast<unsigned long long>(report.checked), report.firstBad.c_str());
  return 0;
}

int pass(const Case& tested) {
  for (const RankOutcome& outcome :
       runRanks(tested.ranks, [&](HubExchange& exchange) { return moveAndCheck(exchange, tested); })) {
    EXPECT(outcome.exitStatus == 0, "%u ranks, root %d, source %s, chunks of %llu: exit %d", tested.ranks,
           tested.root, tierName(tested.source), static_cast<unsigned long long>(tested.chunkBytes),
           outcome.exitStatus);
  }
  return 0;
}

int everySource() {
  for (const uint32_t ranks : {2U, 4U}) {
    for (const Tier source : {Tier::kDevice, Tier::kHost, Tier::kDisk}) {
      for (const LayoutShape& shape : {kLong, kShort}) {
        pass({.ranks = ranks, .root = static_cast<int>(ranks) - 1, .source = source, .shape = shape});
      }
    }
  }
  return pass({.ranks = 1, .source = Tier::kHost});
}

// The kernel that copies short runs, once: small enough for compute-sanitizer.
int fewBlocks() { return pass({.ranks = 2, .shape = kShort, .numBlocks = 3}); }

// One transfer again and again, every word checked each time.
int repeatAndCheck(HubExchange& exchange, const Case& tested) {
  ReplicatedRank self(exchange, deviceOf(exchange), tested);
  HubGate gate(exchange);
  const auto transfer =
      openReplicated(exchange, self.control, *self.device, self.request(), nowNs() + kMinuteNs);
  for (uint32_t repeat = 0; repeat < 20; ++repeat) {
    // The last sample is taken into poisoned targets.
    const MeasuredPhases measured = transfer->measure(GateRef(gate), {0, 1, false}, self.control);
    EXPECT(!measured.stopped && measured.phases.back().timesUs.size() == 1, "a sample");
    const CheckReport report = self.target->check(self.content(self.targetIds), kCheckAllWords, self.control);
    EXPECT(report.checked > 0 && report.wrong == 0, "rank %u, repeat %u: %llu words wrong, first %s",
           exchange.rank(), repeat, static_cast<unsigned long long>(report.wrong), report.firstBad.c_str());
  }
  transfer->close(&exchange, nowNs() + kMinuteNs);
  return 0;
}

int equalRepeats() {
  for (const LayoutShape& shape : {kLong, kShort}) {
    const Case tested{.ranks = 3, .root = 1, .shape = shape};
    for (const RankOutcome& outcome :
         runRanks(tested.ranks, [&](HubExchange& hub) { return repeatAndCheck(hub, tested); }))
      EXPECT(outcome.exitStatus == 0, "exit %d", outcome.exitStatus);
  }
  return 0;
}

// Many steps on few streams, with and without a gate before each sample; and a cap of one thread block.
int manySteps() {
  for (const bool freeRunning : {false, true}) {
    for (const Tier source : {Tier::kDevice, Tier::kHost}) {
      pass({.ranks = 3,
            .root = 1,
            .source = source,
            .chunkBytes = 256 << 10,
            .maxCtas = 1,
            .freeRunning = freeRunning});
    }
  }
  return pass({.ranks = 4, .chunkBytes = 128 << 10, .strategy = ReplicatedStrategy::kAuto});
}

// Transfers of other blocks, one after the other, over the same pools' worth of memory.
int changingBlocks() {
  for (uint32_t round = 0; round < 12; ++round) {
    pass({.ranks = 2 + round % 3,
          .root = static_cast<int>(round % 2),
          .source = round % 2 == 0 ? Tier::kDevice : Tier::kHost,
          .shape = round % 3 == 0 ? kLong : kShort,
          .numBlocks = 1 + round * 7 % 23,
          .firstBlock = round,
          .freeRunning = round % 4 == 3});
  }
  return 0;
}

// One transfer that takes other blocks again and again, few and many, so that they fall into steps differently.
int takeAndCheck(HubExchange& exchange, const Case& tested) {
  ReplicatedRank self(exchange, deviceOf(exchange), tested);
  HubGate gate(exchange);
  const bool isSender = tested.source == Tier::kDevice && self.isRoot;
  PoolContent held = self.content(isSender ? self.targetIds : std::vector<uint32_t>{});
  std::unique_ptr<ReplicatedTransfer> transfer;
  uint32_t first = 0;
  for (const uint32_t count : {1U, kBlocks, 2U, 11U, 19U, 1U, 5U, kBlocks, 3U}) {
    std::vector<uint32_t> sourceIds, targetIds;
    for (uint32_t i = first; i < first + count; ++i) {
      sourceIds.push_back(self.sourceIds[i % kBlocks]);
      targetIds.push_back(self.targetIds[(i + (tested.source == Tier::kDevice ? 0 : first)) % kBlocks]);
      if (!isSender)
        held.blocks[targetIds.back()] = {tierSeed(kSeed, tested.source), sourceIds.back(), 0, self.numLayers};
    }
    first += count;
    if (transfer) {
      transfer->takeBlocks(std::move(sourceIds), std::move(targetIds), nowNs() + kMinuteNs);
    } else {
      ReplicatedRequest request = self.request();
      request.sourceIds = std::move(sourceIds);
      request.targetIds = std::move(targetIds);
      request.changesBlocks = true;
      transfer = openReplicated(exchange, self.control, *self.device, request, nowNs() + kMinuteNs);
    }
    const MeasuredPhases measured = transfer->measure(GateRef(gate), {0, 1, false}, self.control);
    EXPECT(!measured.stopped && measured.phases.back().timesUs.size() == 1, "a sample");
    const CheckReport report = self.target->check(held, kCheckAllWords, self.control);
    EXPECT(report.checked > 0 && report.wrong == 0, "rank %u of %u, %u blocks: %llu words wrong, first %s",
           exchange.rank(), tested.ranks, count, static_cast<unsigned long long>(report.wrong),
           report.firstBad.c_str());
  }
  transfer->close(&exchange, nowNs() + kMinuteNs);
  return 0;
}

int takingBlocks() {
  for (const Tier source : {Tier::kDevice, Tier::kHost, Tier::kDisk}) {
    for (const ReplicatedStrategy strategy : {ReplicatedStrategy::kIpc, ReplicatedStrategy::kAuto}) {
      for (const uint64_t chunkBytes : {uint64_t{0}, uint64_t{64} << 10}) {
        const Case tested{.ranks = 3,
                          .root = 1,
                          .source = source,
                          .shape = strategy == ReplicatedStrategy::kIpc ? kShort : kLong,
                          .chunkBytes = chunkBytes,
                          .numBlocks = kBlocks,
                          .strategy = strategy};
        for (const RankOutcome& outcome :
             runRanks(tested.ranks, [&](HubExchange& hub) { return takeAndCheck(hub, tested); })) {
          EXPECT(outcome.exitStatus == 0, "source %s, %s, chunks of %llu: exit %d", tierName(source),
                 replicatedStrategyName(strategy), static_cast<unsigned long long>(chunkBytes),
                 outcome.exitStatus);
        }
      }
    }
  }
  return 0;
}

// The root's own error is kIo; the others stop waiting and name it.
int failingLoad() {
  Case tested{.ranks = 3, .root = 1, .source = Tier::kHost};
  tested.faults.add({FaultKind::kFailLoad, 3});
  const auto outcomes = runRanks(3, [&](HubExchange& exchange) {
    Case own = tested;
    if (static_cast<int>(exchange.rank()) != own.root) own.faults = {};
    ReplicatedRank self(exchange, deviceOf(exchange), own);
    HubGate gate(exchange);
    const auto transfer =
        openReplicated(exchange, self.control, *self.device, self.request(), nowNs() + kMinuteNs);
    int status = 3;
    try {
      transfer->measure(GateRef(gate), {0, 6, true}, self.control);
    } catch (const Error& error) {
      const bool isNamed = std::string(error.what()).find("rank 1 failed its load") != std::string::npos;
      const bool isRight =
          self.isRoot ? error.code() == ErrorCode::kIo : error.code() == ErrorCode::kAborted && isNamed;
      if (!isRight) std::fprintf(stderr, "rank %u: %s\n", exchange.rank(), error.what());
      status = isRight ? 0 : 4;
    }
    transfer->close(nullptr, 0);
    return status;
  });
  for (const RankOutcome& outcome : outcomes) EXPECT(outcome.exitStatus == 0, "exit %d", outcome.exitStatus);
  return 0;
}

// A rank in the middle of the chain is killed: the others end by the abort word, and their GPUs run empty.
int killedRelay() {
  Case tested{.ranks = 4, .root = 0, .chunkBytes = 1 << 20};
  const auto outcomes = runRanks(4, [&](HubExchange& exchange) {
    Case own = tested;
    if (exchange.rank() == 1) own.faults.add({FaultKind::kDieInGroup, 1});
    ReplicatedRank self(exchange, deviceOf(exchange), own);
    const auto transfer =
        openReplicated(exchange, self.control, *self.device, self.request(), nowNs() + kMinuteNs);
    SoloGate gate;  // the hub is gone with the rank
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::seconds(3));
      self.control.abort.store(static_cast<uint32_t>(AbortReason::kPeerFailed));
    });
    int status = 3;
    try {
      transfer->measure(GateRef(gate), {0, 6, true}, self.control);
    } catch (const Error& error) {
      status = error.code() == ErrorCode::kAborted ? 0 : 4;
    }
    stopper.join();
    const int64_t start = nowNs();
    transfer->close(nullptr, 0);
    EXPECT(nowNs() - start < kMinuteNs, "close");
    return status;
  });
  for (size_t rank = 0; rank < outcomes.size(); ++rank) {
    const int expected = rank == 1 ? 128 + SIGKILL : 0;
    EXPECT(outcomes[rank].exitStatus == expected, "rank %zu: exit %d", rank, outcomes[rank].exitStatus);
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner::test;
  if (argc > 2) numGpus = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  return runCaseByName({{"every-source", everySource},
                        {"few-blocks", fewBlocks},
                        {"equal-repeats", equalRepeats},
                        {"many-steps", manySteps},
                        {"changing-blocks", changingBlocks},
                        {"taking-blocks", takingBlocks},
                        {"failing-load", failingLoad},
                        {"killed-relay", killedRelay}},
                       argc, argv);
}
