#include "moe/cuda/open.h"

#include <string>

#include "moe/cuda/bench.h"
#include "moe/cuda/launch.h"

namespace railrunner::moe::cuda {

void requireRunnable(const BenchOptions& options, Device& device) {
  if (!options.nodeOfRank.empty()) {
    throw Error(ErrorCode::kUnsupportedHere,
                "dedup node on cuda: a token crosses once a destination rank there, no rank forwards. Use "
                "dedup on, or device host.");
  }
  if (options.shape.worldSize > kMaxRanks) {
    throw Error(ErrorCode::kUnsupportedHere, "dispatch and combine on cuda: expected at most " +
                                                 std::to_string(kMaxRanks) + " ranks, received " +
                                                 std::to_string(options.shape.worldSize));
  }
  railrunner::cuda::makeCurrent(device.properties().ordinal);
  prepareKernels();
  static_cast<void>(launchShape(options.shape));
}

uint64_t symmetricBytes(const Shape& shape) { return bufferMap(shape, slicesOf(shape)).totalBytes; }

std::unique_ptr<NetworkBlocks> makeNetworkBlocks(const BenchOptions& options, const NetworkRelation& relation,
                                                 uint32_t rank, Device& device) {
  railrunner::cuda::makeCurrent(device.properties().ordinal);
  return std::make_unique<NetworkBlocks>(bufferMap(options.shape, slicesOf(options.shape)), relation, rank,
                                         options.numProxies);
}

std::unique_ptr<Bench> makeBench(const BenchOptions& options, Routing routing, RunControl& control,
                                 uint32_t rank, Device& device, std::unique_ptr<SymmetricBuffer> buffer,
                                 NetworkLink link) {
  const int ordinal = device.properties().ordinal;
  railrunner::cuda::makeCurrent(ordinal);
  return std::make_unique<CudaBench>(options, std::move(routing), control, rank, ordinal,
                                     launchShape(options.shape), std::move(buffer), std::move(link));
}

}  // namespace railrunner::moe::cuda
