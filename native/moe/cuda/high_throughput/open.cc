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
  for (uint32_t peer = 0; peer < options.overNetwork.size(); ++peer) {
    if (options.overNetwork[peer] == 0) continue;
    throw Error(
        ErrorCode::kUnsupportedHere,
        "highThroughput on cuda: rank " + std::to_string(peer) +
            " is reached over the network, expected GPUs that share memory. Use algorithm lowLatency, or "
            "ranks of one node.");
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
  return symmetricMap(options.shape, most, strategy,
                      {strategy == Strategy::kSparse && isRankMajor, !isRankMajor});
}

std::unique_ptr<Bench> makeBench(const BenchOptions& options, const std::vector<Capacity>& capacities,
                                 Routing routing, RunControl& control, uint32_t rank, Device& device,
                                 std::shared_ptr<PeerLinks> links) {
  railrunner::cuda::makeCurrent(device.ordinal());
  return std::make_unique<CudaBench>(options, capacities, std::move(routing), control, rank, device.ordinal(),
                                     std::move(links));
}

}  // namespace railrunner::moe::cuda::high_throughput
