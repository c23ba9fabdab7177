#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

// Which bytes move in which step, worked out before the timed loop and without CUDA, so that it is tested
// anywhere.
namespace railrunner::cuda {

enum class CopyDirection : uint32_t { kDeviceToHost, kHostToDevice };

// kStagedAndKernel: a share of the bytes goes staged and the rest by a small kernel at the same time. Only
// `auto` picks it.
enum class CopyStrategy : uint32_t { kAuto, kMemcpy, kMemcpyBatch, kKernel, kStaged, kStagedAndKernel };

std::string_view copyStrategyName(CopyStrategy strategy);

// One contiguous run of bytes: addresses of this process, one side device memory, the other registered host
// memory.
struct CopyRegion {
  uint64_t source;
  uint64_t target;
  uint64_t bytes;
};

uint64_t totalBytes(const std::vector<CopyRegion>& regions);

// Sorted by host address, neighbours that touch on both sides made one. Empty regions vanish.
std::vector<CopyRegion> coalesce(std::vector<CopyRegion> regions, CopyDirection direction);

// Cuts regions so that none is longer than maxBytes.
std::vector<CopyRegion> splitRegions(const std::vector<CopyRegion>& regions, uint64_t maxBytes);

// One step of a staged copy. Pieces have their staging side as an offset in the step's buffer; a run is
// contiguous in host memory and in the buffer, so one DMA moves it.
struct StagedStep {
  uint32_t firstPiece = 0;
  uint32_t numPieces = 0;
  uint32_t firstRun = 0;
  uint32_t numRuns = 0;
};

struct HostRun {
  uint64_t host;
  uint64_t stagingOffset;
  uint64_t bytes;
};

struct StagedSchedule {
  std::vector<CopyRegion> pieces;
  std::vector<HostRun> runs;
  std::vector<StagedStep> steps;
  uint64_t bufferBytes = 0;  // of each staging buffer
};

// Bytes of a step of a staged copy of `payloadBytes`: long enough that the gap between two DMAs (2 us) is
// lost in it, short enough that the first gather or last scatter, which nothing overlaps, is a small part of
// the whole.
uint64_t stagedStepBytes(uint64_t payloadBytes);

// `regions` are coalesced. The step that nothing overlaps (the first for device to host, the last for host to
// device) is made shorter than the others.
StagedSchedule scheduleStaged(const std::vector<CopyRegion>& regions, CopyDirection direction,
                              uint64_t stepBytes);

// What the choice of a strategy hangs on.
struct CopyShape {
  uint64_t payloadBytes = 0;
  uint64_t runs = 0;      // contiguous on both sides
  uint64_t hostRuns = 0;  // contiguous in host memory
};

CopyShape shapeOf(const std::vector<CopyRegion>& coalesced, CopyDirection direction);

// What `auto` may use, the one it expects to be the quickest first; the others are worth a trial. Never
// empty.
// `bothDirections`: the opposite direction is copied at the same time, in which kernels disturb each other.
std::vector<CopyStrategy> candidates(const CopyShape& shape, CopyDirection direction, bool bothDirections);

// What one direction of a transfer does, and the thread blocks that its kernels may take.
struct LaneChoice {
  CopyStrategy strategy;
  uint32_t maxBlocks;
};

// What `auto` may use for a device to host and a host to device copy that run at the same time, as pairs, the one that
// is expected to be the quickest first. Both alike; and kernels of which the one that writes host memory has fewer thread
// blocks, since what it writes goes before the read requests of the other. A kernel next to the copy engine is slower than
// either alone (docs/bench/kv-gpu.md).
struct PairChoice {
  LaneChoice toHost;
  LaneChoice toDevice;
};
std::vector<PairChoice> candidatePairs(const CopyShape& toHost, const CopyShape& toDevice,
                                       uint32_t maxBlocks);

// How kStagedAndKernel divides the work.
struct Mix {
  uint32_t stagedPercent;  // of the payload
  uint32_t kernelBlocks;
};

Mix mixFor(const CopyShape& shape, CopyDirection direction);

// Cuts a list after `bytes`, rounded down to where a cut may lie.
struct Divided {
  std::vector<CopyRegion> first;
  std::vector<CopyRegion> rest;
};

Divided divide(const std::vector<CopyRegion>& regions, uint64_t bytes);

}  // namespace railrunner::cuda
