#pragma once

#include <memory>

#include "device/host/host_device.h"
#include "kv/block_pool.h"
#include "replicated/transfer.h"
#include "test/support/layout_shapes.h"

namespace railrunner::test {

// Rank 0 loads 32 blocks from its host tier; rank 1, on a node of its own, gets them over the network.
struct BroadcastBetweenNodes {
  explicit BroadcastBetweenNodes(uint32_t rank) {
    const LayoutShape shape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 1, 1, 16, 1024, 2, 1);
    const std::vector<uint32_t> blocks{64};
    target = std::make_unique<BlockPool>(device, Tier::kDevice, shape, blocks, "", 1);
    if (rank == 0) source = std::make_unique<BlockPool>(device, Tier::kHost, shape, blocks, "", 1);
    request.strategy = ReplicatedStrategy::kPipelined;
    request.sourceTier = Tier::kHost;
    request.source = source.get();
    request.sourceShape = shape;
    request.sourceBlocks = blocks;
    request.target = target.get();
    request.targetShape = shape;
    request.targetBlocks = blocks;
    for (uint32_t id = 0; id < 32; ++id) {
      request.sourceIds.push_back(id);
      request.targetIds.push_back(id);
    }
    request.layerEnd = 1;
    request.nodeOfRank = {0, 1};
  }
  std::unique_ptr<ReplicatedTransfer> open(Exchange& exchange, RunControl& control, int64_t deadlineNs) {
    return openReplicated(exchange, control, device, request, deadlineNs);
  }

  HostDevice device{0};
  std::unique_ptr<BlockPool> target;
  std::unique_ptr<BlockPool> source;
  ReplicatedRequest request;
};

}  // namespace railrunner::test
