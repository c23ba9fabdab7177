#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "device/device.h"
#include "kv/transfer.h"
#include "test/kv/threads_per_rank.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kSeed = 7;
constexpr uint32_t kBlocks = 24;

// 3 layers x 2 x 1 KiB; page and width chosen so that blocks are no multiple of a sector.
const LayoutShape kFull = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 8, 64, 2, 1);
const LayoutShape kFirst = uniform(LayoutKind::kLayerSeparate, BlockDim::kFirst, 3, 2, 8, 64, 2, 1);
const LayoutShape kSecond = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 3, 2, 8, 64, 2, 1);
const LayoutShape kOdd = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 1, 77, 1, 128);
const LayoutShape kSectors = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 2, 2, 32, 64, 2, 1);
const LayoutShape kLarge = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 8, 2, 32, 256, 2, 1);

PoolContent contentOf(uint32_t numBlocks, uint32_t numLayers, Tier tier,
                      const std::vector<uint32_t>& filled) {
  PoolContent content{3, 99, std::vector<BlockHolds>(numBlocks)};
  for (const uint32_t block : filled) content.blocks[block] = {tierSeed(kSeed, tier), block, 0, numLayers};
  return content;
}

struct Bench {
  std::unique_ptr<Device> device = openDevice(DeviceKind::kHost, 0);
  RunControl control;
  std::unique_ptr<BlockPool> source;
  std::unique_ptr<BlockPool> target;
  std::vector<uint32_t> from;
  std::vector<uint32_t> to;
  uint32_t layerBegin = 0;
  uint32_t layerEnd = 0;
  PoolContent targetContent;

  Bench(Tier fromTier, const LayoutShape& fromShape, Tier toTier, const LayoutShape& toShape, bool shuffled) {
    source = std::make_unique<BlockPool>(*device, fromTier, fromShape, std::vector<uint32_t>{kBlocks}, "/tmp",
                                         threadsPerRank(2));
    target = std::make_unique<BlockPool>(*device, toTier, toShape, std::vector<uint32_t>{kBlocks}, "/tmp",
                                         threadsPerRank(2));
    layerEnd = source->layout().numLayers;
    for (uint32_t i = 0; i < 10; ++i) {
      from.push_back(shuffled ? (i * 7 + 3) % kBlocks : i + 2);
      to.push_back(shuffled ? (i * 5 + 1) % kBlocks : i + 11);
    }
  }

  std::unique_ptr<Transfer> compile(Strategy strategy, TransferOptions options = {}) {
    std::vector<uint32_t> all(kBlocks);
    std::iota(all.begin(), all.end(), 0);
    source->prepare(contentOf(kBlocks, source->layout().numLayers, source->tier(), all), control);
    targetContent = contentOf(kBlocks, target->layout().numLayers, target->tier(), {});
    target->prepare(targetContent, control);
    options.strategy = strategy;
    return compileTransfer(*device, {{source.get(), target.get(), from, to, layerBegin, layerEnd}}, options);
  }

  CheckReport check(uint32_t step = kCheckAllWords) {
    PoolContent expected = targetContent;
    for (size_t i = 0; i < from.size(); ++i) {
      expected.blocks[to[i]] = {tierSeed(kSeed, source->tier()), from[i], layerBegin, layerEnd};
    }
    return target->check(expected, step, control);
  }

  void run(Transfer& transfer, uint32_t iterations = 3) {
    SoloGate gate;
    const MeasuredPhases measured = transfer.measure(GateRef(gate), {1, iterations, false}, control);
    expectEqual(measured.phases.front().timesUs.size(), iterations, "samples");
  }

  void copyAndCheck(Strategy strategy, const std::string& name, TransferOptions options = {}) {
    auto transfer = compile(strategy, options);
    run(*transfer);
    const CheckReport report = check();
    expectEqual(report.firstBad, std::string(), name);
    expectEqual(report.wrong, 0U, name + " wrong words");
    expectEqual(report.checked, (target->layout().totalBytes + 7) / 8 + extraPartialWords(),
                name + " checked words");
  }

  // Every region and gap of odd length ends in a word of its own.
  uint64_t extraPartialWords() const {
    const BlockLayout& layout = target->layout();
    uint64_t words = 0;
    for (const Strip& strip : layout.strips) {
      uint64_t extent = (strip.stride - strip.extentBytes + 7) / 8;
      forEachRegion(layout, strip, [&](uint32_t group, uint32_t, uint32_t outer) {
        extent += (layout.groups[group].outers[outer].regionBytes + 7) / 8;
      });
      words += extent * layout.sections[strip.section].numBlocks + (strip.gapBytes + 7) / 8;
    }
    return words - (layout.totalBytes + 7) / 8;
  }
};

