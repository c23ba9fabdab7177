#include <cstring>

#include "binding/arguments.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/kv_binding.h"
#include "binding/worker_thread.h"

namespace railrunner::binding {

namespace {

const HandleKind<OpenedPool> kPoolKind{{0x7261696c72756e6eULL, 0x6572506f6f6c0001ULL}, "a NativePool"};

Tier tierOf(const std::string& name) {
  if (name == "device") return Tier::kDevice;
  if (name == "host") return Tier::kHost;
  if (name == "disk") return Tier::kDisk;
  throw argumentError("tier", "\"device\", \"host\" or \"disk\"");
}

// PoolContent of JavaScript, before the number of blocks is known to be right.
struct ContentRequest {
  uint64_t seed = 0;
  uint32_t owner = 0;
  uint64_t poisonSalt = 0;
  bool all = false;
  std::vector<uint32_t> filled;
};

struct TransferredRequest {
  Tier from = Tier::kDevice;
  std::vector<uint32_t> sourceIds, targetIds;
  uint32_t layerBegin = 0, layerEnd = 0;
  uint32_t owner = BlockHolds::kOwnerOfPool;
};

ContentRequest requireContent(const Napi::Value& value) {
  const Napi::Object object = requireObject(value, "content");
  ContentRequest request;
  request.seed = requireSize(object, "seed");
  request.owner = requireUint32(object, "owner");
  request.poisonSalt = requireSize(object, "poisonSalt");
  request.all = object.Get("filled").IsNull();
  if (!request.all) request.filled = requireBlockIds(object, "filled");
  return request;
}

PoolContent contentFor(const BlockPool& pool, const ContentRequest& request) {
  const BlockLayout& layout = pool.layout();
  PoolContent content{request.owner, request.poisonSalt, std::vector<BlockHolds>(layout.numPages())};
  const auto fill = [&](uint32_t block) {
    if (block >= layout.numPages())
      throw Error(ErrorCode::kBlockIds,
                  "filled block " + std::to_string(block) + ": the pool has fewer blocks");
    content.blocks[block] = {tierSeed(request.seed, pool.tier()), block, 0, layout.numLayers};
  };
  if (request.all) {
    for (uint32_t page = 0; page < layout.numPages(); ++page) fill(page);
  }
  for (const uint32_t block : request.filled) fill(block);
  return content;
}

std::vector<TransferredRequest> requireTransferred(const Napi::Value& value) {
  if (!value.IsArray()) throw argumentError("transferred", "an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<TransferredRequest> all;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object entry = requireObject(array.Get(i), "transferred");
    TransferredRequest request{tierOf(requireString(entry, "from")), requireBlockIds(entry, "sourceIds"),
                               requireBlockIds(entry, "targetIds"), requireUint32(entry, "layerBegin"),
                               requireUint32(entry, "layerEnd")};
    if (!entry.Get("owner").IsUndefined()) request.owner = requireUint32(entry, "owner");
    if (request.sourceIds.size() != request.targetIds.size())
      throw argumentError("transferred", "sourceIds and targetIds of equal length");
    all.push_back(std::move(request));
  }
  return all;
}

void applyTransferred(PoolContent& content, const ContentRequest& request,
                      const TransferredRequest& transferred) {
  for (size_t i = 0; i < transferred.targetIds.size(); ++i) {
    if (transferred.targetIds[i] >= content.blocks.size())
      throw argumentError("transferred", "blocks of this pool");
    content.blocks[transferred.targetIds[i]] = {tierSeed(request.seed, transferred.from),
                                                transferred.sourceIds[i], transferred.layerBegin,
                                                transferred.layerEnd, transferred.owner};
  }
}

Napi::Value preparePool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requirePool(info.This(), "this");
    auto request = requireContent(info[0]);
    return runOnWorker(info.Env(), [state, request = std::move(request)] {
      state->require().prepare(contentFor(state->require(), request), processControl());
    });
  });
}

Napi::Value checkPool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requirePool(info.This(), "this");
    auto request = requireContent(info[0]);
    auto transferred = requireTransferred(info[1]);
    if (!info[2].IsBoolean()) throw argumentError("sampled", "a boolean");
    const uint32_t wordStep = info[2].As<Napi::Boolean>().Value() ? kCheckSampledWords : kCheckAllWords;
    auto report = std::make_shared<CheckReport>();
    return runOnWorker(
        info.Env(),
        [state, report, wordStep, request = std::move(request), transferred = std::move(transferred)] {
          PoolContent content = contentFor(state->require(), request);
          for (const TransferredRequest& entry : transferred) applyTransferred(content, request, entry);
          *report = state->require().check(content, wordStep, processControl());
        },
        [report](Napi::Env env) -> Napi::Value { return checkObject(env, *report); });
  });
}

