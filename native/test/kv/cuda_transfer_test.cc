// Transfers and pool contents of a cuda device: every pair of tiers, strategy and layout moves the right
// blocks, and the check by kernels sees every kind of fault. Without a GPU all of it is skipped by name.
#include <cuda_runtime_api.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "device/cuda/cuda_device.h"
#include "device/device.h"
#include "kv/transfer.h"
#include "test/kv/small_transfers.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kSeed = 7;
constexpr uint32_t kBlocks = 24;

const LayoutShape kFull = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 8, 64, 2, 1);
const LayoutShape kFirst = uniform(LayoutKind::kLayerSeparate, BlockDim::kFirst, 3, 2, 8, 64, 2, 1);
const LayoutShape kSecond = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 3, 2, 8, 64, 2, 1);
const LayoutShape kOdd = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 1, 77, 1, 128);
const LayoutShape kOddSecond = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 3, 2, 1, 77, 1, 64);
// 64 KiB regions, and enough of them that a staged copy takes several steps and `auto` stages.
const LayoutShape kLarge = uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 8, 2, 32, 1024, 2, 1);
const LayoutShape kLargeFull = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 8, 2, 32, 1024, 2, 1);

constexpr Strategy kStrategies[] = {Strategy::kMemcpy, Strategy::kMemcpyBatch, Strategy::kKernel,
                                    Strategy::kStaged, Strategy::kAuto};

PoolContent contentOf(uint32_t numLayers, Tier tier, const std::vector<uint32_t>& filled) {
  PoolContent content{3, 99, std::vector<BlockHolds>(kBlocks)};
  for (const uint32_t block : filled) content.blocks[block] = {tierSeed(kSeed, tier), block, 0, numLayers};
  return content;
}

Device& gpu() {
  static const std::unique_ptr<Device> device = openDevice(DeviceKind::kCuda, 0);
  return *device;
}

struct Bench {
  RunControl control;
  BlockPool source;
  BlockPool target;
  std::vector<uint32_t> from;
  std::vector<uint32_t> to;
  uint32_t layerBegin = 0;
  uint32_t layerEnd;
  PoolContent targetContent;

  Bench(Tier fromTier, const LayoutShape& fromShape, Tier toTier, const LayoutShape& toShape)
      : source(gpu(), fromTier, fromShape, {kBlocks}, "/tmp", 2),
        target(gpu(), toTier, toShape, {kBlocks}, "/tmp", 2),
        layerEnd(source.layout().numLayers) {
    for (uint32_t i = 0; i < 10; ++i) from.push_back((i * 7 + 3) % kBlocks);
    to = {0, 1, 2, 3, 4, 7, 12, 17, 22, 9};  // some neighbours, some scattered
  }

  std::unique_ptr<Transfer> compile(TransferOptions options) {
    std::vector<uint32_t> all(kBlocks);
    std::iota(all.begin(), all.end(), 0);
    source.prepare(contentOf(source.layout().numLayers, source.tier(), all), control);
    targetContent = contentOf(target.layout().numLayers, target.tier(), {});
    target.prepare(targetContent, control);
    return compileTransfer(gpu(), {{&source, &target, from, to, layerBegin, layerEnd}}, options);
  }

  CheckReport check() {
    PoolContent expected = targetContent;
    for (size_t i = 0; i < from.size(); ++i) {
      expected.blocks[to[i]] = {tierSeed(kSeed, source.tier()), from[i], layerBegin, layerEnd};
    }
    return target.check(expected, kCheckAllWords, control);
  }

  void copyAndCheck(const TransferOptions& options, const std::string& name) {
    const auto transfer = compile(options);
    SoloGate gate;
    for (const Phase& phase : transfer->measure(GateRef(gate), {1, 3, false}, control).phases) {
      expectEqual(phase.timesUs.size(), 3U, name + " samples");
    }
    const CheckReport report = check();
    expectEqual(report.firstBad, std::string(), name);
    expectEqual(report.wrong, 0U, name + " wrong words");
    ok(report.checked >= target.layout().totalBytes / 8, name + ": too few words were compared");
  }
};

void everyPair(const LayoutShape& a, const LayoutShape& b, const std::string& name) {
  const Tier pairs[][2] = {{Tier::kDevice, Tier::kHost},
                           {Tier::kHost, Tier::kDevice},
                           {Tier::kDevice, Tier::kDisk},
                           {Tier::kDisk, Tier::kDevice}};
  for (const Strategy strategy : kStrategies) {
    for (const auto& pair : pairs) {
      const std::string what =
          name + " " + strategyName(strategy) + " " + tierName(pair[0]) + " to " + tierName(pair[1]);
      Bench(pair[0], a, pair[1], b).copyAndCheck(smallTransfers(strategy), what);
    }
  }
}

}  // namespace

TEST("every pair and strategy moves the right blocks: equal layouts") {
  everyPair(kFull, kFull, "full");
  everyPair(kFirst, kFirst, "first");
  everyPair(kSecond, kSecond, "second");
  everyPair(kOdd, kOdd, "odd");
  everyPair(kOddSecond, kOddSecond, "odd second");
}

TEST("every pair and strategy moves the right blocks: unequal layouts, large blocks") {
  everyPair(kFirst, kFull, "first to full");
  everyPair(kOdd, kOddSecond, "odd to odd second");
  everyPair(kLarge, kLargeFull, "large to full");
  everyPair(kLargeFull, kLarge, "full to large");
}

