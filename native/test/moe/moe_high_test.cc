#include <cstring>

#include "test/moe/moe_high_ranks.h"

// usage: moe_high_test
//
// High throughput with ranks as threads: what is refused, and in which words; equal results of equal calls; bad input
// that another rank left in its memory.
namespace railrunner::moe::test {
namespace {

Shape smallShape() {
  Shape s;
  s.worldSize = 4, s.numExperts = 8, s.numTopk = 3, s.hidden = 128, s.maxDispatchTokensPerRank = 6;
  return s;
}

// Some for every rank.
std::vector<Tokens> tokensOf(const Shape& s, uint64_t seed) {
  for (uint32_t call = 1;; ++call) {
    std::vector<Tokens> all;
    for (uint32_t source = 0; source < s.worldSize; ++source) all.emplace_back(s, seed, call, source, false);
    if (std::all_of(all.begin(), all.end(), [](const Tokens& own) { return own.numTokens > 0; })) return all;
  }
}

struct Scene {
  explicit Scene(const ht::Options& options = {}, std::vector<ht::Capacity> capacities = {})
      : shape(smallShape()),
        ranks(shape, options,
              capacities.empty() ? std::vector<ht::Capacity>(4, ht::worstCaseCapacity(shape, options))
                                 : capacities) {
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      memory.push_back(std::make_unique<HighRank>(shape, ranks.capacity(rank)));
    }
  }
  void dispatch(uint32_t rank, const std::vector<Tokens>& all) {
    fill(ranks.exchange(rank), all[rank]);
    ranks.exchange(rank).dispatch(all[rank].numTokens, digestOf(shape, all[rank]),
                                  memory[rank]->received.view(), memory[rank]->handle);
  }
  void dispatchAgain(uint32_t rank, const Tokens& own, const ht::Handle& handle) {
    ranks.exchange(rank).dispatchAgain(own.numTokens, digestOf(shape, own), memory[rank]->received.view(),
                                       handle);
  }
  const Shape shape;
  HighRanks ranks;
  std::vector<std::unique_ptr<HighRank>> memory;
};

bool says(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// The layout step against counts by hand: 2 ranks, 2 experts each.
void countsAreRight() {
  Shape s;
  s.worldSize = 2, s.numExperts = 4, s.numTopk = 2, s.hidden = 128, s.maxDispatchTokensPerRank = 4;
  const std::vector<int32_t> ids = {0, 1, 3, -1, -1, -1, 2, 0};
  const ht::SourceCounts counts = ht::countRouting(s, ids, {});
  CHECK(counts.tokensTo == (std::vector<uint32_t>{2, 2}), "tokens of ranks");
  CHECK(counts.tokensToNode == (std::vector<uint32_t>{3}), "tokens of the node");
  CHECK(counts.rowsOfExpert == (std::vector<uint32_t>{2, 1, 1, 1}), "rows of experts");
  CHECK(ht::countRouting(s, ids, std::vector<uint32_t>{0, 1}).tokensToNode == (std::vector<uint32_t>{2, 2}),
        "of nodes");
  CHECK(ht::tokenInRank(s, ids) == (std::vector<uint8_t>{1, 0, 0, 1, 0, 0, 1, 1}), "token in rank");
  ht::Options aligned;
  aligned.expertAlignment = 8;
  const ht::ReceiveNeed need = ht::needOf(s, aligned, std::vector<ht::SourceCounts>{counts, counts}, 0);
  CHECK(need.tokens == 4 && need.rows == 16, "4 tokens, 4 and 2 rows in steps of 8: %llu",
        static_cast<unsigned long long>(need.rows));
}

// Those that jobs/dispatch-combine computes for plans (high-oracle.test.ts).
void sizesAreGolden() {
  Shape s;
  s.worldSize = 2, s.numExperts = 4, s.numTopk = 2, s.hidden = 128, s.maxDispatchTokensPerRank = 4;
  CHECK(ht::BufferLayout(s, 2, 0).totalBytes == 2176, "one block and two partial sums");
  CHECK(ht::BufferLayout(s, 2, 1).totalBytes == 4864, "and an inbox, with sums that come back");
}

void equalCallsAreEqual() {
  Scene scene;
  const auto all = tokensOf(scene.shape, 1);
  const auto faults = scene.ranks.run([&](uint32_t rank) {
    HighRank& mine = *scene.memory[rank];
    std::vector<uint8_t> first;
    std::vector<uint16_t> combined;
    for (uint32_t repeat = 0; repeat < 20; ++repeat) {
      scene.dispatch(rank, all);
      const uint8_t* x = mine.received.view().x;
      const std::vector<uint8_t> rows(
          x, x + static_cast<uint64_t>(mine.received.view().expertBegin[2]) * scene.shape.payloadRowBytes());
      combineAndCheck(scene.ranks.exchange(rank), rank, mine, all[rank]);
      if (repeat == 0) first = rows, combined = mine.out;
      CHECK(rows == first && mine.out == combined, "rank %u repeat %u differs", rank, repeat);
    }
  });
  for (const std::string& fault : faults) CHECK(fault.empty(), "%s", fault.c_str());
}

void overflowIsRefusedByAll() {
  ht::Options options;
  options.receive = ht::Receive::kFixed;
  options.fixedRows = 3;
  std::vector<ht::Capacity> capacities(4, ht::worstCaseCapacity(smallShape(), options));
  capacities[2].rows = 3;
  Scene scene(options, capacities);
  const auto all = tokensOf(scene.shape, 1);
  for (const auto& memory : scene.memory)
    std::memset(memory->received.view().x, 0x55, 3 * scene.shape.payloadRowBytes());
  const auto faults = scene.ranks.run([&](uint32_t rank) { scene.dispatch(rank, all); });
  for (uint32_t rank = 0; rank < 4; ++rank) {
    CHECK(says(faults[rank], "rank 2 would receive") && faults[rank] == faults[0], "%s",
          faults[rank].c_str());
    CHECK(scene.memory[rank]->received.view().x[0] == 0x55, "rank %u wrote", rank);
  }
}

void otherHandlesAreRefused() {
  Scene scene;
  const auto all = tokensOf(scene.shape, 1), other = tokensOf(scene.shape, 2);
  auto faults = scene.ranks.run([&](uint32_t rank) {
    scene.dispatch(rank, all);
    combineAndCheck(scene.ranks.exchange(rank), rank, *scene.memory[rank], all[rank]);
    scene.dispatchAgain(rank, other[rank], scene.memory[rank]->handle);
  });
  for (const std::string& fault : faults) CHECK(says(fault, "for another routing"), "%s", fault.c_str());
  // Nothing was sent: the calls go on as if it had not been asked for. Rank 3 then takes an older handle.
  std::vector<ht::Handle> old;
  for (const auto& memory : scene.memory) old.push_back(memory->handle);
  faults = scene.ranks.run([&](uint32_t rank) {
    HighRank& mine = *scene.memory[rank];
    scene.dispatch(rank, all);
    combineAndCheck(scene.ranks.exchange(rank), rank, mine, all[rank]);
    scene.dispatchAgain(rank, all[rank], rank == 3 ? old[rank] : mine.handle);
  });
  for (const std::string& fault : faults)
    CHECK(says(fault, "uses the layout of dispatch"), "%s", fault.c_str());
}

void callsAlternate() {
  Scene scene;
  const auto all = tokensOf(scene.shape, 1);
  const auto faults = scene.ranks.run([&](uint32_t rank) {
    scene.dispatch(rank, all);
    scene.dispatch(rank, all);
  });
  for (const std::string& fault : faults)
    CHECK(says(fault, "combine what was dispatched first"), "%s", fault.c_str());
}

// Rank 0 alone runs; the block of rank 1 holds what a broken rank would leave there.
void badMemoryIsRefused() {
  Shape s;
  s.worldSize = 2, s.numExperts = 2, s.numTopk = 1, s.hidden = 128, s.maxDispatchTokensPerRank = 4;
  struct Case {
    std::vector<uint32_t> header;  // tokens, tokens to each rank, rows of each expert
    int32_t id;
    const char* said;
  };
  const std::vector<Case> cases = {
      {{5, 1, 0, 1, 0}, 0, "announced 5 tokens, expected at most 4"},
      {{1, 2, 0, 1, 0}, 0, "more tokens for a rank or an expert"},
      {{1, 1, 0, 0x7fffffffU, 0}, 0, "more tokens for a rank or an expert"},
      {{2, 1, 0, 1, 0}, 0, "fewer tokens for this rank than its ids name"},
      {{1, 1, 0, 0, 1}, 0, "fewer rows of expert 0 than its ids name"},
      {{1, 1, 0, 1, 0}, 7, "more tokens or rows for this rank than its ids name"},
  };
  for (const Case& bad : cases) {
    ht::Options options;
    HighRanks ranks(s, options, std::vector<ht::Capacity>(2, ht::worstCaseCapacity(s, options)));
    HighRank mine(s, ranks.capacity(0));
    const ht::BlockLayout block(s);
    std::byte* theirs = ranks.buffer(1);
    std::memcpy(theirs + block.header, bad.header.data(), 4 * bad.header.size());
    for (uint32_t token = 0; token < 4; ++token) std::memcpy(theirs + block.ids + 4 * token, &bad.id, 4);
    const uint64_t word = (1ULL << 32) | 1;
    std::memcpy(theirs + block.counted, &word, 8);
    std::memcpy(theirs + block.ready, &word, 8);
    std::string said;
    try {
      ranks.exchange(0).dispatch(0, 0, mine.received.view(), mine.handle);
    } catch (const Error& error) {
      said = error.what();
    }
    CHECK(says(said, bad.said), "expected '%s', said '%s'", bad.said, said.c_str());
  }
}

void missingRankIsNamed() {
  Scene scene;
  const auto all = tokensOf(scene.shape, 1);
  const auto faults = scene.ranks.run([&](uint32_t rank) {
    if (rank == 2) {
      // The others' deadline passes while they wait for this one.
      while (scene.ranks.control(0).awaitedPeer.load() != 2) std::this_thread::yield();
      for (uint32_t other = 0; other < 4; ++other) scene.ranks.control(other).abort.store(1);
      return;
    }
    scene.dispatch(rank, all);
  });
  CHECK(says(faults[0], "stopped waiting for rank 2: its token counts did not arrive"), "%s",
        faults[0].c_str());
}

}  // namespace
}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe::test;
  countsAreRight();
  sizesAreGolden();
  equalCallsAreEqual();
  overflowIsRefusedByAll();
  otherHandlesAreRefused();
  callsAlternate();
  badMemoryIsRefused();
  missingRankIsNamed();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
