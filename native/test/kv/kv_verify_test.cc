// Verification must see every kind of damage: each is planted behind the pool's back, and the check must find
// it.
#include <cstring>
#include <numeric>
#include <vector>

#include "kv/lane_transfer.h"
#include "kv/transfer.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint32_t kBlocks = 12;
constexpr uint64_t kSeed = 5;
// 3 layers x 2 x 1200 bytes, blocks padded to 8 KiB: room for every fault.
const LayoutShape kShape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 4, 150, 2, 8192);

struct Fixture {
  std::unique_ptr<Device> device = openDevice(DeviceKind::kHost, 0);
  RunControl control;
  BlockPool source;
  BlockPool target;
  std::vector<uint32_t> from{0, 1, 2, 3};
  std::vector<uint32_t> to{7, 5, 4, 9};
  PoolContent before{0, 42, std::vector<BlockHolds>(kBlocks)};

  explicit Fixture(Tier tier)
      : source(*device, Tier::kDevice, kShape, {kBlocks}, "", 1),
        target(*device, tier, kShape, {kBlocks}, "/tmp", 1) {
    transfer(kSeed);
  }

  LaneRequest lane() { return {&source, &target, from, to, 0, 3}; }

  void transfer(uint64_t seed) {
    PoolContent content{0, 42, std::vector<BlockHolds>(kBlocks)};
    for (uint32_t block = 0; block < kBlocks; ++block)
      content.blocks[block] = {tierSeed(seed, Tier::kDevice), block, 0, 3};
    source.prepare(content, control);
    target.prepare(before, control);
    auto compiled = compileTransfer(*device, {lane()}, {});
    SoloGate gate;
    compiled->measure(GateRef(gate), {0, 2, false}, control);
  }

  CheckReport check(uint32_t wordStep) {
    PoolContent expected = before;
    for (size_t i = 0; i < from.size(); ++i)
      expected.blocks[to[i]] = {tierSeed(kSeed, Tier::kDevice), from[i], 0, 3};
    return target.check(expected, wordStep, control);
  }

  std::vector<uint8_t> read(uint64_t offset, uint64_t bytes) {
    std::vector<uint8_t> data(bytes);
    target.store().readBytes(offset, data.data(), bytes);
    return data;
  }
  void write(uint64_t offset, const std::vector<uint8_t>& data) {
    target.store().writeBytes(offset, data.data(), data.size());
  }
  uint64_t at(uint32_t block, uint32_t layer = 0, uint32_t outer = 0) {
    return target.layout().offset(block, 0, layer, outer);
  }
  uint64_t blockBytes() { return target.layout().strips[0].extentBytes; }
};

// Plants a fault on host and disk; `says` must be in firstBad. With `sampled`, sampled checks must see it as
// well.
void mustFind(const char* says, bool sampled, const std::function<void(Fixture&)>& plant) {
  for (const Tier tier : {Tier::kHost, Tier::kDisk}) {
    Fixture fixture(tier);
    expectEqual(fixture.check(kCheckAllWords).firstBad, std::string(), "before the fault");
    fixture.target.prepare(fixture.before, fixture.control);  // clean state for the second look
    fixture.transfer(kSeed);
    plant(fixture);
    if (sampled) ok(fixture.check(kCheckSampledWords).wrong > 0, "a sampled check sees it");
    const CheckReport report = fixture.check(kCheckAllWords);
    ok(report.wrong > 0, "a full check sees it");
    ok(report.firstBad.find(says) != std::string::npos, report.firstBad + " lacks " + says);
    ok(report.firstBad.find(tierName(tier)) == 0, "the tier comes first: " + report.firstBad);
  }
}

// A lane whose loop does nothing.
struct IdleLane {
  LaneRequest request;
  struct Probe {
    void beforeSample(uint32_t, bool) {}
    double run() { return 1; }
    uint64_t bytes() const { return 1; }
  };
  void tune(RunControl&) {}
  void execute(RunControl&) {}
  void poisonTargets(const RunControl& control) { request.target->poison(request.targetIds, control); }
  LaneFacts facts() const { return {}; }
  std::unique_ptr<Probe> makeProbe(const RunControl&) const { return std::make_unique<Probe>(); }
};

}  // namespace

TEST("swapped blocks are found") {
  mustFind("block 5 layer 0", true, [](Fixture& f) {
    const auto a = f.read(f.at(7), f.blockBytes());
    const auto b = f.read(f.at(5), f.blockBytes());
    f.write(f.at(7), b);
    f.write(f.at(5), a);
  });
}

TEST("swapped layers inside a block are found") {
  mustFind("block 7 layer 1", true, [](Fixture& f) {
    const auto a = f.read(f.at(7, 1), 2400);
    const auto b = f.read(f.at(7, 2), 2400);
    f.write(f.at(7, 1), b);
    f.write(f.at(7, 2), a);
  });
}

TEST("data shifted by a word is found") {
  mustFind("block 4 layer 0", true, [](Fixture& f) {
    const auto data = f.read(f.at(4), f.blockBytes() - 8);
    f.write(f.at(4) + 8, data);
  });
}

TEST("stale data of an earlier run are found") {
  mustFind("block 4", true, [](Fixture& f) { f.transfer(kSeed + 1); });
}

TEST("half a word that was never written is found") {
  mustFind("block 9 layer 1 outer 1 word 6", false, [](Fixture& f) {
    f.write(f.at(9, 1, 1) + 6 * 8 + 4, {0, 0, 0, 0});
  });
}

TEST("one wrong byte in the last word of a region is found, also by samples") {
  mustFind("block 9 layer 2 outer 1 word 149", true, [](Fixture& f) {
    auto byte = f.read(f.at(9, 2, 1) + 1199, 1);
    byte[0] ^= 0x80;
    f.write(f.at(9, 2, 1) + 1199, byte);
  });
}

TEST("padding that was overwritten is found") {
  mustFind("padding behind block 7", true, [](Fixture& f) {
    f.write(f.at(7) + f.blockBytes(), {1, 2, 3, 4, 5, 6, 7, 8});
  });
}

TEST("an unselected block that was overwritten is found") {
  mustFind("block 6 layer 0 outer 0 (not transferred)", true,
           [](Fixture& f) { f.write(f.at(6), f.read(f.at(7), f.blockBytes())); });
}

TEST("a loop that does nothing is found, though its targets held the right data before") {
  for (const Tier tier : {Tier::kHost, Tier::kDisk}) {
    Fixture fixture(tier);
    std::vector<std::unique_ptr<IdleLane>> lanes;
    lanes.push_back(std::make_unique<IdleLane>(IdleLane{fixture.lane()}));
    LaneTransfer<IdleLane> idle(std::move(lanes), "");
    SoloGate gate;
    idle.measure(GateRef(gate), {1, 3, false}, fixture.control);
    const CheckReport report = fixture.check(kCheckAllWords);
    expectEqual(report.wrong, 4U * 6 * 150, "every word of every target");
  }
}

TEST("a pool that was found damaged is written again") {
  Fixture fixture(Tier::kHost);
  fixture.write(fixture.at(11), {1, 2, 3, 4, 5, 6, 7, 8});
  ok(fixture.check(kCheckAllWords).wrong > 0, "damage outside the targets");
  fixture.transfer(kSeed);
  expectEqual(fixture.check(kCheckAllWords).wrong, 0U, "after the next point");
}

int main() { return runAll(); }
