#include <atomic>
#include <chrono>
#include <functional>

#include "test/moe/moe_rounds.h"

// A token crosses once a destination node and is forwarded there: every format and shape of nodes against the
// reference, which knows no relays; relays that fall silent or flip a bit; worlds that cannot forward.
namespace railrunner::moe::test {
namespace {

using Nodes = std::vector<uint32_t>;

Shape shapeOf(uint32_t worldSize) {
  Shape s;
  s.worldSize = worldSize, s.numExperts = 4 * worldSize, s.numTopk = 4, s.hidden = 256,
  s.maxDispatchTokensPerRank = 24;
  return s;
}

void checkFormats() {
  const Nodes nodes = {0, 0, 1, 1};
  Shape s = shapeOf(4);
  check("2 x 2 bf16", s, 20, nodes);
  s.payload = DispatchDtype::kFp8E4m3;
  check("2 x 2 fp8", s, 20, nodes);
  s.outputLayout = OutputLayout::kRankMajor;
  s.zeroCopy = true;
  check("2 x 2 rank-major fp8 zero copy", s, 20, nodes);
  s.payload = DispatchDtype::kBf16;
  s.zeroCopy = false;
  check("2 x 2 rank-major bf16", s, 20, nodes);
  s.outputLayout = OutputLayout::kExpertMajor;
  s.hidden = 300;
  s.numTopk = 16;
  check("2 x 2 every expert, padded hidden", s, 10, nodes);
  s.numExperts = 64, s.numTopk = 32;
  check("2 x 2 top 32", s, 10, nodes);
  s = shapeOf(4);
  s.numExperts = 4, s.numTopk = 1;
  check("2 x 2 top-1, one expert per rank", s, 20, nodes);
}

void checkNodes() {
  check("ranks assigned to nodes round-robin", shapeOf(4), 20, {7, 3, 7, 3});
  check("nodes in no order", shapeOf(6), 20, {2, 0, 1, 1, 0, 2});
  check("3 x 2", shapeOf(6), 20, {0, 0, 1, 1, 2, 2});
  check("2 x 4", shapeOf(8), 20, {0, 0, 0, 0, 1, 1, 1, 1});
  check("4 x 2", shapeOf(8), 10, {0, 0, 1, 1, 2, 2, 3, 3});
  check("one node: as dedup on", shapeOf(4), 5, {0, 0, 0, 0});
  check("one rank per node: as dedup on", shapeOf(4), 5, {0, 1, 2, 3});
}

// Messages that cross between nodes, and bytes of all of this rank's: what forwarding is for.
void checkSaving() {
  Shape s = shapeOf(8);
  s.numTopk = 16;
  const Nodes nodes = {0, 0, 0, 0, 1, 1, 1, 1};
  uint64_t sent[2] = {0, 0};
  for (const bool forwards : {false, true}) {
    Ranks ranks(s, {}, forwards ? nodes : Nodes{});
    std::vector<std::unique_ptr<Buffers>> buffers;
    for (uint32_t rank = 0; rank < s.worldSize; ++rank) buffers.push_back(std::make_unique<Buffers>(s));
    std::vector<uint64_t> issued(s.worldSize);
    ranks.run([&](uint32_t rank) {
      const Tokens tokens(s, 5, 0, rank, false);
      ranks.exchange(rank).dispatchSend(tokens.view());
      issued[rank] = ranks.exchange(rank).bytes().ipc;
      ranks.exchange(rank).dispatchReceive(buffers[rank]->result.view);
    });
    for (const uint64_t bytes : issued) sent[forwards ? 1 : 0] += bytes;
  }
  // Nearly every token has experts everywhere: 7 messages to others without forwarding, 3 + 1 with it.
  CHECK(sent[1] * 10 < sent[0] * 6, "sent %lu bytes with forwarding, %lu without", sent[1], sent[0]);
  std::printf("saving: %lu of %lu bytes\n", sent[1], sent[0]);
}

struct Waiting {
  uint32_t rank;
  uint32_t awaited;
  const char* words;  // what it says when it is stopped
};

// Runs `call` on every rank, in which the ranks of `waits` cannot come to an end, stops them once each waits
// for the rank that it must, and looks at what they say. `call` takes a rank and what to do before that wait.
void checkWaits(
    const char* name, const std::vector<TestSeam>& seams, const std::vector<Waiting>& waits,
    const std::function<void(HostExchange&, Buffers&, const Tokens&, const std::function<void()>&)>& call) {
  const Shape s = shapeOf(4);
  Ranks ranks(s, seams, {0, 0, 1, 1});
  std::atomic<uint32_t> lastCalls = 0;
  std::thread deadline([&] {
    for (uint32_t tries = 0; tries < 60'000; ++tries) {
      bool all = lastCalls.load() == s.worldSize;
      for (const Waiting& wait : waits) {
        all = all && ranks.control(wait.rank).awaitedPeer.load() == static_cast<int32_t>(wait.awaited);
      }
      if (all) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (uint32_t rank = 0; rank < s.worldSize; ++rank) ranks.control(rank).abort.store(1);
  });
  const auto faults = ranks.run([&](uint32_t rank) {
    Buffers mine(s);
    call(ranks.exchange(rank), mine, Tokens(s, 7, 0, rank, false), [&] { ++lastCalls; });
  });
  deadline.join();
  for (const Waiting& wait : waits) {
    CHECK(faults[wait.rank].find(wait.words) != std::string::npos, "rank %u said: %s", wait.rank,
          faults[wait.rank].c_str());
    std::printf("%s: %s\n", name, faults[wait.rank].c_str());
  }
}

void combine(HostExchange& exchange, Buffers& mine, const Tokens& tokens, const std::function<void()>& last) {
  exchange.combineSend(reinterpret_cast<uint16_t*>(mine.ownY.data), tokens.view(), mine.result.view);
  last();
  exchange.combineReceive(reinterpret_cast<uint16_t*>(mine.out.data));
}

// Rank 1 falls silent. Its rail, rank 3, and its neighbour name it; rank 2 names rank 3, which cannot
// forward.
void checkSilentRelay() {
  std::vector<TestSeam> seams(4);
  seams[1].silentFromEpoch = 3;
  checkWaits(
      "silent relay", seams,
      {{0, 1, "dispatch (epoch 3): rank 0 stopped waiting for rank 1: "},
       {3, 1, "rank 3 stopped waiting for rank 1: its message count did not arrive"},
       {2, 3, "rank 2 stopped waiting for rank 3: the messages of rank 1, which it forwards, did not"}},
      [](HostExchange& exchange, Buffers& mine, const Tokens& tokens, const std::function<void()>& last) {
        exchange.dispatchSend(tokens.view());
        exchange.dispatchReceive(mine.result.view);
        combine(exchange, mine, tokens, [] {});
        exchange.dispatchSend(tokens.view());
        last();
        exchange.dispatchReceive(mine.result.view);
      });
}

// In combine: rank 2 sums for rank 0 and lacks what rank 3 makes of its tokens.
void checkSilentPartials() {
  std::vector<TestSeam> seams(4);
  seams[3].silentFromEpoch = 2;
  checkWaits(
      "silent in combine", seams,
      {{0, 2, "combine (epoch 2): rank 0 stopped waiting for rank 2: its rows did not arrive"},
       {1, 3, "rank 1 stopped waiting for rank 3: its rows did not arrive"},
       {2, 3, "rank 2 stopped waiting for rank 3: its partial sums for rank 0 did not arrive"}},
      [](HostExchange& exchange, Buffers& mine, const Tokens& tokens, const std::function<void()>& last) {
        exchange.dispatchSend(tokens.view());
        exchange.dispatchReceive(mine.result.view);
        combine(exchange, mine, tokens, last);
      });
}

// A relay that flips a bit of what it forwards: the tokens of another rank are wrong where they arrive.
void checkCorruptRelay() {
  const Shape s = shapeOf(4);
  std::vector<TestSeam> seams(s.worldSize);
  seams[2].corruptFromEpoch = 1;
  Ranks ranks(s, seams, {0, 0, 1, 1});
  std::vector<std::unique_ptr<Buffers>> buffers;
  std::vector<std::vector<Tokens>> all(s.worldSize);
  for (uint32_t rank = 0; rank < s.worldSize; ++rank) {
    buffers.push_back(std::make_unique<Buffers>(s));
    for (uint32_t source = 0; source < s.worldSize; ++source) all[rank].emplace_back(s, 11, 0, source, false);
  }
  ranks.run([&](uint32_t rank) {
    ranks.exchange(rank).dispatchSend(all[rank][rank].view());
    ranks.exchange(rank).dispatchReceive(buffers[rank]->result.view);
  });
  const DispatchResult& seen = buffers[3]->result.view;
  uint32_t flipped = 0;
  for (uint32_t expert = 0; expert < s.numLocalExperts(); ++expert) {
    const uint64_t range = seen.layoutRange[static_cast<uint64_t>(expert) * s.worldSize + 0];
    const uint64_t first = static_cast<uint64_t>(expert) * s.maxReceivedTokens() + (range >> 32);
    for (uint64_t row = first; row < first + static_cast<uint32_t>(range); ++row) {
      const uint64_t token = static_cast<uint64_t>(seen.sourceToken[row]);
      const uint16_t* sent = all[3][0].x.data() + token * s.paddedHidden();
      flipped += rowMatches(s, resultRow(s, seen, row), sent) ? 0 : 1;
    }
  }
  CHECK(flipped > 0, "the bit that rank 2 flipped in a token of rank 0 went unseen on rank 3");
  std::printf("corrupt relay: %u rows of rank 0 are wrong on rank 3\n", flipped);
}

void checkRefusals() {
  const auto refused = [](Shape s, const Nodes& nodes, const char* words) {
    try {
      Ranks ranks(s, {}, nodes);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(words) != std::string::npos, "%s", error.what());
      return;
    }
    CHECK(false, "not refused: %s", words);
  };
  refused(shapeOf(4), {0, 0, 0, 1}, "received 3 with rank 0 and 1 with rank 3");
  refused(shapeOf(4), {0, 0, 1}, "expected one node for each of 4 ranks, received 3");
  Shape s = shapeOf(4);
  s.dedup = false;
  refused(s, {0, 0, 1, 1}, "needs dedup");
}

}  // namespace
}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe::test;
  checkFormats();
  checkNodes();
  checkSaving();
  checkSilentRelay();
  checkSilentPartials();
  checkCorruptRelay();
  checkRefusals();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
