#pragma once

#include <memory>
#include <vector>

#include "binding/napi_setup.h"
#include "kv/block_pool.h"
#include "kv/transfer.h"

namespace railrunner::binding {

// The state of a NativePool. Used only on the worker thread; `pool` is null after close().
struct OpenedPool {
  std::shared_ptr<Device> device;  // outlives the pool
  std::unique_ptr<BlockPool> pool;

  ~OpenedPool() { pool.reset(); }
  BlockPool& require() const;  // kState after close()
};

std::shared_ptr<OpenedPool> requirePool(const Napi::Value& value, const char* name);

// Block ids from an Int32Array; kBlockIds for a negative one.
std::vector<uint32_t> requireBlockIds(const Napi::Object& object, const char* name);

// Layout keys of the native surface.
LayoutShape requireLayout(const Napi::Object& object, const char* name);
// Blocks of each section of a layout.
std::vector<uint32_t> requireSectionBlocks(const Napi::Object& object, const char* name);
// Strategy, batching, disk and thread keys of TransferOptions.
TransferOptions requireTransferOptions(const Napi::Object& object);

Napi::Object checkObject(Napi::Env env, const CheckReport& report);

// createPool, for addKvMethods.
void addPoolMethods(Napi::Env env, Napi::Object device);

}  // namespace railrunner::binding
