// `moe_high_network_test hybrid|network|forward [planted|cut|equal|calls N]`: without more, counts change from call to call,
// every fourth layout is used again, every number, row and sum is compared with the reference, 40 calls or N. `equal`: the
// same call 20 times, whose rows and sums have equal bits. `planted` publishes words though payloads are missing, which
// must be caught; `cut`: rank 3 loses its links in the middle of the calls. Refusals are in moe_high_refusals_test.
#include "test/moe/moe_high_nodes.h"
#include "test/support/cut_links.h"

namespace railrunner::moe::test {
namespace {

constexpr uint32_t kCalls = 40;
constexpr uint32_t kRepeats = 20;
constexpr uint32_t kCutAt = 7;
constexpr unsigned kMostSeconds = 3600;

struct Setting {
  uint32_t calls = kCalls;
  bool cut = false;
  bool equal = false;
};

void exchangeOnce(const NodesPoint& point, NodeRank& rank, uint32_t call) {
  std::vector<Tokens> all = point.tokensOf(call);
  rank.dispatch(all);
  rank.combine(all);
  if (call % 4 != 1) return;
  for (Tokens& tokens : all) std::rotate(tokens.x.begin(), tokens.x.begin() + 1, tokens.x.end());
  rank.dispatchAgain(all, rank.mine().handle);
  rank.combine(all);
}

void exchangeEqual(const NodesPoint& point, NodeRank& rank) {
  const std::vector<Tokens> all = point.tokensOf(2);
  std::vector<uint8_t> rows;
  std::vector<uint16_t> sums;
  for (uint32_t repeat = 0; repeat < kRepeats && failures == 0; ++repeat) {
    rank.dispatch(all);
    const ht::ReceivedRows& view = rank.mine().received.view();
    const auto used = static_cast<uint64_t>(view.expertBegin[point.shape.numLocalExperts()]);
    const std::vector<uint8_t> came(view.x, view.x + used * point.shape.payloadRowBytes());
    rank.combine(all);
    if (repeat == 0) rows = came, sums = rank.mine().out;
    CHECK(!came.empty() && came == rows && rank.mine().out == sums, "rank %u repeat %u differs", rank.rank(),
          repeat);
  }
}

// Whether `said` names one of the ranks as missed.
bool namesAny(const std::string& said) {
  for (uint32_t missed = 0; missed < kRanks; ++missed) {
    const std::string number = " rank " + std::to_string(missed);
    if (said.find("waiting for" + number) != std::string::npos) return true;
    if (said.find("to" + number) != std::string::npos) return true;
  }
  return false;
}

void runRank(const NodesPoint& point, const Setting& setting, NodeRank& rank, const SharedMemory& shared) {
  const AbortWatch watch(shared, rank.control());
  const std::string said = NodeRank::refusalOf([&] {
    if (setting.equal) return exchangeEqual(point, rank);
    for (uint32_t call = 0; call < setting.calls && failures == 0; ++call) {
      if (setting.cut && rank.rank() == 3 && call == kCutAt) railrunner::test::cutLinks();
      exchangeOnce(point, rank, call);
    }
  });
  if (!said.empty() || failures != 0) shared.failed->store(1);
  if (setting.cut) {
    // One that lost no link waits for a rank that did.
    CHECK(namesAny(said), "rank %u said: %s", rank.rank(), said.c_str());
    std::printf("rank %u: %s\n", rank.rank(), said.c_str());
  } else {
    CHECK(said.empty(), "rank %u: %s", rank.rank(), said.c_str());
  }
}

}  // namespace
}  // namespace railrunner::moe::test

int main(int argc, char** argv) {
  using namespace railrunner::moe::test;
  NodesPoint point;
  Setting setting;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    point.forward = point.forward || word == "forward";
    point.network = point.network || word == "network";
    point.planted = point.planted || word == "planted";
    setting.cut = setting.cut || word == "cut";
    setting.equal = setting.equal || word == "equal";
    if (word == "calls" && i + 1 < argc) setting.calls = static_cast<uint32_t>(std::atoi(argv[i + 1]));
  }
  uint32_t failed = 0;
  for (const ht::Strategy strategy : {ht::Strategy::kSparse, ht::Strategy::kAllGather}) {
    point.options.strategy = strategy;
    const uint32_t ranks = numFailedOf(
        point, [&](NodeRank& rank, const SharedMemory& shared) { runRank(point, setting, rank, shared); },
        setting.calls > kCalls ? kMostSeconds : 140);
    std::printf("%s: %u of %u ranks failed\n", strategy == ht::Strategy::kSparse ? "sparse" : "allGather",
                ranks, kRanks);
    failed += ranks;
  }
  return failed == 0 ? 0 : 1;
}