void everyPair(const LayoutShape& a, const LayoutShape& b, const std::string& name) {
  for (const bool shuffled : {false, true}) {
    for (const Strategy strategy : {Strategy::kMemcpy, Strategy::kKernel, Strategy::kAuto}) {
      const std::string what = name + (shuffled ? " shuffled " : " sequential ") + strategyName(strategy);
      TransferOptions options;
      options.threads = threadsPerRank(2);
      options.maxTransferBatchSize = 3;
      options.maxConcurrentTransfers = 2;
      options.requestBytes = 8192;
      Bench(Tier::kDevice, a, Tier::kHost, b, shuffled)
          .copyAndCheck(strategy, what + " device to host", options);
      Bench(Tier::kHost, a, Tier::kDevice, b, shuffled)
          .copyAndCheck(strategy, what + " host to device", options);
      Bench(Tier::kDevice, a, Tier::kDisk, b, shuffled)
          .copyAndCheck(strategy, what + " device to disk", options);
      Bench(Tier::kHost, a, Tier::kDisk, b, shuffled).copyAndCheck(strategy, what + " host to disk", options);
      Bench(Tier::kDisk, a, Tier::kDevice, b, shuffled)
          .copyAndCheck(strategy, what + " disk to device", options);
    }
  }
}

}  // namespace

TEST("every pair, strategy and order moves the right blocks: equal layouts") {
  everyPair(kFull, kFull, "full");
  everyPair(kSecond, kSecond, "second");
  everyPair(kOdd, kOdd, "odd");
}

TEST("every pair moves the right blocks: unequal layouts") {
  everyPair(kFull, kSecond, "full to second");
  everyPair(kFirst, kFull, "first to full");
  everyPair(kSectors, kSectors, "sectors");
}

TEST("layer ranges leave the other layers alone, also inside a sector") {
  for (const Tier to : {Tier::kHost, Tier::kDisk}) {
    for (const LayoutShape& shape : {kFull, kFirst, kSecond, kOdd}) {
      Bench bench(Tier::kDevice, shape, to, shape, true);
      bench.layerBegin = 1;
      bench.layerEnd = 2;
      bench.copyAndCheck(Strategy::kAuto, std::string("to ") + tierName(to));
    }
  }
  Bench bench(Tier::kDisk, kFull, Tier::kDevice, kSecond, true);
  bench.layerBegin = 1;
  bench.layerEnd = 3;
  bench.copyAndCheck(Strategy::kAuto, "from disk");
}

TEST("blocks larger than a request and a chunk arrive whole") {
  TransferOptions options;
  options.requestBytes = 16384;
  options.queueDepth = 3;
  options.chunkBytes = 4096;
  Bench(Tier::kDevice, kLarge, Tier::kDisk, kLarge, true).copyAndCheck(Strategy::kAuto, "to disk", options);
  Bench(Tier::kDisk, kLarge, Tier::kDevice, kLarge, false)
      .copyAndCheck(Strategy::kAuto, "from disk", options);
  Bench(Tier::kDevice, kLarge, Tier::kHost, kLarge, false)
      .copyAndCheck(Strategy::kKernel, "to host", options);
}

TEST("aligned regions go straight between file and pool, others through a buffer") {
  Bench aligned(Tier::kDevice, kSectors, Tier::kDisk, kSectors, false);
  auto transfer = aligned.compile(Strategy::kAuto);
  expectEqual(transfer->facts()[0].bytes.disk, transfer->facts()[0].bytes.payload, "no padding");
  Bench odd(Tier::kDevice, kOdd, Tier::kDisk, kOdd, false);
  auto padded = odd.compile(Strategy::kAuto);
  expectEqual(padded->facts()[0].bytes.payload, 10U * 3 * 2 * 77, "payload");
  expectEqual(padded->facts()[0].bytes.disk, 10U * 4096, "one sector a block");
}

TEST("both directions at once move both, each timed") {
  for (const Tier other : {Tier::kHost, Tier::kDisk}) {
    Bench bench(Tier::kDevice, kFull, other, kFull, false);
    const std::vector<uint32_t> out{0, 1, 2, 3};
    const std::vector<uint32_t> outTo{4, 5, 6, 7};
    const std::vector<uint32_t> in{8, 9, 10};
    const std::vector<uint32_t> inTo{11, 12, 13};
    PoolContent device = contentOf(kBlocks, 3, Tier::kDevice, out);
    PoolContent cold = contentOf(kBlocks, 3, other, in);
    bench.source->prepare(device, bench.control);
    bench.target->prepare(cold, bench.control);
    auto transfer = compileTransfer(*bench.device,
                                    {{bench.source.get(), bench.target.get(), out, outTo, 0, 3},
                                     {bench.target.get(), bench.source.get(), in, inTo, 0, 3}},
                                    {});
    SoloGate gate;
    const auto phases = transfer->measure(GateRef(gate), {2, 4, false}, bench.control).phases;
    expectEqual(phases.size(), 3U, "the whole and each direction");
    const std::string otherName = tierName(other);
    expectEqual(phases[0].phase + " " + phases[0].direction, "total device<->" + otherName, "the whole");
    expectEqual(phases[1].phase + " " + phases[1].direction, "offload device->" + otherName, "outward");
    expectEqual(phases[2].phase + " " + phases[2].direction, "onboard " + otherName + "->device", "inward");
    expectEqual(phases[0].bytes.payload, phases[1].bytes.payload + phases[2].bytes.payload, "payload");
    for (const Phase& phase : phases) expectEqual(phase.timesUs.size(), 4U, "samples");
    for (size_t i = 0; i < 4; ++i) ok(phases[0].timesUs[i] >= phases[1].timesUs[i], "whole < part");
    for (size_t i = 0; i < out.size(); ++i)
      cold.blocks[outTo[i]] = {tierSeed(kSeed, Tier::kDevice), out[i], 0, 3};
    for (size_t i = 0; i < in.size(); ++i) device.blocks[inTo[i]] = {tierSeed(kSeed, other), in[i], 0, 3};
    expectEqual(bench.target->check(cold, 1, bench.control).firstBad, std::string(), "outward");
    expectEqual(bench.source->check(device, 1, bench.control).firstBad, std::string(), "inward");
  }
}

