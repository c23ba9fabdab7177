// Blocks of several groups of layers: where their regions lie, that every pair of tiers and strategy moves
// each of them, and that verification finds what only such blocks can have wrong.
#include <map>
#include <numeric>

#include "device/device.h"
#include "kv/copy_plan.h"
#include "kv/disk_plan.h"
#include "kv/transfer.h"
#include "test/kv/group_shapes.h"
#include "test/kv/small_transfers.h"
#include "test/kv/threads_per_rank.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr auto kFull = LayoutKind::kFullyContiguous;
constexpr auto kSeparate = LayoutKind::kLayerSeparate;
constexpr uint32_t kBlocks = 24;
constexpr uint64_t kSeed = 7;

PoolContent contentOf(const BlockPool& pool, const std::vector<uint32_t>& filled) {
  PoolContent content{3, 99, std::vector<BlockHolds>(pool.layout().numBlocks)};
  for (const uint32_t block : filled)
    content.blocks[block] = {tierSeed(kSeed, pool.tier()), block, 0, pool.layout().numLayers};
  return content;
}

struct Bench {
  std::unique_ptr<Device> device = openDevice(DeviceKind::kHost, 0);
  RunControl control;
  BlockPool source;
  BlockPool target;
  std::vector<uint32_t> from, to;
  uint32_t layerBegin = 0;
  uint32_t layerEnd;
  PoolContent before;

  Bench(Tier fromTier, const LayoutShape& fromShape, Tier toTier, const LayoutShape& toShape)
      : source(*device, fromTier, fromShape, blocksOf(fromShape, kBlocks), "/tmp", threadsPerRank(2)),
        target(*device, toTier, toShape, blocksOf(toShape, kBlocks), "/tmp", threadsPerRank(2)),
        layerEnd(source.layout().numLayers) {
    // Blocks of all sections, interleaved; some neighbours, some scattered.
    const uint32_t first[] = {3, 4, 5, 11, 1, 9};
    const uint32_t firstTo[] = {7, 8, 9, 2, 14, 0};
    const uint32_t second[] = {16, 17, 20, 23};
    const uint32_t secondTo[] = {21, 22, 16, 18};
    for (size_t i = 0; i < 6; ++i) {
      from.push_back(first[i]);
      to.push_back(firstTo[i]);
      if (i >= 4) continue;
      from.push_back(second[i]);
      to.push_back(secondTo[i]);
    }
  }

  std::unique_ptr<Transfer> compile(const TransferOptions& options) {
    std::vector<uint32_t> all(kBlocks);
    std::iota(all.begin(), all.end(), 0);
    source.prepare(contentOf(source, all), control);
    before = contentOf(target, {});
    target.prepare(before, control);
    return compileTransfer(*device, {{&source, &target, from, to, layerBegin, layerEnd}}, options);
  }

  CheckReport check(uint32_t step = kCheckAllWords) {
    PoolContent expected = before;
    for (size_t i = 0; i < from.size(); ++i)
      expected.blocks[to[i]] = {tierSeed(kSeed, source.tier()), from[i], layerBegin, layerEnd};
    return target.check(expected, step, control);
  }

  void copyAndCheck(const TransferOptions& options, const std::string& name) {
    auto transfer = compile(options);
    const uint64_t payload = payloadOf(source.layout(), from, layerBegin, layerEnd).bytes;
    expectEqual(transfer->facts()[0].bytes.payload, payload, name + " payload");
    SoloGate gate;
    transfer->measure(GateRef(gate), {1, 2, false}, control);
    const CheckReport report = check();
    expectEqual(report.firstBad, std::string(), name);
    expectEqual(report.wrong, 0U, name + " wrong words");
    ok(report.checked >= target.layout().totalBytes / 8, name + ": too few words were compared");
  }
};

void everyPair(const LayoutShape& a, const LayoutShape& b, const std::string& name, uint32_t layerBegin,
               uint32_t layerEnd) {
  const Tier pairs[][2] = {{Tier::kDevice, Tier::kHost},
                           {Tier::kHost, Tier::kDevice},
                           {Tier::kDevice, Tier::kDisk},
                           {Tier::kDisk, Tier::kDevice}};
  for (const Strategy strategy : {Strategy::kMemcpy, Strategy::kKernel, Strategy::kAuto}) {
    for (const auto& pair : pairs) {
      Bench bench(pair[0], a, pair[1], b);
      bench.layerBegin = layerBegin;
      if (layerEnd != 0) bench.layerEnd = layerEnd;
      bench.copyAndCheck(
          smallTransfers(strategy, threadsPerRank(2)),
          name + " " + strategyName(strategy) + " " + tierName(pair[0]) + " to " + tierName(pair[1]));
    }
  }
}

