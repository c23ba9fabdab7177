#include "moe/cuda/high_throughput/open.h"

#include <algorithm>
#include <string>

#include "moe/cuda/high_throughput/bench.h"

namespace railrunner::moe::cuda::high_throughput {

void requireRunnable(const BenchOptions& options, Device& device) {
  const uint32_t worldSize = options.shape.worldSize;
  if (worldSize > kMaxPeers) {
    throw Error(ErrorCode::kUnsupportedHere, "highThroughput on cuda: expected at most " +
                                                 std::to_string(kMaxPeers) + " ranks, received " +
                                                 std::to_string(worldSize));
  }
  if (!options.nodeOfRank.empty()) {
    throw Error(
        ErrorCode::kUnsupportedHere,
        "highThroughput on cuda: tokens are not forwarded between nodes of GPUs. Use dedup on or auto.");
  }
  railrunner::cuda::makeCurrent(device.ordinal());
  prepareKernels();
  static_cast<void>(launchPlan(options.shape, options.highThroughput->numProcessors));
}

uint64_t symmetricBytes(const BenchOptions& options, const std::vector<Capacity>& capacities) {
  return mapOf(options, capacities).totalBytes;
}

SymmetricMap mapOf(const BenchOptions& options, const std::vector<Capacity>& capacities) {
  Capacity most;
  for (const Capacity& one : capacities) most.tokens = std::max(most.tokens, one.tokens);
  const Strategy strategy = options.highThroughput->strategy;
  const bool isRankMajor = options.shape.outputLayout == OutputLayout::kRankMajor;
  // Through mirrors rows and sums are read.
  const bool isNear = std::none_of(options.overNetwork.begin(), options.overNetwork.end(),
                                   [](uint8_t path) { return path != 0; });
  return symmetricMap(options.shape, most, strategy,
                      {isNear && strategy == Strategy::kSparse && isRankMajor, isNear && !isRankMajor});
}

std::shared_ptr<StagedPeers> makeStagedPeers(const BenchOptions& options,
                                             const std::vector<Capacity>& capacities,
                                             const NetworkRelation& relation, uint32_t rank, Device& device) {
  railrunner::cuda::makeCurrent(device.ordinal());
  return std::make_shared<StagedPeers>(options.shape, mapOf(options, capacities), relation, rank,
                                       options.numProxies);
}

std::unique_ptr<Bench> makeBench(const BenchOptions& options, const std::vector<Capacity>& capacities,
                                 Routing routing, RunControl& control, uint32_t rank, Device& device,
                                 std::shared_ptr<PeerLinks> links, std::shared_ptr<StagedPeers> staged) {
  railrunner::cuda::makeCurrent(device.ordinal());
  return std::make_unique<CudaBench>(options, capacities, std::move(routing), control, rank, device.ordinal(),
                                     std::move(links), std::move(staged));
}

}  // namespace railrunner::moe::cuda::high_throughput
