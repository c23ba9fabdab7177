// Ranks as threads, made for ThreadSanitizer: the strategies of replicated mode on the host device, whose order is made by
// words in shared memory alone. Arguments: how many transfers (20), and "wordsApart": each rank maps the others' words at an
// address of its own, so that ThreadSanitizer sees no order between a rank that stores blocks and one that takes them,
// which it must report.
#include <cstring>
#include <string>

#include "core/clock.h"
#include "test/replicated/replicated_rank.h"
#include "test/replicated/thread_ranks.h"
#include "test/support/expect.h"
#include "test/support/hub_gate.h"

namespace railrunner::test {
namespace {

constexpr uint32_t kRanks = 4;
constexpr uint32_t kIterations = 25;
// Words of a step are 64 bytes; a pool is far larger.
constexpr uint64_t kWordBytes = 64 << 10;

void moveAndCheck(ThreadExchange& exchange, Allocations& allocations, const Case& tested, bool wordsApart) {
  auto device = std::make_unique<ThreadDevice>(allocations, wordsApart ? kWordBytes : 0);
  ReplicatedRank self(exchange, std::move(device), tested);
  HubGate gate(exchange);
  const auto transfer =
      openReplicated(exchange, self.control, *self.device, self.request(), nowNs() + kMinuteNs);
  const MeasuredPhases measured =
      transfer->measure(GateRef(gate), {2, kIterations, tested.freeRunning}, self.control);
  transfer->close(&exchange, nowNs() + kMinuteNs);
  EXPECT(!measured.stopped && measured.phases.back().timesUs.size() == kIterations, "all samples");
  const CheckReport report = self.target->check(self.content(self.targetIds), kCheckAllWords, self.control);
  EXPECT(report.checked > 0 && report.wrong == 0, "rank %u: %llu of %llu words wrong, first %s",
         exchange.rank(), static_cast<unsigned long long>(report.wrong),
         static_cast<unsigned long long>(report.checked), report.firstBad.c_str());
  exchange.allgather({}, 0);  // others may still look at this rank's words
}

void repeat(uint32_t round, bool wordsApart) {
  constexpr ReplicatedStrategy strategies[] = {ReplicatedStrategy::kIpc, ReplicatedStrategy::kPipelined,
                                               ReplicatedStrategy::kIpc,
                                               ReplicatedStrategy::kScatterAllgather};
  const Case tested{.ranks = kRanks,
                    .root = static_cast<int>(round % kRanks),
                    .source = round % 2 == 0 ? Tier::kHost : Tier::kDevice,
                    .shape = kShort,
                    .chunkBytes = 16 << 10,
                    .numBlocks = 19 - round % 7,
                    .firstBlock = round,
                    .freeRunning = round % 3 != 0,
                    .strategy = strategies[round / 2 % 4]};
  Allocations allocations;
  const auto faults = runThreads(
      kRanks, [&](ThreadExchange& exchange) { moveAndCheck(exchange, allocations, tested, wordsApart); });
  for (const std::string& fault : faults) EXPECT(fault.empty(), "round %u: %s", round, fault.c_str());
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  const uint32_t rounds = argc > 1 ? static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)) : 20;
  const bool wordsApart = argc > 2 && std::strcmp(argv[2], "wordsApart") == 0;
  for (uint32_t round = 0; round < rounds; ++round) railrunner::test::repeat(round, wordsApart);
  std::printf("%u transfers on %u threads, all words right\n", rounds, railrunner::test::kRanks);
  return 0;
}
