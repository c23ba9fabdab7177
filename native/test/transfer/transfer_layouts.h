#pragma once

#include <numeric>
#include <random>

#include "transfer/metadata.h"

// Layouts of transfers for tests, in the dimensions that engines use.
namespace railrunner::test {

struct ShardShape {
  uint32_t numLayers = 4;
  uint32_t pagesPerBlock = 1;
  uint32_t pageTokens = 4;
  HeadRange heads{0, 8, 8, HeadOrder::kTokenMajor};
  uint64_t headBytes = 16;
  LayoutKind kind = LayoutKind::kLayerSeparate;
};

inline LayoutShape shapeOf(const ShardShape& shard) {
  GroupShape group;
  group.layers.resize(shard.numLayers);
  std::iota(group.layers.begin(), group.layers.end(), 0);
  group.regionBytes.assign(
      2, uint64_t{shard.pagesPerBlock} * shard.pageTokens * shard.heads.numHeads * shard.headBytes);
  group.heads = shard.heads;
  return {shard.kind, BlockDim::kFirst, 1, {group}, {shard.pagesPerBlock, shard.pageTokens}};
}

inline std::shared_ptr<PhysicalLayout> layoutOf(LayoutHandle handle, const LayoutShape& shape,
                                                std::vector<uint32_t> blocks) {
  auto layout = std::make_shared<PhysicalLayout>();
  layout->handle = handle;
  layout->location = StorageKind::kDevice;
  layout->shape = shape;
  layout->sectionBlocks = std::move(blocks);
  layout->blocks = makeLayout(layout->shape, layout->sectionBlocks, 1);
  layout->address = 0x7f12'3456'7000;
  return layout;
}

inline ShareHandle shareOf(const BlockLayout& blocks, DeviceKind kind, uint64_t salt) {
  ShareHandle share;
  share.magic = ShareHandle::kMagic;
  share.kind = kind;
  share.bytes = blocks.totalBytes + 8192;
  share.offset = 4096;
  share.rangeBytes = blocks.totalBytes;
  if (kind == DeviceKind::kHost) {
    share.processId = 4'000'000;
    share.descriptor = 37;
    share.nonce = salt * 0x9e3779b97f4a7c15ULL;
  } else {
    for (size_t i = 0; i < share.ipc.size(); ++i) share.ipc[i] = static_cast<uint8_t>(salt + 7 * i);
  }
  return share;
}

// One group of all layers, one of every sixth, one of a latent: what today's models have.
inline LayoutShape threeGroups(uint32_t numLayers) {
  LayoutShape shape = shapeOf({.numLayers = numLayers, .pagesPerBlock = 4});
  shape.groups[0].name = "full";
  GroupShape window = shape.groups[0];
  window.name = "window";
  window.layers.clear();
  for (uint32_t layer = 5; layer < numLayers; layer += 6) window.layers.push_back(layer);
  window.section = 1;
  GroupShape latent = shape.groups[0];
  latent.name = "latent";
  latent.regionBytes = {4ULL * 4 * 576};
  latent.heads = {};
  latent.section = 1;
  shape.groups.push_back(window);
  shape.groups.push_back(latent);
  return shape;
}

inline Metadata sampleMetadata(DeviceKind kind) {
  Metadata metadata{{7, "worker-7"}, {}};
  const std::vector<LayoutShape> shapes{threeGroups(61), shapeOf({}), threeGroups(61)};
  for (uint16_t id = 0; id < shapes.size(); ++id) {
    const bool sections = shapes[id].groups.size() > 1;
    auto layout = layoutOf({7, static_cast<uint16_t>(3 * id)}, shapes[id],
                           sections ? std::vector<uint32_t>{40'000, 7} : std::vector<uint32_t>{1'000});
    if (id == 1) layout->location = StorageKind::kPinned;
    layout->owner = "worker-7";
    layout->share = shareOf(layout->blocks, kind, id);
    metadata.layouts.push_back(layout);
  }
  return metadata;
}

}  // namespace railrunner::test
