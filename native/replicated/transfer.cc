#include "replicated/transfer.h"

#include <algorithm>
#include <numeric>

#include "core/agreement.h"
#include "replicated/block_agreement.h"
#include "replicated/host/host_path.h"
#include "replicated/independent.h"
#include "replicated/path_transfer.h"
#include "replicated/piece_plan.h"

#ifdef RAILRUNNER_CUDA
#include "replicated/cuda/open_cuda.h"
#endif

namespace railrunner {

namespace {

std::unique_ptr<ReplicatedTransfer> openHost(Exchange& exchange, RunControl& control, Device& device,
                                             const ReplicatedRequest& request, int64_t deadlineNs) {
  const ReplicatedTopology topology(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root);
  // A disk is read by the root alone: one read of the file, whatever the number of ranks.
  const bool canShare = request.sourceTier != Tier::kDisk;
  const uint32_t shares = canShare ? topology.rootNodeSize() : 1;
  const uint32_t ipcShares = ipcSharesOf(topology, request.sourceTier);
  const uint32_t mostSteps = mostChunksOf(request) * shares;
  auto board = std::make_unique<HostBoard>(exchange, control, device, request, mostSteps, shares, deadlineNs);
  const auto compile = [=](HostBoard& compiled, ReplicatedStrategy wanted) {
    const ReplicatedRequest& now = compiled.request();
    const bool isAuto = wanted == ReplicatedStrategy::kAuto;
    const uint32_t chunks =
        chooseNumChunks(payloadBytesOf(now), now.options.chunkBytes, leastChunkBytes(now));
    std::vector<std::unique_ptr<HostPath>> paths;
    const auto add = [&](ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares) {
      if (wanted != strategy && !isAuto) return;
      if (numChunks * numShares > mostSteps) throw Error(ErrorCode::kState, "more steps than the board has");
      paths.push_back(std::make_unique<HostPath>(compiled, strategy, numChunks, numShares));
    };
    add(ReplicatedStrategy::kRootBroadcast, 1, 1);
    add(ReplicatedStrategy::kPipelined, chunks, 1);
    if (canShare) {
      add(ReplicatedStrategy::kScatterAllgather, chunks, shares);
    } else if (wanted == ReplicatedStrategy::kScatterAllgather) {
      paths.push_back(std::make_unique<HostPath>(compiled, ReplicatedStrategy::kPipelined, chunks, 1));
    }
    // Where it does what another path does already, a trial would only cost time.
    const bool isChain = ipcShares == 1 && topology.rootNodeSize() > 2;
    if (topology.numNodes() == 1 && (!isAuto || isChain)) add(ReplicatedStrategy::kIpc, chunks, ipcShares);
    return paths;
  };
  return openPaths<HostPath>(exchange, std::move(board), compile, deadlineNs);
}

// Memory of other nodes cannot be mapped.
void requireOneNode(const ReplicatedRequest& request) {
  if (request.strategy != ReplicatedStrategy::kIpc) return;
  const auto& nodes = request.nodeOfRank;
  const auto other = std::find_if(nodes.begin(), nodes.end(), [&](int node) { return node != nodes[0]; });
  if (other == nodes.end()) return;
  throw Error(
      ErrorCode::kUnsupportedHere,
      "strategy ipc: expected all ranks on one node, received rank " + std::to_string(other - nodes.begin()) +
          " on another, whose memory cannot be mapped. Use auto, which takes the network between nodes.");
}

}  // namespace

uint32_t ipcSharesOf(const ReplicatedTopology& topology, Tier sourceTier) {
  return sourceTier == Tier::kHost ? topology.rootNodeSize() : 1;
}

uint64_t payloadBytesOf(const ReplicatedRequest& request) {
  return payloadOf(request.target->layout(), request.targetIds, request.layerBegin, request.layerEnd).bytes;
}

uint32_t mostChunksOf(const ReplicatedRequest& request) {
  const BlockLayout& layout = request.target->layout();
  uint64_t payload = payloadBytesOf(request);
  if (request.changesBlocks) {
    std::vector<uint32_t> all(layout.numBlocks);
    std::iota(all.begin(), all.end(), 0U);
    payload = payloadOf(layout, all, request.layerBegin, request.layerEnd).bytes;
  }
  const uint32_t chunks = chooseNumChunks(payload, request.options.chunkBytes, leastChunkBytes(request));
  return request.changesBlocks && request.options.chunkBytes == 0 ? std::max(chunks, kMostChunksOfSmall)
                                                                  : chunks;
}

uint64_t leastChunkBytes(const ReplicatedRequest& request) {
  if (request.sourceTier != Tier::kDisk) return kLeastChunkBytes;
  return 4 * uint64_t{request.options.queueDepth} * request.options.requestBytes;
}

const char* replicatedStrategyName(ReplicatedStrategy strategy) {
  switch (strategy) {
    case ReplicatedStrategy::kAuto:
      return "auto";
    case ReplicatedStrategy::kRootBroadcast:
      return "rootBroadcast";
    case ReplicatedStrategy::kPipelined:
      return "pipelined";
    case ReplicatedStrategy::kScatterAllgather:
      return "scatterAllgather";
    case ReplicatedStrategy::kIpc:
      return "ipc";
    case ReplicatedStrategy::kIndependent:
      return "independent";
  }
  return "auto";
}

std::unique_ptr<ReplicatedTransfer> openReplicated(Exchange& exchange, RunControl& control, Device& device,
                                                   ReplicatedRequest request, int64_t deadlineNs) {
  const DeviceKind kind = device.kind();
  requireOneNode(request);
  agreeOnBlocks(exchange, request, kind, deadlineNs);
  if (request.overwrites(static_cast<int>(exchange.rank()))) request.target->markUnknown(request.targetIds);
  if (request.strategy == ReplicatedStrategy::kIndependent) {
    std::unique_ptr<ReplicatedTransfer> made;
    Agreement(exchange, "compiling the loads of every rank", deadlineNs).run([&] {
      made = std::make_unique<IndependentTransfer>(exchange, device, request);
    });
    return made;
  }
  if (kind == DeviceKind::kHost) return openHost(exchange, control, device, request, deadlineNs);
#ifdef RAILRUNNER_CUDA
  return cuda::openCudaReplicated(exchange, control, device, std::move(request), deadlineNs);
#else
  throw Error(ErrorCode::kUnsupportedHere,
              "this build of the addon has no replicated mode for a cuda device");
#endif
}

}  // namespace railrunner
