#include "kv/cuda/copy_schedule.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace railrunner::cuda {

namespace {

constexpr uint64_t kKiB = uint64_t{1} << 10;
constexpr uint64_t kMiB = uint64_t{1} << 20;
// Regions are cut at multiples of this alone, so that a cut never narrows the accesses of what follows it.
constexpr uint64_t kCutBytes = 512;

uint64_t hostSide(const CopyRegion& region, CopyDirection direction) {
  return direction == CopyDirection::kDeviceToHost ? region.target : region.source;
}

// Walks regions in order, cutting them at step boundaries, and writes pieces, runs and steps.
class StagedScheduler {
 public:
  StagedScheduler(CopyDirection direction, StagedSchedule& schedule)
      : direction_(direction), schedule_(schedule) {}

  void beginStep() {
    StagedStep step;
    step.firstPiece = static_cast<uint32_t>(schedule_.pieces.size());
    step.firstRun = static_cast<uint32_t>(schedule_.runs.size());
    schedule_.steps.push_back(step);
    filled_ = 0;
    runEnd_ = 0;
  }

  void add(const CopyRegion& region) {
    const uint64_t host = hostSide(region, direction_);
    if (host != runEnd_ || filled_ == 0) {
      // The buffer's offset repeats the host address's alignment, so that the kernel keeps its widest
      // accesses.
      filled_ = (filled_ + kCutBytes - 1) / kCutBytes * kCutBytes + host % kCutBytes;
      schedule_.runs.push_back({host, filled_, 0});
      ++schedule_.steps.back().numRuns;
    }
    schedule_.runs.back().bytes += region.bytes;
    CopyRegion piece = region;
    (direction_ == CopyDirection::kDeviceToHost ? piece.target : piece.source) = filled_;
    schedule_.pieces.push_back(piece);
    ++schedule_.steps.back().numPieces;
    filled_ += region.bytes;
    runEnd_ = host + region.bytes;
    schedule_.bufferBytes = std::max(schedule_.bufferBytes, filled_);
  }

