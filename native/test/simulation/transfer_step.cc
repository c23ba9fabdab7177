// Blocks of pools moved between a group of sources and a group of targets, as in test/transfer, over memory of a node and
// over the network between nodes.
#include "kv/block_pool.h"
#include "test/simulation/heavy_steps.h"
#include "test/transfer/transfer_layouts.h"
#include "transfer/rank_transfer.h"

namespace railrunner::simulation {

namespace {

constexpr uint32_t kPages = 12;
constexpr uint32_t kLayers = 2;
constexpr uint64_t kSeed = 77;

struct Scene {
  uint32_t sources;
  TransferOp op;
  bool isStaged;
  uint32_t concurrent;
};

Scene sceneOf(const RankEngine& engine, const PlannedStep& step) {
  Random random(step.seed);
  const int size = engine.plan().worldSize;
  return {static_cast<uint32_t>(random.between(1, size - 1)),
          random.chance(50) ? TransferOp::kWrite : TransferOp::kRead, random.chance(30),
          static_cast<uint32_t>(random.between(1, 3))};
}

// Which pages of a source go to a target, and where: a target takes an own share of its pages from each source.
PageMove movedPages(const Scene& scene, uint32_t source) {
  PageMove move;
  for (uint32_t page = source; page < kPages; page += scene.sources) {
    move.sourcePages.push_back((page * 5 + 1) % kPages);
    move.targetPages.push_back((page * 7 + 2) % kPages);
  }
  move.layerBegin = 0;
  move.layerEnd = kLayers;
  return move;
}

PoolContent contentOf(const Scene& scene, bool isSource, bool arrived) {
  PoolContent content{9, 4, std::vector<BlockHolds>(kPages)};
  for (uint32_t page = 0; isSource && page < kPages; ++page) content.blocks[page] = {kSeed, page, 0, kLayers};
  for (uint32_t source = 0; arrived && !isSource && source < scene.sources; ++source) {
    const PageMove moved = movedPages(scene, source);
    for (size_t i = 0; i < moved.targetPages.size(); ++i)
      content.blocks[moved.targetPages[i]] = {kSeed, moved.sourcePages[i], 0, kLayers};
  }
  return content;
}

}  // namespace

void transferStep(RankEngine& engine, const PlannedStep& step) {
  const Scene scene = sceneOf(engine, step);
  const WorldInfo& info = engine.world().info();
  const auto size = static_cast<uint32_t>(info.worldSize);
  const auto rank = static_cast<uint32_t>(info.rank);
  const bool isSource = rank < scene.sources;
  CountedExchange exchange(engine);
  CountedGate gate(engine);
  const std::unique_ptr<Device> device = openDevice(DeviceKind::kHost, 0);
  const LayoutKind kind = isSource ? LayoutKind::kLayerSeparate : LayoutKind::kFullyContiguous;
  BlockPool pool(*device, Tier::kDevice, test::shapeOf({.numLayers = kLayers, .kind = kind}), {kPages}, "",
                 1);
  RankTransferOptions options;
  options.op = scene.op;
  (isSource ? options.source : options.target) = &pool;
  options.maxConcurrentTransfers = scene.concurrent;
  options.networkMemory = scene.isStaged ? NetworkMemory::kStaged : NetworkMemory::kAuto;
  options.bounceBytes = kMinBounceBytes;
  const bool starts = (scene.op == TransferOp::kWrite) == isSource;
  for (uint32_t peer = 0; peer < size; ++peer) {
    options.overNetwork.push_back(info.nodeOfRank[peer] != info.node ? 1 : 0);
    if (!starts || (peer < scene.sources) == isSource) continue;
    RankMove move;
    move.peer = peer;
    move.pages = movedPages(scene, isSource ? rank : peer);
    move.pages.heads = {{0, 8}};
    if (!move.pages.sourcePages.empty()) options.moves.push_back(std::move(move));
  }
  const auto transfer = RankTransfer::open(exchange, engine.control(), *device, options, 0);
  pool.prepare(contentOf(scene, isSource, false), engine.control());
  exchange.barrier();
  const RankTransferSamples samples = transfer->measure(GateRef(gate), {1, 2, false});
  exchange.barrier();
  if (!samples.measured.stopped) {
    const CheckReport report = pool.check(contentOf(scene, isSource, true), kCheckAllWords, engine.control());
    expect(report.wrong == 0, engine, "a transfer left wrong words: " + report.firstBad);
    expect(samples.early.empty(), engine, "bytes came behind their end signal: " + samples.early);
  }
  transfer->close(&exchange, 0);
}

}  // namespace railrunner::simulation
