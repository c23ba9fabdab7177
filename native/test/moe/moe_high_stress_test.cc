// links: core/error.cc moe/shape.cc moe/rails.cc moe/token_batch.cc moe/high_throughput/layout.cc moe/high_throughput/options.cc network/without_ucx.cc
// links: moe/host/high_throughput/combine.cc moe/host/high_throughput/dispatch.cc moe/host/high_throughput/exchange.cc moe/host/high_throughput/places.cc moe/host/high_throughput/publish.cc moe/host/high_throughput/received.cc moe/host/rows.cc
#include <cstring>

#include "test/moe/moe_high_ranks.h"

// usage: moe_high_stress_test [iterations] [missingRelease]
//
// Ranks as threads through many calls of high throughput: counts that change with each call, skewed routing, every
// fourth layout used again. Every number, row and sum is exact. Under ThreadSanitizer it proves the ordering of rows
// and words; `missingRelease` plants a relaxed word, which ThreadSanitizer must report.
namespace railrunner::moe::test {
namespace {

void stress(const Shape& shape, const ht::Options& options, uint32_t iterations, bool missingRelease) {
  std::vector<TestSeam> seams(shape.worldSize);
  seams[1].publishWithoutRelease = missingRelease;
  HighRanks ranks(shape, options,
                  std::vector<ht::Capacity>(shape.worldSize, ht::worstCaseCapacity(shape, options)), seams);
  std::vector<std::unique_ptr<HighRank>> memory;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
    memory.push_back(std::make_unique<HighRank>(shape, ranks.capacity(rank)));
  }
  const auto faults = ranks.run([&](uint32_t rank) {
    ht::HostExchange& exchange = ranks.exchange(rank);
    HighRank& mine = *memory[rank];
    for (uint32_t i = 0; i < iterations; ++i) {
      std::vector<Tokens> all;
      for (uint32_t source = 0; source < shape.worldSize; ++source) {
        all.emplace_back(shape, 3, i, source, i % 3 == 0);
      }
      fill(exchange, all[rank]);
      exchange.dispatch(all[rank].numTokens, digestOf(shape, all[rank]), mine.received.view(), mine.handle);
      checkReceived(shape, options.expertAlignment, rank, mine.received.view(), all);
      combineAndCheck(exchange, rank, mine, all[rank]);
      if (i % 4 != 1) continue;
      // Other tokens by the same routing.
      for (Tokens& tokens : all) std::rotate(tokens.x.begin(), tokens.x.begin() + 1, tokens.x.end());
      fill(exchange, all[rank]);
      exchange.dispatchAgain(all[rank].numTokens, digestOf(shape, all[rank]), mine.received.view(),
                             mine.handle);
      checkReceived(shape, options.expertAlignment, rank, mine.received.view(), all);
      combineAndCheck(exchange, rank, mine, all[rank]);
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
  s.worldSize = 4, s.numExperts = 8, s.numTopk = 3, s.hidden = 128, s.maxDispatchTokensPerRank = 5;
  ht::Options options;
  options.receive = ht::Receive::kWorstCase;
  for (const ht::Strategy strategy : {ht::Strategy::kSparse, ht::Strategy::kAllGather}) {
    options.strategy = strategy;
    options.expertAlignment = strategy == ht::Strategy::kSparse ? 1 : 4;
    stress(s, options, iterations / 2, missingRelease);
    std::printf("strategy %u: %u iterations, %d failures\n", static_cast<uint32_t>(strategy), iterations / 2,
                failures);
  }
  return failures == 0 ? 0 : 1;
}