// A host transfer of windowed blocks, in which `plant` then does damage; `says` must be in the first finding.
void mustFind(const LayoutShape& shape, const std::string& says, const std::function<void(Bench&)>& plant) {
  for (const Tier tier : {Tier::kHost, Tier::kDisk}) {
    Bench bench(Tier::kDevice, shape, tier, shape);
    auto transfer = bench.compile(smallTransfers(Strategy::kAuto, threadsPerRank(2)));
    SoloGate gate;
    transfer->measure(GateRef(gate), {0, 1, false}, bench.control);
    expectEqual(bench.check().firstBad, std::string(), "before the fault");
    plant(bench);
    ok(bench.check(kCheckSampledWords).wrong > 0, "a sampled check sees it");
    const CheckReport report = bench.check();
    ok(report.wrong > 0, "a full check sees it");
    ok(report.firstBad.find(says) != std::string::npos, report.firstBad + " lacks " + says);
  }
}

std::vector<uint8_t> read(BlockPool& pool, uint64_t offset, uint64_t bytes) {
  std::vector<uint8_t> data(bytes);
  pool.store().readBytes(offset, data.data(), bytes);
  return data;
}

}  // namespace

TEST("a fullyContiguous block holds group behind group, at worked out addresses") {
  const BlockLayout layout = makeLayout(windowed(kFull, BlockDim::kFirst, 1, 0), {4}, 1);
  expectEqual(layout.numLayers, 6U, "layers");
  expectEqual(layout.strips.size(), 1U, "one run a block");
  expectEqual(layout.strips[0].extentBytes, 2U * 640 + 4U * 1280, "block");
  expectEqual(layout.offset(1, 0, 1, 1), 6400U + 640 + 384, "block 1, layer 5, V of full");
  expectEqual(layout.offset(2, 1, 3, 0), 2U * 6400 + 1280 + 3 * 1280, "block 2, layer 4, K of window");
  expectEqual(layout.totalBytes, 4U * 6400, "pool");
}

TEST("layerSeparate has a buffer for each layer of a group, K and V each in steps of their own") {
  const BlockLayout first = makeLayout(windowed(kSeparate, BlockDim::kFirst, 1, 0), {4}, 1);
  expectEqual(first.strips.size(), 6U, "buffers");
  expectEqual(first.offset(3, 0, 0, 1), 3U * 640 + 384, "block first: V behind K");
  expectEqual(first.offset(0, 1, 0, 0), 2U * 2560, "window behind two layers of full");
  const BlockLayout second = makeLayout(windowed(kSeparate, BlockDim::kSecond, 1, 0), {4}, 1);
  expectEqual(second.strips.size(), 12U, "a strip for each of K and V");
  expectEqual(second.offset(3, 0, 0, 0), 3U * 384, "K in steps of K");
  expectEqual(second.offset(3, 0, 0, 1), 4U * 384 + 3 * 256, "V in steps of V, behind all K");
  expectEqual(second.groups[0].layerStride, 2560U, "a layer of full");
  const BlockLayout disk = makeLayout(windowed(kSeparate, BlockDim::kSecond, 1, 0), {3}, kDiskBlockBytes);
  expectEqual(disk.offset(2, 1, 0, 1), 2U * 2 * 3 * 4096 + 3 * 4096 + 2 * 4096, "regions in sectors");
}

TEST("a group whose window ends has blocks of its own, with ids behind the others") {
  for (const LayoutKind kind : {kFull, kSeparate}) {
    const BlockLayout layout = makeLayout(windowed(kind, BlockDim::kSecond, 1, 1), {5, 2}, 1);
    expectEqual(layout.numBlocks, 7U, "blocks");
    expectEqual(layout.sections[1].firstBlock, 5U, "first block of the windows");
    const std::vector<uint32_t> ids{0, 4, 5, 6};
    expectEqual(payloadOf(layout, ids, 0, 6).bytes, 2U * 2 * 640 + 2U * 4 * 1280, "payload");
    expectEqual(payloadOf(layout, ids, 2, 3).bytes, 2U * 640, "layer 2 is of full alone");
    expectEqual(payloadOf(layout, ids, 0, 6).regions, 2U * 4 + 2 * 8, "regions");
  }
  const BlockLayout full = makeLayout(windowed(kFull, BlockDim::kFirst, 1, 1), {5, 2}, 1);
  expectEqual(full.offset(5, 1, 0, 0), 6656U, "behind 5 blocks of 1280, at a multiple of 512");
  expectEqual(full.strips[0].gapBytes, 256U, "gap between the sections");
}