TEST("the host tier goes to disk on a cuda device too") {
  for (const Strategy strategy : {Strategy::kMemcpy, Strategy::kAuto}) {
    Bench(Tier::kHost, kFull, Tier::kDisk, kFull)
        .copyAndCheck(smallTransfers(strategy), strategyName(strategy));
  }
}

TEST("layer ranges leave the other layers alone") {
  for (const LayoutShape& shape : {kFull, kFirst, kSecond, kOddSecond}) {
    for (const Tier to : {Tier::kHost, Tier::kDisk}) {
      Bench bench(Tier::kDevice, shape, to, shape);
      bench.layerBegin = 1;
      bench.layerEnd = 2;
      bench.copyAndCheck(smallTransfers(Strategy::kAuto), std::string("to ") + tierName(to));
    }
    Bench bench(Tier::kHost, shape, Tier::kDevice, shape);
    bench.layerBegin = 1;
    bench.layerEnd = 3;
    bench.copyAndCheck(smallTransfers(Strategy::kStaged), "from host");
  }
}

TEST("both directions at once move both, each timed by host and events") {
  for (const Strategy strategy : kStrategies) {
    if (strategy == Strategy::kStagedAndKernel) continue;  // refused both ways
    Bench bench(Tier::kDevice, kSecond, Tier::kHost, kFirst);
    const std::vector<uint32_t> out{0, 1, 2, 3};
    const std::vector<uint32_t> outTo{4, 5, 6, 7};
    const std::vector<uint32_t> in{8, 9, 10};
    const std::vector<uint32_t> inTo{11, 12, 13};
    PoolContent device = contentOf(3, Tier::kDevice, out);
    PoolContent host = contentOf(3, Tier::kHost, in);
    bench.source.prepare(device, bench.control);
    bench.target.prepare(host, bench.control);
    const auto transfer = compileTransfer(
        gpu(),
        {{&bench.source, &bench.target, out, outTo, 0, 3}, {&bench.target, &bench.source, in, inTo, 0, 3}},
        smallTransfers(strategy));
    SoloGate gate;
    const MeasuredPhases measured = transfer->measure(GateRef(gate), {2, 4, false}, bench.control);
    expectEqual(measured.phases.size(), 6U, "the whole and each direction, twice");
    for (size_t i = 0; i < out.size(); ++i)
      host.blocks[outTo[i]] = {tierSeed(kSeed, Tier::kDevice), out[i], 0, 3};
    for (size_t i = 0; i < in.size(); ++i)
      device.blocks[inTo[i]] = {tierSeed(kSeed, Tier::kHost), in[i], 0, 3};
    expectEqual(bench.target.check(host, 1, bench.control).firstBad, std::string(), "outward");
    expectEqual(bench.source.check(device, 1, bench.control).firstBad, std::string(), "inward");
  }
}

TEST("the check by kernels sees a flipped bit in regions, padding and gaps, and names the first") {
  for (const LayoutShape& shape : {kFull, kSecond, kOdd, kOddSecond}) {
    RunControl control;
    BlockPool pool(gpu(), Tier::kDevice, shape, {kBlocks}, "/tmp", 2);
    const PoolContent content = contentOf(3, Tier::kDevice, {1, 5});
    pool.prepare(content, control);
    expectEqual(pool.check(content, 1, control).firstBad, std::string(), "before any fault");
    const BlockLayout& layout = pool.layout();
    for (const uint64_t offset :
         {uint64_t{0}, layout.offset(5, 0, 2, 1) + layout.groups[0].outers[1].regionBytes - 1,
          layout.totalBytes - 1, layout.strips[0].stride - 1}) {
      uint8_t byte = 0;
      pool.store().readBytes(offset, &byte, 1);
      byte ^= 0x10;
      pool.store().writeBytes(offset, &byte, 1);
      const CheckReport report = pool.check(content, 1, control);
      expectEqual(report.wrong, 1U, "one flipped bit at " + std::to_string(offset));
      ok(report.firstBad.find("expected 0x") != std::string::npos, "the place is told: " + report.firstBad);
      byte ^= 0x10;
      pool.store().writeBytes(offset, &byte, 1);
    }
  }
}

TEST("probes run, and an abort ends a transfer") {
  Bench bench(Tier::kDevice, kFull, Tier::kHost, kFull);
  const auto transfer = bench.compile(smallTransfers(Strategy::kStaged));
  SoloGate gate;
  const ProbeResult probe = transfer->probe(GateRef(gate), bench.control);
  ok(probe.GBps > 0, "probe of 0");
  bench.control.abort.store(1);
  throws(ErrorCode::kAborted, "stopped", [&] {
    transfer->measure(GateRef(gate), {1, 3, false}, bench.control);
  });
}

TEST("an allocation that does not fit is refused with the figures") {
  throws(ErrorCode::kAllocation, "are free", [] { gpu().allocate(uint64_t{1} << 50); });
}

int main() {
  const CudaProbe probe = probeCuda();
  if (probe.devices == 0) {
    std::printf("TAP version 14\n1..0 # SKIP needs 1 GPU (%s)\n", probe.reason.c_str());
    return 0;
  }
  return runAll();
}
