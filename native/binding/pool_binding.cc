#include "binding/device_binding.h"
#include "binding/kv_binding.h"
#include "binding/methods.h"

namespace railrunner::binding {

namespace {

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

std::vector<uint32_t> blockIds(const std::vector<int32_t>& given, const char* name) {
  std::vector<uint32_t> ids;
  ids.reserve(given.size());
  for (const int32_t id : given) {
    if (id < 0) {
      throw Error(ErrorCode::kBlockIds, std::string(name) + ": block id " + std::to_string(id) + " (entry " +
                                            std::to_string(ids.size()) + ") is negative");
    }
    ids.push_back(static_cast<uint32_t>(id));
  }
  return ids;
}

ContentRequest readContent(Arguments object) {
  ContentRequest request;
  request.seed = object.size("seed");
  request.owner = object.uint32("owner");
  request.poisonSalt = object.size("poisonSalt");
  const auto filled = object.typedOrNull<int32_t>("filled");
  request.all = !filled.has_value();
  if (filled) request.filled = blockIds(*filled, "filled");
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

TransferredRequest readTransferred(Arguments& entry) {
  TransferredRequest request;
  request.from = readTier(entry, "from");
  request.owner = entry.uint32IfPresent("owner").value_or(BlockHolds::kOwnerOfPool);
  request.sourceIds = readBlockIds(entry, "sourceIds");
  request.targetIds = readBlockIds(entry, "targetIds");
  request.layerBegin = entry.uint32("layerBegin");
  request.layerEnd = entry.uint32("layerEnd");
  entry.expect(request.sourceIds.size() == request.targetIds.size(), "transferred",
               "sourceIds and targetIds of equal length");
  return request;
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

void preparePool(Call& call) {
  const auto state = call.self<OpenedPool>();
  const ContentRequest request = readContent(call.object("content"));
  call.resolves([state, request] {
    state->require().prepare(contentFor(state->require(), request), processControl());
  });
}

void checkPool(Call& call) {
  const auto state = call.self<OpenedPool>();
  const ContentRequest request = readContent(call.object("content"));
  const auto transferred = call.objects("transferred", readTransferred);
  const uint32_t wordStep = call.boolean("sampled") ? kCheckSampledWords : kCheckAllWords;
  call.resolves(
      [state, wordStep, request, transferred] {
        PoolContent content = contentFor(state->require(), request);
        for (const TransferredRequest& entry : transferred) applyTransferred(content, request, entry);
        return state->require().check(content, wordStep, processControl());
      },
      writeCheck);
}

void requireInside(const BlockPool& pool, uint64_t offset, uint64_t bytes) {
  if (bytes == 0 || offset > pool.layout().totalBytes || bytes > pool.layout().totalBytes - offset) {
    throw argumentError("offset", "a range inside the pool");
  }
}

void readPool(Call& call) {
  const auto state = call.self<OpenedPool>();
  const uint64_t offset = call.size("offset");
  const auto bytes = static_cast<uint64_t>(call.integer("bytes", 1, int64_t{1} << 30));
  call.resolves(
      [state, offset, bytes] {
        requireInside(state->require(), offset, bytes);
        std::vector<uint8_t> data(bytes);
        state->require().store().readBytes(offset, data.data(), bytes);
        return data;
      },
      [](Result& result, const std::vector<uint8_t>& data) { result.putBuffer(data); });
}

void writePool(Call& call) {
  const auto state = call.self<OpenedPool>();
  const uint64_t offset = call.size("offset");
  const auto data = call.typed<uint8_t>("data");
  call.resolves([state, offset, data] {
    requireInside(state->require(), offset, data.size());
    state->require().store().writeBytes(offset, data.data(), data.size());
  });
}

void closePool(Call& call) {
  const auto state = call.self<OpenedPool>();
  call.resolves([state] {
    const auto pool = std::move(state->pool);
    if (pool) pool->close();
  });
}

constexpr Method kMethods[] = {
    {"prepare", preparePool},  {"check", checkPool}, {"readBytes", readPool},
    {"writeBytes", writePool}, {"close", closePool},
};

void writeOuter(Result& result, const OuterLayout& outer) {
  result.set("regionBytes", outer.regionBytes);
  result.set("beginBytes", outer.begin);
  result.set("blockStrideBytes", outer.blockStride);
}

void writeGroup(Result& result, const GroupLayout& group) {
  const std::vector<OuterLayout> outers(group.outers.begin(), group.outers.begin() + group.numOuters);
  result.setArray("outers", outers, writeOuter);
  result.set("layerStrideBytes", group.layerStride);
}

struct PoolFacts {
  Tier tier = Tier::kDevice;
  BlockLayout layout;
};

void writeGeometry(Result& result, const PoolFacts& facts) {
  result.setArray("groups", facts.layout.groups, writeGroup);
  result.set("totalBytes", facts.layout.totalBytes);
  const bool isFile = facts.tier == Tier::kDisk;
  result.set("allocationBytes", isFile ? facts.layout.totalBytes : memoryBytes(facts.layout));
}

GroupShape readGroup(Arguments& object) {
  static const Choices<HeadOrder> kOrders{{"tokenMajor", HeadOrder::kTokenMajor},
                                          {"headMajor", HeadOrder::kHeadMajor}};
  GroupShape group;
  group.name = object.text("name");
  group.layers = readUint32s(object, "layers");
  group.regionBytes = object.sizes("regionBytes");
  group.section = object.uint32("section");
  const auto heads = object.objectIfPresent("heads", [](Arguments& range) {
    HeadRange read;
    read.firstHead = range.uint32("firstHead");
    read.numHeads = range.uint32("numHeads");
    read.totalHeads = range.uint32("totalHeads");
    read.order = range.choice("order", kOrders);
    return read;
  });
  if (heads) group.heads = *heads;
  return group;
}

}  // namespace

const HandleKind OpenedPool::kKind{{0x7261696c72756e6eULL, 0x6572506f6f6c0001ULL}, "NativePool", kMethods};

BlockPool& OpenedPool::require() const {
  if (!pool) throw Error(ErrorCode::kState, "the pool is closed");
  return *pool;
}

void methods::createPool(Call& call) {
  auto state = std::make_shared<OpenedPool>();
  state->device = deviceOf(call);
  Arguments options = call.object("options");
  const Tier tier = readTier(options, "tier");
  const LayoutShape shape = readLayout(options, "layout");
  const std::vector<uint32_t> sectionBlocks = readUint32s(options, "sectionBlocks");
  const std::string diskPath = options.text("diskPath");
  const auto threads = static_cast<uint32_t>(options.integer("threads", 1, 1024));
  const Sharing sharing = options.boolean("sharedWithPeers") ? Sharing::kNode : Sharing::kNone;
  call.resolves(
      [state, tier, shape, sectionBlocks, diskPath, threads, sharing] {
        state->pool = std::make_unique<BlockPool>(*state->device, tier, shape, sectionBlocks, diskPath,
                                                  threads, sharing);
        return PoolFacts{state->pool->tier(), state->pool->layout()};
      },
      [state](Result& result, const PoolFacts& facts) {
        result.putHandle(state);
        result.set("tier", tierName(facts.tier));
        result.setObject("geometry", facts, writeGeometry);
      });
}

std::vector<uint32_t> readBlockIds(Arguments& object, const char* name) {
  return blockIds(object.typed<int32_t>(name), name);
}

Tier readTier(Arguments& object, const char* name) {
  static const Choices<Tier> kTiers =
      namedChoices<Tier>(std::initializer_list<Tier>{Tier::kDevice, Tier::kHost, Tier::kDisk}, tierName);
  return object.choice(name, kTiers);
}

LayoutShape readLayout(Arguments& object, const char* name) {
  static const Choices<LayoutKind> kKinds{{"fullyContiguous", LayoutKind::kFullyContiguous},
                                          {"layerSeparate", LayoutKind::kLayerSeparate}};
  static const Choices<BlockDim> kBlockDims{{"first", BlockDim::kFirst}, {"second", BlockDim::kSecond}};
  Arguments layout = object.object(name);
  LayoutShape shape;
  shape.kind = layout.choice("kind", kKinds);
  shape.blockDim = layout.choice("blockDim", kBlockDims);
  shape.alignment = layout.size("alignment");
  shape.groups = layout.objects("groups", readGroup);
  const auto pages = layout.objectIfPresent("pages", [](Arguments& page) {
    const uint32_t pagesPerBlock = page.uint32("pagesPerBlock");
    return PageShape{pagesPerBlock, page.uint32("pageTokens")};
  });
  if (pages) shape.pages = *pages;
  return shape;
}

std::vector<uint32_t> readUint32s(Arguments& object, const char* name) {
  std::vector<uint32_t> blocks;
  for (const uint64_t count : object.sizes(name)) {
    if (count > UINT32_MAX) throw argumentError(name, "32-bit integers");
    blocks.push_back(static_cast<uint32_t>(count));
  }
  return blocks;
}

void writeCheck(Result& result, const CheckReport& report) {
  result.set("checked", report.checked);
  result.set("wrong", report.wrong);
  result.set("firstBad", report.firstBad);
}

}  // namespace railrunner::binding
