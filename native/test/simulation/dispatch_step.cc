// Dispatch and combine of all ranks, through shared memory inside a node and over the network between nodes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/attempt.h"
#include "moe/bench.h"
#include "moe/host/content.h"
#include "moe/payload.h"
#include "test/simulation/heavy_steps.h"

namespace railrunner::simulation {

namespace {

constexpr uint32_t kSeed = 11;

moe::BenchOptions optionsOf(const RankEngine& engine, const PlannedStep& step) {
  Random random(step.seed);
  const WorldInfo& info = const_cast<RankEngine&>(engine).world().info();
  moe::BenchOptions options;
  moe::Shape& shape = options.shape;
  shape.worldSize = static_cast<uint32_t>(info.worldSize);
  shape.numExperts = shape.worldSize * static_cast<uint32_t>(random.between(1, 3));
  shape.numTopk = static_cast<uint32_t>(random.between(1, std::min<int64_t>(shape.numExperts, 4)));
  shape.hidden = static_cast<uint32_t>(random.between(1, 3)) * 100;
  shape.maxDispatchTokensPerRank = static_cast<uint32_t>(random.between(1, 9));
  options.seed = kSeed;
  options.numProxies = static_cast<uint32_t>(random.between(1, 2));
  options.split = random.chance(30);
  const bool isHigh = random.chance(50);
  shape.dedup = isHigh || random.chance(70);
  if (isHigh) {
    moe::high_throughput::Options high;
    high.strategy = random.chance(50) ? moe::high_throughput::Strategy::kSparse
                                      : moe::high_throughput::Strategy::kAllGather;
    high.expertAlignment = static_cast<uint32_t>(random.between(1, 4));
    high.receive =
        random.chance(50) ? moe::high_throughput::Receive::kExact : moe::high_throughput::Receive::kWorstCase;
    options.highThroughput = high;
  }
  std::map<int, int> sizes;
  for (const int node : info.nodeOfRank) ++sizes[node];
  const bool isEven =
      std::ranges::all_of(sizes, [&](const auto& each) { return each.second == info.localSize; });
  const bool isForwarded = isEven && !isHigh && shape.dedup && info.numNodes > 1 && random.chance(50);
  for (const int node : info.nodeOfRank) {
    options.overNetwork.push_back(node != info.node ? 1 : 0);
    if (isForwarded) options.nodeOfRank.push_back(static_cast<uint32_t>(node));
  }
  return options;
}

moe::Routing routingOf(const moe::Shape& shape, uint64_t seed, uint32_t rank) {
  Random random(seed ^ (uint64_t{rank} << 40));
  moe::Routing routing;
  routing.numTokens = static_cast<uint32_t>(random.below(shape.maxDispatchTokensPerRank + 1));
  for (uint32_t token = 0; token < routing.numTokens; ++token) {
    const auto first = static_cast<uint32_t>(random.below(shape.numExperts));
    for (uint32_t k = 0; k < shape.numTopk; ++k) {
      const bool isChosen = !random.chance(10);
      routing.topkIdx.push_back(isChosen ? static_cast<int32_t>((first + k) % shape.numExperts) : -1);
      routing.topkWeights.push_back(isChosen ? 0.125F * static_cast<float>(1 + random.below(8)) : 0.0F);
    }
  }
  return routing;
}

float floatOf(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Rows that each expert of this rank must have received; a rank-major or aligned layout has the same counts.
void checkCounts(const RankEngine& engine, const moe::Shape& shape, uint64_t seed,
                 const moe::BenchResults& results) {
  std::vector<int32_t> expected(shape.numLocalExperts());
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
    for (const int32_t expert : routingOf(shape, seed, rank).topkIdx) {
      const auto own = static_cast<uint32_t>(engine.rank());
      if (expert >= 0 && shape.rankOfExpert(static_cast<uint32_t>(expert)) == own)
        ++expected[static_cast<uint32_t>(expert) - own * shape.numLocalExperts()];
    }
  }
  expect(results.count == expected, engine, "a dispatch brought another number of rows");
}

void checkCombined(const RankEngine& engine, const moe::Shape& shape, const moe::Routing& routing,
                   const moe::BenchResults& results) {
  std::vector<uint16_t> row(shape.paddedHidden());
  for (uint32_t token = 0; token < routing.numTokens; ++token) {
    const uint32_t base = moe::tokenBase(kSeed, results.salt, static_cast<uint32_t>(engine.rank()), token);
    moe::host::fillTokenRow(row.data(), shape.hidden, base);
    float factor = 0;
    float magnitude = 0;
    for (uint32_t k = 0; k < shape.numTopk; ++k) {
      const int32_t expert = routing.topkIdx[static_cast<size_t>(token) * shape.numTopk + k];
      if (expert < 0) continue;
      const float part = routing.topkWeights[static_cast<size_t>(token) * shape.numTopk + k] *
                         moe::expertFactor(static_cast<uint32_t>(expert));
      factor += part;
      magnitude += std::fabs(part);
    }
    bool isRight = true;
    for (uint32_t c = 0; c < shape.hidden; ++c) {
      const float x = floatOf(row[c]);
      const float found = floatOf(results.combined[static_cast<size_t>(token) * shape.paddedHidden() + c]);
      isRight = isRight && std::fabs(found - factor * x) <= 0.02F * magnitude * std::fabs(x);
    }
    expect(isRight, engine, "token " + std::to_string(token) + " was combined wrongly");
  }
}

}  // namespace

void dispatchStep(RankEngine& engine, const PlannedStep& step) {
  const moe::BenchOptions options = optionsOf(engine, step);
  const moe::Routing routing = routingOf(options.shape, step.seed, static_cast<uint32_t>(engine.rank()));
  CountedExchange exchange(engine);
  CountedGate gate(engine);
  const std::unique_ptr<Device> device = openDevice(DeviceKind::kHost, 0);
  const auto bench = moe::openBench(exchange, *device, engine.control(), options, routing, 0);
  const MeasuredPhases measured = bench->measure({1, 2, false}, GateRef(gate));
  if (!measured.stopped) {
    const moe::BenchResults results = bench->results();
    checkCounts(engine, options.shape, step.seed, results);
    checkCombined(engine, options.shape, routing, results);
  }
  bench->close(&exchange, 0);
}

}  // namespace railrunner::simulation
