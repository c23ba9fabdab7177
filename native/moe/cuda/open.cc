#include "moe/cuda/open.h"

#include <string>

#include "moe/cuda/bench.h"
#include "moe/cuda/launch.h"

namespace railrunner::moe::cuda {

void requireRunnable(const BenchOptions& options, Device& device) {
  if (!options.nodeOfRank.empty()) {
    throw Error(ErrorCode::kUnsupportedHere,
                "dedup node on cuda: nodes are reached over the network, which cuda does not use yet. Use "
                "dedup on, or device host.");
  }
  for (uint32_t peer = 0; peer < options.overNetwork.size(); ++peer) {
    if (options.overNetwork[peer] == 0) continue;
    throw Error(
        ErrorCode::kUnsupportedHere,
        "dispatch and combine on cuda reach peers by NVLink or PCIe of one node, and rank " +
            std::to_string(peer) +
            " is to be reached over the network. Use transport ipc with ranks of one node, or device host.");
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

std::unique_ptr<Bench> makeBench(const BenchOptions& options, Routing routing, RunControl& control,
                                 uint32_t rank, Device& device, std::unique_ptr<SymmetricBuffer> buffer) {
  const int ordinal = device.properties().ordinal;
  railrunner::cuda::makeCurrent(ordinal);
  return std::make_unique<CudaBench>(options, std::move(routing), control, rank, ordinal,
                                     launchShape(options.shape), std::move(buffer));
}

}  // namespace railrunner::moe::cuda