TEST("probes run on every pair") {
  for (const Tier to : {Tier::kHost, Tier::kDisk}) {
    Bench bench(Tier::kDevice, kFull, to, kFull, false);
    auto transfer = bench.compile(Strategy::kAuto);
    SoloGate gate;
    const ProbeResult probe = transfer->probe(GateRef(gate), bench.control);
    ok(probe.GBps > 0, "probe of 0");
    bench.run(*transfer);
    expectEqual(bench.check().firstBad, std::string(), "data after the probe");
  }
}

TEST("illegal block ids are refused before memory is touched") {
  struct Row {
    std::vector<uint32_t> from, to;
    uint32_t layerBegin, layerEnd;
    const char* says;
  };
  const std::vector<Row> rows{
      {{1, 2}, {1}, 0, 3, "2 sources for 1 targets"},
      {{}, {}, 0, 3, "at least one block"},
      {{24}, {0}, 0, 3, "source block id 24"},
      {{0}, {24}, 0, 3, "target block id 24"},
      {{0, 1}, {5, 5}, 0, 3, "5 appears twice"},
      {{0}, {0}, 1, 1, "layer range [1, 1)"},
      {{0}, {0}, 2, 4, "end <= 3"},
  };
  for (const Row& row : rows) {
    Bench bench(Tier::kDevice, kFull, Tier::kHost, kFull, false);
    bench.from = row.from;
    bench.to = row.to;
    bench.layerBegin = row.layerBegin;
    bench.layerEnd = row.layerEnd;
    throws(ErrorCode::kBlockIds, row.says, [&] { bench.compile(Strategy::kAuto); });
    const CheckReport untouched = bench.target->check(bench.targetContent, 1, bench.control);
    expectEqual(untouched.wrong, 0U, row.says);
  }
}

TEST("overlaps are refused inside a pool and between directions") {
  Bench bench(Tier::kDevice, kFull, Tier::kHost, kFull, false);
  BlockPool* device = bench.source.get();
  BlockPool* host = bench.target.get();
  throws(ErrorCode::kBlockIds, "source and target of one transfer", [&] {
    validateLane({device, device, {1, 2}, {2, 3}, 0, 3});
  });
  throws(ErrorCode::kBlockIds, "by one direction", [&] {
    compileTransfer(*bench.device, {{device, host, {1}, {2}, 0, 3}, {host, device, {2}, {4}, 0, 3}}, {});
  });
  throws(ErrorCode::kBlockIds, "by one direction", [&] {
    compileTransfer(*bench.device, {{device, host, {1}, {2}, 0, 3}, {host, device, {3}, {1}, 0, 3}}, {});
  });
}

TEST("pairs and strategies that are not there are refused by name") {
  Bench bench(Tier::kDevice, kFull, Tier::kHost, kFull, false);
  throws(ErrorCode::kUnsupportedHere, "memcpyBatch", [&] { bench.compile(Strategy::kMemcpyBatch); });
  throws(ErrorCode::kUnsupportedHere, "staged", [&] { bench.compile(Strategy::kStaged); });
  Bench disk(Tier::kDisk, kFull, Tier::kHost, kFull, false);
  throws(ErrorCode::kArgument, "no transfer from disk to host", [&] { disk.compile(Strategy::kAuto); });
  Bench unequal(Tier::kDevice, kFull, Tier::kHost, kSectors, false);
  throws(ErrorCode::kArgument, "equal regions", [&] { unequal.compile(Strategy::kAuto); });
}

TEST("an abort ends every kind of loop") {
  for (const Tier to : {Tier::kHost, Tier::kDisk}) {
    for (const Strategy strategy : {Strategy::kMemcpy, Strategy::kKernel}) {
      Bench bench(Tier::kDevice, kFull, to, kFull, false);
      auto transfer = bench.compile(strategy);
      bench.control.abort.store(1);
      throws(ErrorCode::kAborted, "stopped", [&] { bench.run(*transfer); });
    }
  }
}

int main() { return runAll(); }
