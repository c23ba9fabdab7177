// Blocks of several groups of layers on a cuda device: every pair of tiers and strategy moves the right
// regions, and the check by kernels finds what the check by CPU threads finds. Without a GPU all of it is
// skipped by name.
#include <cuda_runtime_api.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "device/cuda/cuda_device.h"
#include "device/device.h"
#include "kv/transfer.h"
#include "test/kv/group_shapes.h"
#include "test/kv/small_transfers.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kSeed = 7;
constexpr uint32_t kBlocks = 24;
constexpr auto kFull = LayoutKind::kFullyContiguous;
constexpr auto kSeparate = LayoutKind::kLayerSeparate;
constexpr Strategy kStrategies[] = {Strategy::kMemcpy, Strategy::kMemcpyBatch, Strategy::kKernel,
                                    Strategy::kStaged, Strategy::kAuto};

Device& gpu() {
  static const std::unique_ptr<Device> device = openDevice(DeviceKind::kCuda, 0);
  return *device;
}

PoolContent contentOf(const BlockPool& pool, const std::vector<uint32_t>& filled) {
  PoolContent content{3, 99, std::vector<BlockHolds>(pool.layout().numBlocks)};
  for (const uint32_t block : filled)
    content.blocks[block] = {tierSeed(kSeed, pool.tier()), block, 0, pool.layout().numLayers};
  return content;
}

struct Bench {
  RunControl control;
  BlockPool source;
  BlockPool target;
  // Blocks of both sections, interleaved; some neighbours, some scattered.
  std::vector<uint32_t> from{3, 16, 4, 17, 5, 20, 11, 23, 1, 9};
  std::vector<uint32_t> to{7, 21, 8, 22, 9, 16, 2, 18, 14, 0};
  uint32_t layerBegin = 0;
  uint32_t layerEnd;
  PoolContent before;

  Bench(Tier fromTier, const LayoutShape& fromShape, Tier toTier, const LayoutShape& toShape)
      : source(gpu(), fromTier, fromShape, blocksOf(fromShape, kBlocks), "/tmp", 2),
        target(gpu(), toTier, toShape, blocksOf(toShape, kBlocks), "/tmp", 2),
        layerEnd(source.layout().numLayers) {}

  void copyAndCheck(const TransferOptions& options, const std::string& name) {
    std::vector<uint32_t> all(kBlocks);
    std::iota(all.begin(), all.end(), 0);
    source.prepare(contentOf(source, all), control);
    before = contentOf(target, {});
    target.prepare(before, control);
    const auto transfer =
        compileTransfer(gpu(), {{&source, &target, from, to, layerBegin, layerEnd}}, options);
    SoloGate gate;
    transfer->measure(GateRef(gate), {1, 3, false}, control);
    const LaneFacts facts = transfer->facts()[0];
    expectEqual(facts.bytes.payload, payloadOf(source.layout(), from, layerBegin, layerEnd).bytes, name);
    PoolContent expected = before;
    for (size_t i = 0; i < from.size(); ++i)
      expected.blocks[to[i]] = {tierSeed(kSeed, source.tier()), from[i], layerBegin, layerEnd};
    const CheckReport report = target.check(expected, kCheckAllWords, control);
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
  for (const Strategy strategy : kStrategies) {
    for (const auto& pair : pairs) {
      Bench bench(pair[0], a, pair[1], b);
      bench.layerBegin = layerBegin;
      if (layerEnd != 0) bench.layerEnd = layerEnd;
      bench.copyAndCheck(smallTransfers(strategy), name + " " + strategyName(strategy) + " " +
                                                       tierName(pair[0]) + " to " + tierName(pair[1]));
    }
  }
}

// The same bytes in memory of this process, compared by CPU threads.
CheckReport checkByCpu(BlockPool& pool, const PoolContent& content, const RunControl& control) {
  std::vector<std::byte> bytes(pool.layout().totalBytes);
  pool.store().readBytes(0, bytes.data(), bytes.size());
  return MemoryStore(bytes.data(), pool.layout(), 1).check(content, kCheckAllWords, control);
}

}  // namespace

TEST("every pair and strategy moves the right regions of every kind of block") {
  for (const NamedShape& each : groupShapes()) everyPair(each.shape, each.shape, each.name, 0, 0);
}

TEST("pairs of different layouts and large blocks move the right regions") {
  for (const uint32_t section : {0U, 1U}) {
    everyPair(windowed(kFull, BlockDim::kFirst, 1, section),
              windowed(kSeparate, BlockDim::kSecond, 1, section), "full to second", 0, 0);
    everyPair(largeWindowed(kSeparate, BlockDim::kSecond, section),
              largeWindowed(kFull, BlockDim::kFirst, section), "large", 0, 0);
  }
}

TEST("layer ranges leave the other layers alone, where groups share sectors") {
  for (const NamedShape& each : groupShapes()) {
    everyPair(each.shape, each.shape, std::string(each.name) + " layers 1 and 2", 1, 3);
    everyPair(each.shape, each.shape, std::string(each.name) + " layer 2", 2, 3);
  }
}

TEST("the check by kernels finds each flipped bit that the check by CPU threads finds, and names it alike") {
  for (const NamedShape& each : groupShapes()) {
    RunControl control;
    BlockPool pool(gpu(), Tier::kDevice, each.shape, blocksOf(each.shape, kBlocks), "/tmp", 2);
    const PoolContent content = contentOf(pool, {1, 5, 17, 23});
    pool.prepare(content, control);
    const CheckReport clean = pool.check(content, kCheckAllWords, control);
    expectEqual(clean.firstBad, std::string(), "before any fault");
    expectEqual(clean.checked, checkByCpu(pool, content, control).checked, "words compared");
    const BlockLayout& layout = pool.layout();
    std::vector<uint64_t> places{0, layout.totalBytes - 1};
    for (const Strip& strip : layout.strips) {
      const uint64_t last = strip.begin + strip.stride * layout.sections[strip.section].numBlocks - 1;
      for (const uint64_t place : {strip.begin, strip.begin + strip.stride, last, last + strip.gapBytes})
        places.push_back(place);
    }
    for (uint32_t group = 0; group < layout.groups.size(); ++group) {
      for (uint32_t outer = 0; outer < layout.groups[group].numOuters; ++outer) {
        const uint32_t block = layout.sections[layout.groups[group].section].firstBlock + 1;
        places.push_back(layout.offset(block, group, 1, outer) +
                         layout.groups[group].outers[outer].regionBytes - 1);
      }
    }
    for (const uint64_t place : places) {
      uint8_t byte = 0;
      pool.store().readBytes(place, &byte, 1);
      byte ^= 0x10;
      pool.store().writeBytes(place, &byte, 1);
      const CheckReport found = pool.check(content, kCheckAllWords, control);
      const CheckReport expected = checkByCpu(pool, content, control);
      expectEqual(found.wrong, 1U, "one flipped bit at " + std::to_string(place));
      expectEqual(found.firstBad, "device " + expected.firstBad, each.name);
      byte ^= 0x10;
      pool.store().writeBytes(place, &byte, 1);
    }
  }
}

int main() {
  const CudaProbe probe = probeCuda();
  if (probe.devices == 0) {
    std::printf("TAP version 14\n1..0 # SKIP needs 1 GPU (%s)\n", probe.reason.c_str());
    return 0;
  }
  return runAll();
}