 private:
  CopyDirection direction_;
  StagedSchedule& schedule_;
  uint64_t filled_ = 0;
  uint64_t runEnd_ = 0;
};

// Payload bytes of each step: full ones, with a ramp of doubling sizes at the end that nothing overlaps.
std::vector<uint64_t> stepSizes(uint64_t payloadBytes, CopyDirection direction, uint64_t stepBytes) {
  std::vector<uint64_t> sizes;
  uint64_t next = std::max<uint64_t>(stepBytes / 8, std::min(stepBytes, kMiB));
  for (uint64_t left = payloadBytes; left > 0;) {
    const uint64_t size = std::min(next, left);
    sizes.push_back(size);
    left -= size;
    next = std::min(stepBytes, 2 * next);
  }
  if (direction == CopyDirection::kHostToDevice) std::reverse(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace

std::string_view copyStrategyName(CopyStrategy strategy) {
  switch (strategy) {
    case CopyStrategy::kAuto:
      return "auto";
    case CopyStrategy::kMemcpy:
      return "memcpy";
    case CopyStrategy::kMemcpyBatch:
      return "memcpyBatch";
    case CopyStrategy::kKernel:
      return "kernel";
    case CopyStrategy::kStaged:
      return "staged";
    case CopyStrategy::kStagedAndKernel:
      return "staged+kernel";
  }
  return "auto";
}

uint64_t totalBytes(const std::vector<CopyRegion>& regions) {
  uint64_t bytes = 0;
  for (const CopyRegion& region : regions) bytes += region.bytes;
  return bytes;
}

std::vector<CopyRegion> coalesce(std::vector<CopyRegion> regions, CopyDirection direction) {
  std::sort(regions.begin(), regions.end(), [direction](const CopyRegion& a, const CopyRegion& b) {
    return hostSide(a, direction) < hostSide(b, direction);
  });
  std::vector<CopyRegion> merged;
  merged.reserve(regions.size());
  for (const CopyRegion& region : regions) {
    if (region.bytes == 0) continue;
    if (!merged.empty() && merged.back().source + merged.back().bytes == region.source &&
        merged.back().target + merged.back().bytes == region.target) {
      merged.back().bytes += region.bytes;
    } else {
      merged.push_back(region);
    }
  }
  return merged;
}

std::vector<CopyRegion> splitRegions(const std::vector<CopyRegion>& regions, uint64_t maxBytes) {
  std::vector<CopyRegion> pieces;
  pieces.reserve(regions.size());
  for (const CopyRegion& region : regions) {
    for (uint64_t done = 0; done < region.bytes; done += maxBytes) {
      pieces.push_back({region.source + done, region.target + done, std::min(maxBytes, region.bytes - done)});
    }
  }
  return pieces;
}

uint64_t stagedStepBytes(uint64_t payloadBytes) {
  return std::clamp(payloadBytes / 8 / kCutBytes * kCutBytes, kMiB, 32 * kMiB);
}

StagedSchedule scheduleStaged(const std::vector<CopyRegion>& regions, CopyDirection direction,
                              uint64_t stepBytes) {
  if (stepBytes == 0) throw Error(ErrorCode::kArgument, "chunkBytes: expected 1 or more");
  StagedSchedule schedule;
  StagedScheduler scheduler(direction, schedule);
  const std::vector<uint64_t> sizes = stepSizes(totalBytes(regions), direction, stepBytes);
  size_t index = 0;
  uint64_t done = 0;  // bytes of regions[index] that are scheduled already
  for (size_t step = 0; step < sizes.size() && index < regions.size(); ++step) {
    scheduler.beginStep();
    const bool last = step + 1 == sizes.size();
    for (uint64_t room = sizes[step]; index < regions.size();) {
      const CopyRegion& region = regions[index];
      uint64_t bytes = region.bytes - done;
      if (!last && bytes > room) bytes = room / kCutBytes * kCutBytes;
      if (bytes == 0) break;
      scheduler.add({region.source + done, region.target + done, bytes});
      room -= std::min(room, bytes);
      done += bytes;
      if (done == region.bytes) {
        ++index;
        done = 0;
      }
    }
  }
  return schedule;
}

CopyShape shapeOf(const std::vector<CopyRegion>& coalesced, CopyDirection direction) {
  CopyShape shape;
  shape.runs = coalesced.size();
  uint64_t runEnd = 0;
  for (const CopyRegion& region : coalesced) {
    shape.payloadBytes += region.bytes;
    if (hostSide(region, direction) != runEnd) ++shape.hostRuns;
    runEnd = hostSide(region, direction) + region.bytes;
  }
  return shape;
}

// Measured on H200 (PCIe 5 x16), as shares of the contiguous pinned copy:
// - kernels write host memory in packets of 128 bytes and read it by requests of 128: 0.95 and 0.92, any run length;
// - staging reaches 0.99 where runs in host memory are long, since the copy engine then makes long DMAs. What the engine
//   spends on each run shows below 64 KiB (host to device) and 512 KiB (device to host);
// - where runs are shorter, the engine's packets of 256 bytes and a kernel that fills the pauses between its runs go
//   best together: 0.96-0.98 device to host.
std::vector<CopyStrategy> candidates(const CopyShape& shape, CopyDirection direction, bool bothDirections) {
  if (shape.runs <= 1) return {CopyStrategy::kMemcpy};
  const uint64_t meanRun = shape.payloadBytes / shape.runs;
  const uint64_t meanHostRun = shape.payloadBytes / std::max<uint64_t>(shape.hostRuns, 1);
  // Below it, the few launches of staging and its one hop that nothing overlaps cost more than they gain.
  const bool small = shape.payloadBytes < 8 * kMiB;
  const bool byEngine = direction == CopyDirection::kHostToDevice || bothDirections;
  const bool longHostRuns = meanHostRun >= (byEngine ? 64 : 512) * kKiB;
  std::vector<CopyStrategy> list;
  if (meanRun >= kMiB) list.push_back(CopyStrategy::kMemcpyBatch);
  if (!small && longHostRuns) list.push_back(CopyStrategy::kStaged);
  if (!small && !longHostRuns && !bothDirections) list.push_back(CopyStrategy::kStagedAndKernel);
  list.push_back(CopyStrategy::kKernel);
  if (!small && !longHostRuns && meanHostRun >= 16 * kKiB) list.push_back(CopyStrategy::kStaged);
  if (meanRun >= 64 * kKiB && meanRun < kMiB) list.push_back(CopyStrategy::kMemcpyBatch);
  if (shape.runs <= 64 || meanRun >= 4 * kMiB) list.push_back(CopyStrategy::kMemcpy);
  return list;
}

std::vector<PairChoice> candidatePairs(const CopyShape& toHost, const CopyShape& toDevice,
                                       uint32_t maxBlocks) {
  const auto out = candidates(toHost, CopyDirection::kDeviceToHost, true);
  const auto in = candidates(toDevice, CopyDirection::kHostToDevice, true);
  const auto has = [](const std::vector<CopyStrategy>& list, CopyStrategy strategy) {
    return std::find(list.begin(), list.end(), strategy) != list.end();
  };
  std::vector<PairChoice> pairs;
  // Alike, in the order of the first direction.
  for (const CopyStrategy strategy : out) {
    if (has(in, strategy)) pairs.push_back({{strategy, maxBlocks}, {strategy, maxBlocks}});
  }
  if (has(out, CopyStrategy::kKernel) && has(in, CopyStrategy::kKernel)) {
    for (const auto& [writing, reading] :
         {std::pair{maxBlocks / 2, maxBlocks}, std::pair{maxBlocks / 4, maxBlocks},
          std::pair{maxBlocks / 4, maxBlocks / 2}}) {
      if (writing == 0) continue;
      pairs.push_back({{CopyStrategy::kKernel, writing}, {CopyStrategy::kKernel, reading}});
    }
  }
  if (pairs.empty()) pairs.push_back({{out.front(), maxBlocks}, {in.front(), maxBlocks}});
  return pairs;
}

Mix mixFor(const CopyShape& shape, CopyDirection direction) {
  const uint64_t meanHostRun = shape.payloadBytes / std::max<uint64_t>(shape.hostRuns, 1);
  if (meanHostRun < 8 * kKiB) return {20, 4};
  if (direction == CopyDirection::kHostToDevice) return {80, 2};
  if (meanHostRun < 32 * kKiB) return {30, 3};
  if (meanHostRun < 128 * kKiB) return {40, 2};
  return {50, 1};
}

Divided divide(const std::vector<CopyRegion>& regions, uint64_t bytes) {
  Divided divided;
  for (const CopyRegion& region : regions) {
    const uint64_t head = region.bytes <= bytes ? region.bytes : bytes / kCutBytes * kCutBytes;
    bytes = head == region.bytes ? bytes - head : 0;
    if (head > 0) divided.first.push_back({region.source, region.target, head});
    if (head < region.bytes) {
      divided.rest.push_back({region.source + head, region.target + head, region.bytes - head});
    }
  }
  return divided;
}

}  // namespace railrunner::cuda
