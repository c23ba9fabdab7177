// links: core/error.cc moe/shape.cc moe/rails.cc moe/token_batch.cc moe/low_latency/call_sequence.cc network/without_ucx.cc
// links: moe/host/low_latency/combine.cc moe/host/low_latency/dispatch.cc moe/host/low_latency/exchange.cc moe/host/low_latency/forward.cc moe/host/rows.cc
#include <cstring>

#include "test/moe/moe_reference.h"

// usage: moe_stress_test [iterations] [missingRelease]
//
// Ranks as threads through many calls: changing token counts, skewed routing, dispatches that nobody combines
// (so both parities meet both operations), two results alive. Every payload and sum is exact. Under
// ThreadSanitizer it proves the ordering of payloads and signals; `missingRelease` plants a relaxed signal,
// which ThreadSanitizer must report.
namespace railrunner::moe::test {
namespace {

struct Rank {
  explicit Rank(const Shape& s)
      : a(s),
        b(s),
        y(s.resultRows() * s.bf16RowBytes()),
        out(s.maxDispatchTokensPerRank * s.bf16RowBytes()) {}
  ResultMemory a, b;
  Memory y, out;
};

void combine(Ranks& ranks, Rank& mine, uint32_t rank, DispatchResult& result,
             const std::vector<Tokens>& all) {
  HostExchange& exchange = ranks.exchange(rank);
  const Shape& s = exchange.shape();
  uint16_t* y = s.zeroCopy ? exchange.combineInput() : reinterpret_cast<uint16_t*>(mine.y.data);
  auto* out = reinterpret_cast<uint16_t*>(mine.out.data);
  runExperts(s, rank, result, y);
  exchange.combineSend(y, all[rank].view(), result);
  exchange.combineReceive(out);
  std::vector<float> x(s.paddedHidden());
  for (uint32_t token = 0; token < all[rank].numTokens; ++token) {
    const uint64_t at = static_cast<uint64_t>(token) * s.paddedHidden();
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) x[c] = toFloat(all[rank].x[at + c]);
    const std::vector<uint16_t> expected = combinedRow(s, all[rank], token, x, rank, ranks.nodeOfRank());
    CHECK(std::memcmp(out + at, expected.data(), s.bf16RowBytes()) == 0, "rank %u token %u combined wrongly",
          rank, token);
  }
}

void stress(const Shape& shape, const std::vector<uint32_t>& nodes, uint32_t iterations,
            bool missingRelease) {
  std::vector<TestSeam> seams(shape.worldSize);
  seams[1].publishWithoutRelease = missingRelease;
  Ranks ranks(shape, seams, nodes);
  std::vector<std::unique_ptr<Rank>> memory;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) memory.push_back(std::make_unique<Rank>(shape));
  const auto faults = ranks.run([&](uint32_t rank) {
    HostExchange& exchange = ranks.exchange(rank);
    Rank& mine = *memory[rank];
    for (uint32_t i = 0; i < iterations; ++i) {
      std::vector<Tokens> first, second;
      for (uint32_t source = 0; source < shape.worldSize; ++source) {
        first.emplace_back(shape, 3, 2 * i, source, i % 3 == 0);
        second.emplace_back(shape, 3, 2 * i + 1, source, i % 3 == 1);
      }
      exchange.dispatchSend(first[rank].view());
      exchange.dispatchReceive(mine.a.view);
      checkDispatch(shape, rank, mine.a.view, first);
      if (i % 4 == 1) {
        exchange.discard(mine.a.view);
        continue;
      }
      if (i % 4 == 2) {  // two alive, combined in the other order
        exchange.dispatchSend(second[rank].view());
        exchange.dispatchReceive(mine.b.view);
        checkDispatch(shape, rank, mine.b.view, second);
        combine(ranks, mine, rank, mine.b.view, second);
      }
      combine(ranks, mine, rank, mine.a.view, first);
    }
  });
  for (const std::string& fault : faults) CHECK(fault.empty(), "%s", fault.c_str());
}

}  // namespace
}  // namespace railrunner::moe::test

int main(int argc, char** argv) {
  using namespace railrunner::moe;
  using namespace railrunner::moe::test;
  const uint32_t iterations = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 10'000;
  const bool missingRelease = argc > 2 && std::strcmp(argv[2], "missingRelease") == 0;
  Shape s;
  s.worldSize = 4, s.numExperts = 8, s.numTopk = 3, s.hidden = 128, s.maxDispatchTokensPerRank = 3;
  const std::vector<uint32_t> nodes = {0, 0, 1, 1};
  for (const bool zeroCopy : {false, true}) {
    for (const std::string dedup : {"on", "off", "node"}) {
      s.dedup = dedup != "off", s.zeroCopy = zeroCopy;
      stress(s, dedup == "node" ? nodes : std::vector<uint32_t>{}, iterations / 2, missingRelease);
      std::printf("dedup %s%s: %u iterations, %d failures\n", dedup.c_str(), zeroCopy ? ", zeroCopy" : "",
                  iterations / 2, failures);
    }
  }
  return failures == 0 ? 0 : 1;
}