TEST("extents and gaps tile every pool by address, without a hole") {
  for (const NamedShape& each : groupShapes()) {
    for (const uint64_t alignment : {uint64_t{1}, kDiskBlockBytes}) {
      const BlockLayout layout = makeLayout(each.shape, blocksOf(each.shape, 7), alignment);
      uint64_t end = 0;
      for (uint64_t index = 0; index < layout.numExtents; ++index) {
        const Extent extent = extentAt(layout, index);
        expectEqual(extent.offset, end, std::string(each.name) + " extent " + std::to_string(index));
        uint64_t bytes = 0;
        forEachRegion(layout, *extent.strip, [&](uint32_t group, uint32_t position, uint32_t outer) {
          expectEqual(layout.offset(extent.block, group, position, outer), extent.offset + bytes, "region");
          bytes += layout.groups[group].outers[outer].regionBytes;
        });
        expectEqual(bytes, extent.strip->extentBytes, "regions of an extent");
        end += extent.strip->stride;
        const Section& section = layout.sections[extent.strip->section];
        if (extent.block + 1 == section.firstBlock + section.numBlocks) end += extent.strip->gapBytes;
      }
      expectEqual(end, layout.totalBytes, "pool");
    }
  }
}

TEST("illegal groups are refused by name") {
  const auto refuse = [](const char* says, const LayoutShape& shape, const std::vector<uint32_t>& blocks) {
    throws(ErrorCode::kArgument, says, [&] { makeLayout(shape, blocks, 1); });
  };
  const GroupShape group{"g", {0, 1}, {64}, 0};
  refuse("groups", {kFull, BlockDim::kFirst, 1, {}}, {1});
  refuse("groups", {kFull, BlockDim::kFirst, 1, std::vector<GroupShape>(9, group)}, {1});
  refuse("ascending", {kFull, BlockDim::kFirst, 1, {{"g", {1, 1}, {64}, 0}}}, {1});
  refuse("outerDim of group g", {kFull, BlockDim::kFirst, 1, {{"g", {0}, {1, 2, 3}, 0}}}, {1});
  refuse("region bytes of group g", {kFull, BlockDim::kFirst, 1, {{"g", {0}, {0}, 0}}}, {1});
  refuse("layers of group g", {kFull, BlockDim::kFirst, 1, {{"g", {}, {64}, 0}}}, {1});
  refuse("section of group g", {kFull, BlockDim::kFirst, 1, {{"g", {0}, {64}, 1}}}, {1, 1});
  refuse("section of group g", {kFull, BlockDim::kFirst, 1, {group, {"g", {0}, {64}, 2}}}, {1, 1, 1});
  refuse("sections", {kFull, BlockDim::kFirst, 1, {group}}, {1, 1});
  refuse("sections", {kFull, BlockDim::kFirst, 1, {group, {"g", {0}, {64}, 1}}}, {1});
  refuse("numBlocks", {kFull, BlockDim::kFirst, 1, {group, {"g", {0}, {64}, 1}}}, {UINT32_MAX, 1});
}

TEST("a whole block goes as one run, and neighbours with it") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const auto shape = windowed(kFull, BlockDim::kFirst, 1, 0);
  BlockPool source(*device, Tier::kDevice, shape, {8}, "", 1);
  BlockPool target(*device, Tier::kHost, shape, {8}, "", 1);
  const LaneRequest lane{&source, &target, {2, 3, 4}, {5, 6, 7}, 0, 6};
  expectEqual(compileCopyPlan(lane, {true, 16, 0}).spans.size(), 1U, "three neighbours");
  expectEqual(compileCopyPlan(lane, {false, 16, 0}).spans.size(), 3U * 12, "a copy for each region");
  BlockPool separate(*device, Tier::kHost, windowed(kSeparate, BlockDim::kSecond, 1, 0), {8}, "", 1);
  const LaneRequest apart{&source, &separate, {2, 3, 4}, {5, 6, 7}, 0, 6};
  expectEqual(compileCopyPlan(apart, {true, 16, 0}).spans.size(), 3U * 12, "runs of one region");
}

TEST("every pair and strategy moves the right regions of every kind of block") {
  for (const NamedShape& each : groupShapes()) everyPair(each.shape, each.shape, each.name, 0, 0);
}

TEST("pairs of different layouts move the right regions") {
  for (const uint32_t section : {0U, 1U}) {
    everyPair(windowed(kFull, BlockDim::kFirst, 1, section),
              windowed(kSeparate, BlockDim::kSecond, 1, section), "full to second", 0, 0);
    everyPair(windowed(kSeparate, BlockDim::kFirst, 64, section),
              windowed(kFull, BlockDim::kFirst, 1, section), "first to full", 0, 0);
  }
}

TEST("layer ranges leave the other layers alone, where groups share sectors") {
  for (const NamedShape& each : groupShapes()) {
    everyPair(each.shape, each.shape, std::string(each.name) + " layers 1 and 2", 1, 3);
    everyPair(each.shape, each.shape, std::string(each.name) + " layer 2", 2, 3);
  }
}

