#include "replicated/transfer.h"

#include <algorithm>
#include <cstring>

#include "core/agreement.h"
#include "core/pattern.h"
#include "replicated/host/host_path.h"
#include "replicated/independent.h"
#include "replicated/path_transfer.h"
#include "replicated/piece_plan.h"

#ifdef RAILRUNNER_CUDA
#include "replicated/cuda/open_cuda.h"
#endif

namespace railrunner {

namespace {

// What every rank can check of its own; the root's lane is checked as any transfer is.
void validate(const ReplicatedRequest& request, bool holdsSource) {
  const BlockLayout& layout = request.target->layout();
  if (request.targetIds.empty() || request.targetIds.size() != request.sourceIds.size()) {
    throw Error(ErrorCode::kBlockIds, "block lists: expected two of one length, not empty, received " +
                                          std::to_string(request.sourceIds.size()) + " and " +
                                          std::to_string(request.targetIds.size()));
  }
  if (request.layerBegin >= request.layerEnd || request.layerEnd > layout.numLayers) {
    throw Error(ErrorCode::kBlockIds, "layer range: expected a part of " + std::to_string(layout.numLayers) +
                                          " layers, received [" + std::to_string(request.layerBegin) + ", " +
                                          std::to_string(request.layerEnd) + ")");
  }
  std::vector<bool> seen(layout.numBlocks);
  for (const uint32_t id : request.targetIds) {
    if (id >= layout.numBlocks || seen[id]) {
      throw Error(ErrorCode::kBlockIds, "target block " + std::to_string(id) +
                                            ": expected each once, below " +
                                            std::to_string(layout.numBlocks));
    }
    seen[id] = true;
  }
  if (!holdsSource || request.sourceIsDevice()) return;
  if (request.source == nullptr)
    throw Error(ErrorCode::kArgument, "the root has no pool of the tier that is read");
  LaneRequest lane{request.source,    request.target,     request.sourceIds,
                   request.targetIds, request.layerBegin, request.layerEnd};
  validateLane(lane);
  requireSameRegions(request.source->layout(), request.target->layout());
}

// Of all that must be the same on every rank: order of blocks, geometry, strategy.
uint64_t digestOf(const ReplicatedRequest& request, DeviceKind kind) {
  const BlockLayout& layout = request.target->layout();
  uint64_t digest = 0;
  const auto add = [&digest](uint64_t value) { digest = mix64(digest ^ mix64(value + 1)); };
  for (const uint64_t value :
       {static_cast<uint64_t>(layout.kind), static_cast<uint64_t>(layout.blockDim),
        uint64_t{layout.numBlocks}, uint64_t{layout.numLayers}, layout.groups.size(), layout.sections.size(),
        uint64_t{request.layerBegin}, uint64_t{request.layerEnd}, static_cast<uint64_t>(request.strategy),
        static_cast<uint64_t>(request.root), static_cast<uint64_t>(request.sourceTier),
        request.options.chunkBytes, static_cast<uint64_t>(kind), request.targetIds.size()}) {
    add(value);
  }
  for (const GroupLayout& group : layout.groups) {
    for (const uint64_t value : {uint64_t{group.section}, uint64_t{group.numOuters}, group.layerStride})
      add(value);
    for (const OuterLayout& outer : group.outers) {
      for (const uint64_t value : {outer.regionBytes, outer.begin, outer.blockStride}) add(value);
    }
    for (const uint32_t layer : group.layers) add(layer);
  }
  for (const uint32_t id : request.targetIds) add(id);
  return digest;
}

// Before anything is mapped or sent: ranks that differ would end in different operations, and hang or mix up
// blocks.
void compareDigests(Exchange& exchange, const ReplicatedRequest& request, DeviceKind kind,
                    int64_t deadlineNs) {
  const bool holdsSource = static_cast<int>(exchange.rank()) == request.root ||
                           request.strategy == ReplicatedStrategy::kIndependent;
  const auto all = Agreement(exchange, "checking the blocks", deadlineNs).run([&] {
    validate(request, holdsSource);
    return bytesOfValue(digestOf(request, kind));
  });
  const auto& expected = all.at(static_cast<size_t>(request.root));
  std::string differing;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] != expected) differing += (differing.empty() ? "" : ", ") + std::to_string(rank);
  }
  if (differing.empty()) return;
  throw Error(ErrorCode::kBlockIds, "order of blocks or geometry of rank " + differing +
                                        " is not that of root " + std::to_string(request.root) +
                                        ". Do all ranks see the same spec, trace and model files?");
}

std::unique_ptr<ReplicatedTransfer> openHost(Exchange& exchange, RunControl& control, Device& device,
                                             const ReplicatedRequest& request, int64_t deadlineNs) {
  const ReplicatedTopology topology(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root);
  const bool isAuto = request.strategy == ReplicatedStrategy::kAuto;
  const uint32_t chunks =
      chooseNumChunks(payloadBytesOf(request), request.options.chunkBytes, leastChunkBytes(request));
  // A disk is read by the root alone: one read of the file, whatever the number of ranks.
  const bool canShare = request.sourceTier != Tier::kDisk;
  const uint32_t shares = canShare ? topology.rootNodeSize() : 1;
  auto board =
      std::make_unique<HostBoard>(exchange, control, device, request, chunks * shares, shares, deadlineNs);
  std::vector<std::unique_ptr<HostPath>> paths;
  const auto compile = [&] {
    const auto add = [&](ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares) {
      if (request.strategy == strategy || isAuto) {
        paths.push_back(std::make_unique<HostPath>(*board, strategy, numChunks, numShares));
      }
    };
    add(ReplicatedStrategy::kRootBroadcast, 1, 1);
    add(ReplicatedStrategy::kPipelined, chunks, 1);
    if (canShare) {
      add(ReplicatedStrategy::kScatterAllgather, chunks, shares);
    } else if (request.strategy == ReplicatedStrategy::kScatterAllgather) {
      paths.push_back(std::make_unique<HostPath>(*board, ReplicatedStrategy::kPipelined, chunks, 1));
    }
    // Where it does what another path does already, a trial would only cost time.
    const uint32_t ipcShares = ipcSharesOf(topology, request.sourceTier);
    const bool isChain = ipcShares == 1 && topology.rootNodeSize() > 2;
    if (topology.numNodes() == 1 && (!isAuto || isChain)) add(ReplicatedStrategy::kIpc, chunks, ipcShares);
  };
  agreeOrClose(exchange, *board, deadlineNs, compile);
  return std::make_unique<PathTransfer<HostPath>>(exchange, std::move(board), std::move(paths));
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
  compareDigests(exchange, request, kind, deadlineNs);
  const bool holdsTarget = !(request.sourceIsDevice() && static_cast<int>(exchange.rank()) == request.root);
  if (holdsTarget) request.target->markUnknown(request.targetIds);
  if (request.strategy == ReplicatedStrategy::kIndependent) {
    std::unique_ptr<ReplicatedTransfer> made;
    Agreement(exchange, "compiling the loads of every rank", deadlineNs).run([&] {
      made = std::make_unique<IndependentTransfer>(device, request);
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
