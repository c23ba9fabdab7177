// links: kv/cuda/copy_schedule.cc core/error.cc
// What a copy between device and host memory does in which step, carried out by memcpy: no GPU is needed.
#include "kv/cuda/copy_schedule.h"

#include <cstring>

#include "core/pattern.h"
#include "test/kv/scattered_regions.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::cuda;
using namespace railrunner::test;

namespace {

// The schedule of a staged copy carried out by memcpy must equal the copy.
void runSchedule(const Scatter& s, CopyDirection direction) {
  std::vector<uint8_t> device(s.deviceOffset + s.count * s.stride + 64);
  std::vector<uint8_t> host(s.hostOffset + s.count * s.stride + 64);
  const bool toHost = direction == CopyDirection::kDeviceToHost;
  std::vector<uint8_t>& source = toHost ? device : host;
  std::vector<uint8_t>& target = toHost ? host : device;
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint8_t>(mix64(i));
  std::vector<uint8_t> expected = target;
  const auto deviceBase = reinterpret_cast<uint64_t>(device.data());
  const auto hostBase = reinterpret_cast<uint64_t>(host.data());
  const auto regions = scatter(s, deviceBase, hostBase, direction);
  for (const CopyRegion& region : regions) {
    std::memcpy(expected.data() + (region.target - reinterpret_cast<uint64_t>(target.data())),
                reinterpret_cast<const void*>(region.source), region.bytes);
  }
  const StagedSchedule schedule = scheduleStaged(coalesce(regions, direction), direction, 100'000);
  // A cut inside a region lies at a multiple of 512 of it, so that what follows keeps its widest accesses.
  for (const CopyRegion& piece : schedule.pieces) {
    const uint64_t at = toHost ? piece.source : piece.target;
    const auto holds = [&](const CopyRegion& region) {
      const uint64_t start = toHost ? region.source : region.target;
      return at >= start && at < start + region.bytes && (at - start) % 512 == 0;
    };
    const auto joined = coalesce(regions, direction);
    ok(std::any_of(joined.begin(), joined.end(), holds),
       nameOf(s, direction, CopyStrategy::kStaged) + " cut");
  }
  std::vector<uint8_t> buffer(schedule.bufferBytes);
  const auto staging = reinterpret_cast<uint64_t>(buffer.data());
  const auto move = [](uint64_t to, uint64_t from, uint64_t bytes) {
    std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  };
  for (const StagedStep& step : schedule.steps) {
    const auto pieces = [&] {
      for (uint32_t i = step.firstPiece; i < step.firstPiece + step.numPieces; ++i) {
        const CopyRegion& piece = schedule.pieces[i];
        move(piece.target + (toHost ? staging : 0), piece.source + (toHost ? 0 : staging), piece.bytes);
      }
    };
    if (toHost) pieces();
    for (uint32_t i = step.firstRun; i < step.firstRun + step.numRuns; ++i) {
      const HostRun& run = schedule.runs[i];
      const uint64_t staged = staging + run.stagingOffset;
      toHost ? move(run.host, staged, run.bytes) : move(staged, run.host, run.bytes);
    }
    if (!toHost) pieces();
  }
  ok(target == expected, nameOf(s, direction, CopyStrategy::kStaged));
}

}  // namespace

TEST("a staged schedule carried out by memcpy equals the copy") {
  for (const Scatter& s : kCases) {
    for (const CopyDirection direction : {CopyDirection::kDeviceToHost, CopyDirection::kHostToDevice}) {
      runSchedule(s, direction);
    }
  }
}

TEST("regions that touch on both sides become one, others stay apart") {
  const std::vector<CopyRegion> regions{{100, 1100, 50}, {0, 1000, 100}, {300, 1150, 10}, {310, 1160, 0}};
  const auto joined = coalesce(regions, CopyDirection::kDeviceToHost);
  expectEqual(joined.size(), 2U, "runs");
  expectEqual(joined[0].bytes, 150U, "the joined run");
  const CopyShape shape = shapeOf(joined, CopyDirection::kDeviceToHost);
  expectEqual(shape.payloadBytes, 160U, "payload");
  expectEqual(shape.hostRuns, 1U, "host runs");
}

TEST("dividing a list keeps every byte and cuts where accesses stay wide") {
  const std::vector<CopyRegion> regions{{0, 4096, 1000}, {5000, 8192, 3000}, {9000, 20000, 10}};
  const Divided divided = divide(regions, 2600);
  expectEqual(totalBytes(divided.first), 1000U + 1536U, "first");
  expectEqual(totalBytes(divided.rest), 1464U + 10U, "rest");
  expectEqual(divided.rest[0].source, 5000U + 1536U, "where the rest goes on");
}

TEST("every shape has a candidate, and staging needs a payload worth it") {
  for (const uint64_t runBytes : {1U, 4096U, 65536U, 1U << 20}) {
    for (const uint64_t runs : {1U, 100U, 100'000U}) {
      const CopyShape shape{runBytes * runs, runs, runs};
      for (const CopyDirection direction : {CopyDirection::kDeviceToHost, CopyDirection::kHostToDevice}) {
        for (const bool both : {false, true}) {
          const auto list = candidates(shape, direction, both);
          ok(!list.empty(), "no candidate");
          for (const CopyStrategy strategy : list) {
            const bool staged =
                strategy == CopyStrategy::kStaged || strategy == CopyStrategy::kStagedAndKernel;
            ok(!staged || shape.payloadBytes >= (8U << 20), "staging of a small payload");
            ok(!both || strategy != CopyStrategy::kStagedAndKernel, "a mix in both directions");
          }
        }
      }
    }
  }
}

TEST(
    "pairs of both directions keep to the thread blocks of each, and offer the reader more than the writer") {
  for (const uint64_t runBytes : {1U, 4096U, 65536U, 1U << 20}) {
    for (const uint64_t runs : {1U, 1000U, 100'000U}) {
      for (const uint32_t maxBlocks : {1U, 2U, 8U, 32U}) {
        const CopyShape shape{runBytes * runs, runs, runs};
        const auto pairs = candidatePairs(shape, shape, maxBlocks);
        ok(!pairs.empty(), "no pair");
        bool isShifted = false;
        for (const PairChoice& pair : pairs) {
          for (const LaneChoice& lane : {pair.toHost, pair.toDevice})
            ok(lane.maxBlocks > 0 && lane.maxBlocks <= maxBlocks, "blocks");
          isShifted = isShifted || pair.toHost.maxBlocks < pair.toDevice.maxBlocks;
          ok(pair.toHost.strategy != CopyStrategy::kStagedAndKernel &&
                 pair.toDevice.strategy != CopyStrategy::kStagedAndKernel,
             "a mix in both directions");
        }
        ok(isShifted || maxBlocks == 1 || runs == 1, "none gives the reader more");
      }
    }
  }
}

int main() { return runAll(); }