TEST("blocks larger than a request and a chunk arrive whole") {
  for (const uint32_t section : {0U, 1U}) {
    const auto shape = largeWindowed(kFull, BlockDim::kFirst, section);
    TransferOptions options = smallTransfers(Strategy::kKernel, threadsPerRank(2));
    options.chunkBytes = 40960;
    options.requestBytes = 12288;
    Bench(Tier::kDevice, shape, Tier::kHost, shape).copyAndCheck(options, "to host");
    Bench(Tier::kDevice, shape, Tier::kDisk, shape).copyAndCheck(options, "to disk");
    Bench(Tier::kDisk, shape, Tier::kDevice, shape).copyAndCheck(options, "from disk");
  }
}

TEST("requests of one transfer never meet in a sector") {
  for (const NamedShape& each : groupShapes()) {
    Bench bench(Tier::kDevice, each.shape, Tier::kDisk, each.shape);
    bench.layerBegin = 1;
    bench.layerEnd = 3;
    bench.compile(smallTransfers(Strategy::kKernel, threadsPerRank(2)));
    const LaneRequest lane{&bench.source, &bench.target, bench.from, bench.to, 1, 3};
    const DiskPlan plan = compileDiskPlan(lane, {3, 8192, true, 0});
    std::map<uint64_t, uint64_t> ranges;
    for (const DiskRequest& request : plan.requests) ranges[request.fileOffset] = request.bytes;
    expectEqual(ranges.size(), plan.requests.size(), "no two at one place");
    uint64_t end = 0;
    for (const auto& [offset, bytes] : ranges) {
      ok(offset >= end, std::string(each.name) + ": sectors meet");
      end = offset + bytes;
    }
  }
}

TEST("groups that are swapped are found, and named") {
  // Two regions of equal bytes, one of each group, change places.
  const LayoutShape alike{kFull, BlockDim::kFirst, 1, {{"full", {1}, {640}, 0}, {"window", {0}, {640}, 0}}};
  mustFind(alike, "block 7 group full layer 1 outer 0 word 0", [](Bench& bench) {
    const BlockLayout& layout = bench.target.layout();
    const auto full = read(bench.target, layout.offset(7, 0, 0, 0), 640);
    const auto window = read(bench.target, layout.offset(7, 1, 0, 0), 640);
    bench.target.store().writeBytes(layout.offset(7, 0, 0, 0), window.data(), 640);
    bench.target.store().writeBytes(layout.offset(7, 1, 0, 0), full.data(), 640);
  });
}

TEST("a block written as if its groups had each other's sizes is found") {
  for (const uint32_t section : {0U, 1U}) {
    mustFind(windowed(kFull, BlockDim::kFirst, 1, section), "block 7 group ", [](Bench& bench) {
      // The same bytes, 128 too early from the second region on, as a wrong region size would put them.
      const BlockLayout& layout = bench.target.layout();
      const uint64_t at = layout.offset(7, 0, 0, 1);
      const auto data = read(bench.target, at, 640);
      bench.target.store().writeBytes(at - 128, data.data(), 640);
    });
  }
}

TEST("V in K's place is found, and the damaged window of another section") {
  mustFind(uneven(kSeparate, BlockDim::kSecond, 1), "block 9 layer 1 outer 0", [](Bench& bench) {
    const BlockLayout& layout = bench.target.layout();
    const auto v = read(bench.target, layout.offset(9, 0, 1, 1), 1024);
    bench.target.store().writeBytes(layout.offset(9, 0, 1, 0), v.data(), v.size());
  });
  mustFind(windowed(kSeparate, BlockDim::kFirst, 1, 1), "block 21 group window layer 3 outer 1 word 63",
           [](Bench& bench) {
             const uint64_t at = bench.target.layout().offset(21, 1, 2, 1) + 511;
             auto byte = read(bench.target, at, 1);
             byte[0] ^= 0x80;
             bench.target.store().writeBytes(at, byte.data(), 1);
           });
}

TEST("blocks of different sections are no pair, and layers that no block holds are no transfer") {
  const auto shape = windowed(kFull, BlockDim::kFirst, 1, 1);
  Bench bench(Tier::kDevice, shape, Tier::kHost, shape);
  const auto refuse = [&](const char* says, std::vector<uint32_t> from, std::vector<uint32_t> to,
                          uint32_t layerBegin, uint32_t layerEnd) {
    throws(ErrorCode::kBlockIds, says, [&] {
      validateLane({&bench.source, &bench.target, std::move(from), std::move(to), layerBegin, layerEnd});
    });
  };
  refuse("different groups", {3, 16}, {4, 5}, 0, 6);
  refuse("hold nothing", {16}, {17}, 2, 3);
  refuse("source block id 24", {24}, {17}, 0, 6);
  validateLane({&bench.source, &bench.target, {3, 16}, {4, 23}, 2, 3});
}

int main() { return runAll(); }
