#include "moe/cuda/low_latency/open.h"

#include <string>

#include "moe/cuda/low_latency/bench.h"
#include "moe/cuda/low_latency/launch.h"

namespace railrunner::moe::cuda {

void requireRunnable(const BenchOptions& options, Device& device) {
  if (options.shape.worldSize > kMaxRanks) {
    throw Error(ErrorCode::kUnsupportedHere, "dispatch and combine on cuda: expected at most " +
                                                 std::to_string(kMaxRanks) + " ranks, received " +
                                                 std::to_string(options.shape.worldSize));
  }
  if (options.shape.zeroCopy && options.shape.dedup &&
      options.shape.outputLayout == OutputLayout::kExpertMajor) {
    throw Error(ErrorCode::kUnsupportedHere,
                "zeroCopy of expertMajor outputs on cuda: expected dedup off, received on");
  }
  const Rails rails(0, options.shape.worldSize, options.nodeOfRank);
  if (rails.forwards() && !options.shape.dedup) {
    throw Error(ErrorCode::kArgument, "MoE exchange: forwarding between nodes needs dedup");
  }
  if (rails.forwards() && rails.ranksPerNode() > kMaxForwardedRanks) {
    throw Error(ErrorCode::kUnsupportedHere,
                "dedup node on cuda: expected at most " + std::to_string(kMaxForwardedRanks) +
                    " ranks per node, received " + std::to_string(rails.ranksPerNode()) + ". Use dedup on.");
  }
  if (options.numProxies > kMaxSlots) {
    throw Error(ErrorCode::kArgument, "numProxies: expected at most " + std::to_string(kMaxSlots) +
                                          ", received " + std::to_string(options.numProxies));
  }
  railrunner::cuda::makeCurrent(device.ordinal());
  prepareKernels();
  static_cast<void>(launchShape(options.shape));
}

uint32_t networkSlots(const BenchOptions& options) { return options.numProxies; }

BufferMap mapOf(const BenchOptions& options) {
  const Rails rails(0, options.shape.worldSize, options.nodeOfRank);
  return bufferMap(options.shape, slicesOf(options.shape), rails.forwards() ? rails.ranksPerNode() : 1);
}

std::shared_ptr<NetworkBlocks> makeNetworkBlocks(const BenchOptions& options, const NetworkRelation& relation,
                                                 uint32_t rank, Device& device) {
  railrunner::cuda::makeCurrent(device.ordinal());
  // Where nodes forward, only ranks of equal place send to each other between them.
  const Rails rails(rank, options.shape.worldSize, options.nodeOfRank);
  NetworkRelation sends = relation;
  for (uint32_t from = 0; from < sends.size(); ++from) {
    for (uint32_t to = 0; rails.forwards() && to < sends.size(); ++to) {
      if (rails.placeOf(from) != rails.placeOf(to)) sends[from][to] = 0;
    }
  }
  return std::make_shared<NetworkBlocks>(mapOf(options), sends, rank, options.numProxies);
}

std::unique_ptr<Bench> makeBench(const BenchOptions& options, Routing routing, RunControl& control,
                                 uint32_t rank, Device& device, std::shared_ptr<PeerLinks> links,
                                 std::shared_ptr<NetworkBlocks> blocks) {
  const int ordinal = device.ordinal();
  railrunner::cuda::makeCurrent(ordinal);
  return std::make_unique<CudaBench>(options, std::move(routing), control, rank, ordinal,
                                     launchShape(options.shape), std::move(links), std::move(blocks));
}

}  // namespace railrunner::moe::cuda