void requireInside(const BlockPool& pool, uint64_t offset, uint64_t bytes) {
  if (bytes == 0 || offset > pool.layout().totalBytes || bytes > pool.layout().totalBytes - offset) {
    throw argumentError("offset", "a range inside the pool");
  }
}

Napi::Value readPool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requirePool(info.This(), "this");
    const auto offset = static_cast<uint64_t>(requireInteger(info[0], "offset", 0, int64_t{1} << 53));
    const auto bytes = static_cast<uint64_t>(requireInteger(info[1], "bytes", 1, int64_t{1} << 30));
    auto data = std::make_shared<std::vector<uint8_t>>();
    return runOnWorker(
        info.Env(),
        [state, data, offset, bytes] {
          requireInside(state->require(), offset, bytes);
          data->resize(bytes);
          state->require().store().readBytes(offset, data->data(), bytes);
        },
        [data](Napi::Env env) -> Napi::Value {
          return Napi::Buffer<uint8_t>::Copy(env, data->data(), data->size());
        });
  });
}

Napi::Value writePool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requirePool(info.This(), "this");
    const auto offset = static_cast<uint64_t>(requireInteger(info[0], "offset", 0, int64_t{1} << 53));
    if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw argumentError("data", "a Uint8Array");
    }
    const auto source = info[1].As<Napi::Uint8Array>();
    std::vector<uint8_t> data(source.Data(), source.Data() + source.ByteLength());
    return runOnWorker(info.Env(), [state, offset, data = std::move(data)] {
      requireInside(state->require(), offset, data.size());
      state->require().store().writeBytes(offset, data.data(), data.size());
    });
  });
}

Napi::Value closePool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requirePool(info.This(), "this");
    return runOnWorker(info.Env(), [state] {
      const auto pool = std::move(state->pool);
      if (pool) pool->close();
    });
  });
}

Napi::Object groupObject(Napi::Env env, const GroupLayout& group) {
  Napi::Array outers = Napi::Array::New(env);
  for (uint32_t i = 0; i < group.numOuters; ++i) {
    Napi::Object outer = Napi::Object::New(env);
    outer.Set("regionBytes", static_cast<double>(group.outers[i].regionBytes));
    outer.Set("beginBytes", static_cast<double>(group.outers[i].begin));
    outer.Set("blockStrideBytes", static_cast<double>(group.outers[i].blockStride));
    outers.Set(i, outer);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("outers", outers);
  object.Set("layerStrideBytes", static_cast<double>(group.layerStride));
  return object;
}

Napi::Object geometryObject(Napi::Env env, const BlockPool& pool) {
  const BlockLayout& layout = pool.layout();
  Napi::Object object = Napi::Object::New(env);
  Napi::Array groups = Napi::Array::New(env);
  for (const GroupLayout& group : layout.groups) groups.Set(groups.Length(), groupObject(env, group));
  object.Set("groups", groups);
  object.Set("totalBytes", static_cast<double>(layout.totalBytes));
  const uint64_t allocated = pool.tier() == Tier::kDisk ? layout.totalBytes : memoryBytes(layout);
  object.Set("allocationBytes", static_cast<double>(allocated));
  return object;
}

Napi::Value poolHandle(Napi::Env env, const std::shared_ptr<OpenedPool>& state) {
  Napi::Object object = makeHandle(env, state, kPoolKind,
                                   {{"prepare", preparePool},
                                    {"check", checkPool},
                                    {"readBytes", readPool},
                                    {"writeBytes", writePool},
                                    {"close", closePool}});
  object.Set("tier", tierName(state->pool->tier()));
  object.Set("geometry", geometryObject(env, *state->pool));
  return object;
}

Napi::Value createPool(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedPool>();
    state->device = requireDevice(info.This(), "this");
    const Napi::Object options = requireObject(info[0], "options");
    const Tier tier = tierOf(requireString(options, "tier"));
    const LayoutShape shape = requireLayout(options, "layout");
    const std::vector<uint32_t> sectionBlocks = requireSectionBlocks(options, "sectionBlocks");
    const std::string diskPath = requireString(options, "diskPath");
    const auto threads = static_cast<uint32_t>(requireInteger(options, "threads", 1, 1024));
    const Sharing sharing = requireBoolean(options, "sharedWithPeers") ? Sharing::kNode : Sharing::kNone;
    return runOnWorker(
        info.Env(),
        [state, tier, shape, sectionBlocks, diskPath, threads, sharing] {
          state->pool = std::make_unique<BlockPool>(*state->device, tier, shape, sectionBlocks, diskPath,
                                                    threads, sharing);
        },
        [state](Napi::Env env) { return poolHandle(env, state); });
  });
}

}  // namespace

