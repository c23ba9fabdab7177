#pragma once

#include <memory>
#include <optional>

#include "kv/block_layout.h"
#include "transfer/layout_handle.h"
#include "transfer/storage.h"

namespace railrunner {

// Blocks in one storage, of this rank or of a peer. Never changes; a transfer keeps the layouts that it looked up.
struct PhysicalLayout {
  LayoutHandle handle;
  StorageKind location = StorageKind::kSystem;
  LayoutShape shape;
  std::vector<uint32_t> sectionBlocks;
  BlockLayout blocks;  // made of the two
  uint64_t address = 0;
  uint64_t deviceId = 0;
  // By which same-node peers map the memory; none for heap and files.
  std::optional<ShareHandle> share;
  std::string owner;  // agent name of the worker
};

}  // namespace railrunner
