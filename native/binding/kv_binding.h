#pragma once

#include <memory>
#include <vector>

#include "binding/call.h"
#include "kv/block_pool.h"
#include "kv/transfer.h"

namespace railrunner::binding {

// The state of a NativePool. Used only on the worker thread; `pool` is null after close().
struct OpenedPool {
  std::shared_ptr<Device> device;  // outlives the pool
  std::unique_ptr<BlockPool> pool;

  ~OpenedPool() { pool.reset(); }
  BlockPool& require() const;  // kState after close()
  static const HandleKind kKind;
};

// A block id that is negative throws kBlockIds.
std::vector<uint32_t> readBlockIds(Arguments& object, const char* name);

Tier readTier(Arguments& object, const char* name);
// Layout keys of the native surface.
LayoutShape readLayout(Arguments& object, const char* name);
// An array of numbers, as the blocks of each section of a layout.
std::vector<uint32_t> readUint32s(Arguments& object, const char* name);
// Strategy, batching, disk and thread keys of TransferOptions.
TransferOptions readTransferOptions(Arguments& object);

void writeCheck(Result& result, const CheckReport& report);

}  // namespace railrunner::binding
