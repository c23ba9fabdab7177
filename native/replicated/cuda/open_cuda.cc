#include "replicated/cuda/open_cuda.h"

#include <algorithm>

#include "core/agreement.h"
#include "core/attempt.h"
#include "replicated/cuda/cuda_path.h"
#include "replicated/cuda/ipc_path.h"
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

// Steps of a chain: the last chunk passes every rank but the root alone, so it is short; with one step there is nothing
// to wait for but the other lane's half.
constexpr uint64_t kChainChunkBytes = uint64_t{4} << 20;
constexpr uint64_t kMostIpcChunks = 256;

uint32_t ipcChunksOf(const ReplicatedRequest& request, const ReplicatedTopology& topology) {
  const auto capped = [](uint64_t chunks) { return static_cast<uint32_t>(std::min(chunks, kMostIpcChunks)); };
  if (request.options.chunkBytes != 0 || !request.sourceIsDevice()) return capped(chunksOf(request));
  if (topology.rootNodeSize() <= 2) return 2;
  return std::max(1U, capped(payloadBytesOf(request) / kChainChunkBytes));
}

// Of any blocks that the request may still take.
uint32_t mostIpcChunksOf(const ReplicatedRequest& request, const ReplicatedTopology& topology) {
  if (!request.changesBlocks) return ipcChunksOf(request, topology);
  return static_cast<uint32_t>(std::min<uint64_t>(mostChunksOf(request), kMostIpcChunks));
}

// What a request comes to on this node, the same on every rank.
struct Choice {
  Choice(const ReplicatedRequest& request, const ReplicatedTopology& topology)
      : isAuto(request.strategy == ReplicatedStrategy::kAuto),
        hasCollectives(request.communicator != nullptr && request.strategy != ReplicatedStrategy::kIpc),
        canShare(request.sourceTier != Tier::kDisk && topology.rootNodeSize() > 1),
        triesIpc(request.strategy == ReplicatedStrategy::kIpc ||
                 (isAuto && topology.numNodes() == 1 && topology.rootNodeSize() > 1)),
        gathers(hasCollectives && canShare &&
                (isAuto || request.strategy == ReplicatedStrategy::kScatterAllgather)),
        mapsSource(gathers || (triesIpc && ipcSharesOf(topology, request.sourceTier) > 1)) {}
  bool isAuto;
  bool hasCollectives;
  bool canShare;
  bool triesIpc;
  bool gathers;
  bool mapsSource;
};

using Paths = std::vector<std::unique_ptr<StrategyPath>>;

void addCollectivePaths(CudaBoard& board, const Choice& choice, ReplicatedStrategy wanted, Paths& paths) {
  const ReplicatedRequest& request = board.request();
  const bool isAuto = wanted == ReplicatedStrategy::kAuto;
  const uint32_t chunks = chunksOf(request);
  const auto add = [&](ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares) {
    paths.push_back(std::make_unique<CudaPath>(board, strategy, numChunks, numShares));
  };
  if (isAuto || wanted == ReplicatedStrategy::kRootBroadcast) {
    add(ReplicatedStrategy::kRootBroadcast, 1, 1);
  }
  // What cannot be shared out is pipelined.
  if (isAuto || wanted == ReplicatedStrategy::kPipelined || !(choice.gathers || !paths.empty())) {
    add(ReplicatedStrategy::kPipelined, chunks, 1);
  }
  if (choice.gathers && (isAuto || wanted == ReplicatedStrategy::kScatterAllgather)) {
    add(ReplicatedStrategy::kScatterAllgather, sharedChunksOf(request, chunks),
        board.topology().rootNodeSize());
  }
}

void addIpcPaths(CudaBoard& board, uint32_t chunks, uint32_t shares, Paths& paths) {
  if (IpcPath::suitsEngine(board.request()))
    paths.push_back(std::make_unique<IpcPath>(board, chunks, shares, IpcPath::Copier::kEngine));
  paths.push_back(std::make_unique<IpcPath>(board, chunks, shares, IpcPath::Copier::kKernel));
}

// True where all ranks have mapped their peers. `auto` does without: GPUs of a host need not reach each other.
bool mapPeers(Exchange& exchange, CudaBoard& board, const Choice& choice, uint32_t numSteps,
              int64_t deadlineNs) {
  if (!choice.triesIpc) return false;
  try {
    board.mapPeers(exchange, numSteps, deadlineNs);
    return true;
  } catch (const AgreedError& error) {
    const bool isLost = error.code() == ErrorCode::kCudaSticky;
    if (choice.hasCollectives && !isLost) return false;
    static_cast<void>(attempt([&] { board.close(&exchange, deadlineNs); }));
    throw;
  }
}

}  // namespace

std::unique_ptr<ReplicatedTransfer> openCudaReplicated(Exchange& exchange, RunControl&, Device& device,
                                                       const ReplicatedRequest& request, int64_t deadlineNs) {
  const ReplicatedTopology topology(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root);
  const Choice choice(request, topology);
  if (!choice.hasCollectives && !choice.triesIpc)
    throw Error(ErrorCode::kArgument, "replicated mode on cuda needs a communicator");
  auto board = std::make_unique<CudaBoard>(exchange, device, request, choice.mapsSource, deadlineNs);
  const uint32_t ipcShares = ipcSharesOf(topology, request.sourceTier);
  const uint32_t mostSteps = mostIpcChunksOf(request, topology) * ipcShares;
  const bool hasIpc = mapPeers(exchange, *board, choice, mostSteps, deadlineNs);
  const auto compile = [=](CudaBoard& compiled, ReplicatedStrategy wanted) {
    Paths paths;
    const bool isIpc = wanted == ReplicatedStrategy::kIpc;
    if (choice.hasCollectives && !isIpc) addCollectivePaths(compiled, choice, wanted, paths);
    if (!hasIpc || !(isIpc || wanted == ReplicatedStrategy::kAuto)) return paths;
    const uint32_t chunks = ipcChunksOf(compiled.request(), topology);
    if (chunks * ipcShares > mostSteps) throw Error(ErrorCode::kState, "more steps than the board has words");
    addIpcPaths(compiled, chunks, ipcShares, paths);
    return paths;
  };
  return openPaths<StrategyPath>(exchange, std::move(board), compile, deadlineNs);
}

}  // namespace railrunner::cuda
