#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "replicated/transfer.h"
#include "test/support/layout_shapes.h"

// A rank of a replicated transfer inside one node, without MPI: its pools and what they must hold. Ranks are processes or
// threads.
namespace railrunner::test {

inline constexpr uint64_t kSeed = 7;
inline constexpr uint32_t kBlocks = 24;
inline constexpr int64_t kMinuteNs = 60'000'000'000;

// A block is one run of 1 MiB: long enough for a copy engine. And 3 layers x 2 regions of 1 KiB: for kernels alone.
inline const LayoutShape kLong =
    uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 4, 2, 64, 1024, 2, 1);
inline const LayoutShape kShort = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 3, 2, 8, 64, 2, 1);

struct Case {
  uint32_t ranks = 2;
  int root = 0;
  Tier source = Tier::kDevice;
  LayoutShape shape = kLong;
  uint64_t chunkBytes = 0;
  uint32_t maxCtas = 8;
  uint32_t numBlocks = 19;
  uint32_t firstBlock = 3;
  bool freeRunning = false;
  ReplicatedStrategy strategy = ReplicatedStrategy::kIpc;
  InjectedFaults faults{};
};

struct ReplicatedRank {
  ReplicatedRank(Exchange& hub, std::unique_ptr<Device> on, const Case& of)
      : exchange(hub), tested(of), device(std::move(on)) {
    const std::vector<uint32_t> blocks{kBlocks};
    target = std::make_unique<BlockPool>(*device, Tier::kDevice, tested.shape, blocks, "", 1);
    for (uint32_t i = 0; i < tested.numBlocks; ++i) {
      targetIds.push_back((tested.firstBlock + i * 5) % kBlocks);
      sourceIds.push_back(tested.source == Tier::kDevice ? targetIds.back() : (i * 7 + 2) % kBlocks);
    }
    isRoot = static_cast<int>(hub.rank()) == tested.root;
    numLayers = target->layout().numLayers;
    PoolContent before{0, 99, std::vector<BlockHolds>(kBlocks)};
    if (tested.source == Tier::kDevice && isRoot) before = content(targetIds);
    target->prepare(before, control);
    if (tested.source == Tier::kDevice || !isRoot) return;
    source = std::make_unique<BlockPool>(*device, tested.source, tested.shape, blocks, "/tmp", 1);
    source->prepare(content(sourceIds), control);
  }

  // Blocks at `places` hold the source's blocks, the others poison.
  PoolContent content(const std::vector<uint32_t>& places) const {
    PoolContent made{0, 99, std::vector<BlockHolds>(kBlocks)};
    for (size_t i = 0; i < places.size(); ++i)
      made.blocks[places[i]] = {tierSeed(kSeed, tested.source), sourceIds[i], 0, numLayers};
    return made;
  }

  ReplicatedRequest request() const {
    ReplicatedRequest made;
    made.strategy = tested.strategy;
    made.root = tested.root;
    made.sourceTier = tested.source;
    made.source = source.get();
    made.sourceShape = made.targetShape = tested.shape;
    made.sourceBlocks = made.targetBlocks = {kBlocks};
    made.target = target.get();
    made.sourceIds = sourceIds;
    made.targetIds = targetIds;
    made.layerEnd = numLayers;
    made.nodeOfRank.assign(tested.ranks, 0);
    made.options.chunkBytes = tested.chunkBytes;
    made.options.maxCtas = tested.maxCtas;
    made.options.requestBytes = 4096;
    made.faults = tested.faults;
    return made;
  }

  Exchange& exchange;
  const Case& tested;
  RunControl control;
  std::unique_ptr<Device> device;
  std::unique_ptr<BlockPool> source;
  std::unique_ptr<BlockPool> target;
  std::vector<uint32_t> sourceIds;
  std::vector<uint32_t> targetIds;
  uint32_t numLayers = 0;
  bool isRoot = false;
};

}  // namespace railrunner::test