BlockPool& OpenedPool::require() const {
  if (!pool) throw Error(ErrorCode::kState, "the pool is closed");
  return *pool;
}

std::shared_ptr<OpenedPool> requirePool(const Napi::Value& value, const char* name) {
  return requireState(value, name, kPoolKind);
}

std::vector<uint32_t> requireBlockIds(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw argumentError(name, "an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  std::vector<uint32_t> ids;
  ids.reserve(array.ElementLength());
  for (size_t i = 0; i < array.ElementLength(); ++i) {
    if (array[i] < 0) {
      throw Error(ErrorCode::kBlockIds, std::string(name) + ": block id " + std::to_string(array[i]) +
                                            " (entry " + std::to_string(i) + ") is negative");
    }
    ids.push_back(static_cast<uint32_t>(array[i]));
  }
  return ids;
}

namespace {

Napi::Array requireArray(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) throw argumentError(name, "an array");
  return value.As<Napi::Array>();
}

std::vector<uint64_t> requireSizes(const Napi::Object& object, const char* name) {
  const Napi::Array array = requireArray(object, name);
  std::vector<uint64_t> sizes;
  for (uint32_t i = 0; i < array.Length(); ++i)
    sizes.push_back(static_cast<uint64_t>(requireInteger(array.Get(i), name, 0, int64_t{1} << 53)));
  return sizes;
}

GroupShape requireGroup(const Napi::Object& object) {
  GroupShape group;
  group.name = requireString(object, "name");
  for (const uint64_t layer : requireSizes(object, "layers")) {
    if (layer > UINT32_MAX) throw argumentError("layers", "32-bit indices");
    group.layers.push_back(static_cast<uint32_t>(layer));
  }
  group.regionBytes = requireSizes(object, "regionBytes");
  group.section = requireUint32(object, "section");
  if (!object.Get("heads").IsUndefined()) {
    const Napi::Object heads = requireObject(object.Get("heads"), "heads");
    const std::string order = requireString(heads, "order");
    if (order != "tokenMajor" && order != "headMajor") {
      throw argumentError("order", "\"tokenMajor\" or \"headMajor\"");
    }
    group.heads = {requireUint32(heads, "firstHead"), requireUint32(heads, "numHeads"),
                   requireUint32(heads, "totalHeads"),
                   order == "tokenMajor" ? HeadOrder::kTokenMajor : HeadOrder::kHeadMajor};
  }
  return group;
}

}  // namespace

LayoutShape requireLayout(const Napi::Object& object, const char* name) {
  const Napi::Object layout = requireObject(object.Get(name), name);
  const std::string kind = requireString(layout, "kind");
  if (kind != "fullyContiguous" && kind != "layerSeparate") throw argumentError("kind", "a kind of layout");
  const std::string blockDim = requireString(layout, "blockDim");
  if (blockDim != "first" && blockDim != "second") throw argumentError("blockDim", "\"first\" or \"second\"");
  LayoutShape shape;
  shape.kind = kind == "fullyContiguous" ? LayoutKind::kFullyContiguous : LayoutKind::kLayerSeparate;
  shape.blockDim = blockDim == "first" ? BlockDim::kFirst : BlockDim::kSecond;
  shape.alignment = requireSize(layout, "alignment");
  const Napi::Array groups = requireArray(layout, "groups");
  for (uint32_t i = 0; i < groups.Length(); ++i)
    shape.groups.push_back(requireGroup(requireObject(groups.Get(i), "groups")));
  if (!layout.Get("pages").IsUndefined()) {
    const Napi::Object pages = requireObject(layout.Get("pages"), "pages");
    shape.pages = {requireUint32(pages, "pagesPerBlock"), requireUint32(pages, "pageTokens")};
  }
  return shape;
}

std::vector<uint32_t> requireSectionBlocks(const Napi::Object& object, const char* name) {
  std::vector<uint32_t> blocks;
  for (const uint64_t count : requireSizes(object, name)) {
    if (count > UINT32_MAX) throw argumentError(name, "32-bit counts");
    blocks.push_back(static_cast<uint32_t>(count));
  }
  return blocks;
}

Napi::Object checkObject(Napi::Env env, const CheckReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("checked", static_cast<double>(report.checked));
  object.Set("wrong", static_cast<double>(report.wrong));
  object.Set("firstBad", report.firstBad);
  return object;
}

void addPoolMethods(Napi::Env env, Napi::Object device) {
  device.Set("createPool", Napi::Function::New(env, createPool, "createPool"));
}

}  // namespace railrunner::binding
