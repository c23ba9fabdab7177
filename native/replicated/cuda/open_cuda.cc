#include "replicated/cuda/open_cuda.h"

#include <algorithm>

#include "replicated/cuda/cuda_path.h"
#include "replicated/path_transfer.h"
#include "replicated/piece_plan.h"

namespace railrunner::cuda {

namespace {

// Each step on disk has a queue of its own.
constexpr uint32_t kMostDiskChunks = 8;
// A step of shares is over four times as fast as one of the root's; launching its collective takes about 0.2
// ms, in which the links move this much.
constexpr uint64_t kSharedChunkBytes = uint64_t{64} << 20;
constexpr uint64_t kLeastSharedChunks = 4;

uint32_t sharedChunksOf(const ReplicatedRequest& request, uint32_t chunks) {
  if (request.options.chunkBytes != 0) return chunks;
  const uint64_t wanted = std::max(payloadBytesOf(request) / kSharedChunkBytes, kLeastSharedChunks);
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, chunks));
}

uint32_t chunksOf(const ReplicatedRequest& request) {
  const uint32_t chunks =
      chooseNumChunks(payloadBytesOf(request), request.options.chunkBytes, leastChunkBytes(request));
  return request.sourceTier == Tier::kDisk ? std::min(chunks, kMostDiskChunks) : chunks;
}

}  // namespace

std::unique_ptr<ReplicatedTransfer> openCudaReplicated(Exchange& exchange, RunControl&, Device& device,
                                                       const ReplicatedRequest& request, int64_t deadlineNs) {
  if (request.strategy == ReplicatedStrategy::kIpc) {
    throw Error(ErrorCode::kUnsupportedHere, "strategy ipc is the host device's; on cuda use auto");
  }
  const ReplicatedTopology topology(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root);
  const bool isAuto = request.strategy == ReplicatedStrategy::kAuto;
  const bool canShare = request.sourceTier != Tier::kDisk && topology.rootNodeSize() > 1;
  const bool mapsSource = canShare && (isAuto || request.strategy == ReplicatedStrategy::kScatterAllgather);
  auto board = std::make_unique<CudaBoard>(exchange, device, request, mapsSource, deadlineNs);
  std::vector<std::unique_ptr<CudaPath>> paths;
  const auto compile = [&] {
    const uint32_t chunks = chunksOf(request);
    const auto add = [&](ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares) {
      paths.push_back(std::make_unique<CudaPath>(*board, strategy, numChunks, numShares));
    };
    if (isAuto || request.strategy == ReplicatedStrategy::kRootBroadcast) {
      add(ReplicatedStrategy::kRootBroadcast, 1, 1);
    }
    // What cannot be shared out is pipelined.
    if (isAuto || request.strategy == ReplicatedStrategy::kPipelined || !(mapsSource || !paths.empty())) {
      add(ReplicatedStrategy::kPipelined, chunks, 1);
    }
    if (mapsSource)
      add(ReplicatedStrategy::kScatterAllgather, sharedChunksOf(request, chunks), topology.rootNodeSize());
  };
  agreeOrClose(exchange, *board, deadlineNs, compile);
  return std::make_unique<PathTransfer<CudaPath>>(exchange, std::move(board), std::move(paths));
}

}  // namespace railrunner::cuda
