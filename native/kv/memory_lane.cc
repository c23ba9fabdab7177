#include "kv/memory_lane.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/clock.h"
#include "core/error.h"
#include "core/wait.h"
#include "kv/fastest.h"
#include "kv/stream_copy.h"

namespace railrunner {

namespace {

constexpr uint64_t kDefaultChunkBytes = 1ULL << 20;
// A thread more must have this much to copy: waking it costs some 30 us.
constexpr uint64_t kBytesPerThread = 2ULL << 20;
// Below it both sides fit the caches next to the core, and stores past the caches only lose.
constexpr uint64_t kStreamingMinBytes = 512ULL << 10;
constexpr uint32_t kTuningRounds = 2;
constexpr uint64_t kProbeMaxBytes = 256ULL << 20;

uint32_t teamSize(const TransferOptions& options, uint64_t payloadBytes) {
  const uint64_t useful = std::max<uint64_t>(1, payloadBytes / kBytesPerThread);
  return static_cast<uint32_t>(std::min<uint64_t>(std::max(1U, options.threads), useful));
}

}  // namespace

MemoryLane::MemoryLane(LaneRequest request, const TransferOptions& options)
    : request_(std::move(request)), options_(options) {
  if (options.strategy == Strategy::kMemcpyBatch || options.strategy == Strategy::kStaged) {
    throw Error(ErrorCode::kUnsupportedHere,
                std::string("strategy `") + strategyName(options.strategy) +
                    "` needs a cuda device; the host device has memcpy, kernel and auto");
  }
  if (options.maxConcurrentTransfers == 0) {
    throw Error(ErrorCode::kArgument, "maxConcurrentTransfers: expected 1 or more");
  }
  const uint64_t chunkBytes = options.chunkBytes == 0 ? kDefaultChunkBytes : options.chunkBytes;
  if (options.strategy != Strategy::kKernel) {
    regions_ = compileCopyPlan(request_, {false, options.maxTransferBatchSize, 0});
  }
  joined_ = compileCopyPlan(request_, {true, options.maxTransferBatchSize, chunkBytes});
  makeTiles(chunkBytes);
  team_ = std::make_unique<CopyTeam>(
      options.strategy == Strategy::kMemcpy ? 1 : teamSize(options, joined_.payloadBytes));
  issued_.resize(team_->size());
  variant_ = variantsAllowed().front();
}

void MemoryLane::makeTiles(uint64_t chunkBytes) {
  uint32_t span = 0;
  for (uint32_t batch = 0; batch < joined_.batchEnds.size(); ++batch) {
    const uint32_t end = joined_.batchEnds[batch];
    const size_t before = tiles_.size();
    while (span < end) {
      Tile tile{span, span, batch};
      uint64_t bytes = 0;
      while (tile.spanEnd < end && (bytes == 0 || bytes + joined_.spans[tile.spanEnd].bytes <= chunkBytes)) {
        bytes += joined_.spans[tile.spanEnd++].bytes;
      }
      tiles_.push_back(tile);
      span = tile.spanEnd;
    }
    tilesOfBatch_.push_back(static_cast<uint32_t>(tiles_.size() - before));
  }
  tilesLeft_ = std::vector<std::atomic<uint32_t>>(tilesOfBatch_.size());
}

std::vector<MemoryLane::Variant> MemoryLane::variantsAllowed() const {
  if (options_.strategy == Strategy::kMemcpy) return {Variant::kRegions};
  const bool team = team_->size() > 1;
  const bool streaming = canStreamCopy() && joined_.payloadBytes >= kStreamingMinBytes;
  std::vector<Variant> variants{Variant::kCachedOne};
  if (team) variants.push_back(Variant::kCachedTeam);
  if (streaming) variants.push_back(Variant::kStreamOne);
  if (streaming && team) variants.push_back(Variant::kStreamTeam);
  if (options_.strategy == Strategy::kAuto) variants.push_back(Variant::kRegions);
  return variants;
}

void MemoryLane::tune(RunControl& control) {
  if (isTuned_) return;
  const std::vector<Variant> variants = variantsAllowed();
  variant_ = variants[fastestOf(variants.size(), kTuningRounds,
                                [&](size_t variant) { executeVariant(variants[variant], control); })];
  isTuned_ = true;
}

void MemoryLane::execute(RunControl& control) { executeVariant(variant_, control); }

void MemoryLane::executeVariant(Variant variant, RunControl& control) {
  switch (variant) {
    case Variant::kRegions:
      return executeRegions(control);
    case Variant::kCachedOne:
      return executeTiles<false>(1, control);
    case Variant::kCachedTeam:
      return executeTiles<false>(team_->size(), control);
    case Variant::kStreamOne:
      return executeTiles<true>(1, control);
    case Variant::kStreamTeam:
      return executeTiles<true>(team_->size(), control);
  }
}

void MemoryLane::executeRegions(const RunControl& control) {
  const std::byte* source = request_.source->memory();
  std::byte* target = request_.target->memory();
  uint64_t bytes = 0;
  for (const CopySpan& span : regions_.spans) {
    if (control.abort.load(std::memory_order_relaxed) != 0)
      throw Error(ErrorCode::kAborted, "stopped while copying");
    std::memcpy(target + span.targetOffset, source + span.sourceOffset, span.bytes);
    bytes += span.bytes;
  }
  requireIssued(bytes);
}

template <bool kStreaming>
void MemoryLane::executeTiles(uint32_t active, RunControl& control) {
  for (size_t batch = 0; batch < tilesOfBatch_.size(); ++batch) {
    tilesLeft_[batch].store(tilesOfBatch_[batch], std::memory_order_relaxed);
  }
  for (WorkerCount& count : issued_) count.bytes = 0;
  nextTile_.store(0, std::memory_order_relaxed);
  batchesDone_.store(0, std::memory_order_relaxed);
  aborted_.store(false, std::memory_order_relaxed);
  auto body = [this, &control](uint32_t worker) { work<kStreaming>(worker, control); };
  team_->run(body, active, control);
  if (aborted_.load(std::memory_order_relaxed)) throw Error(ErrorCode::kAborted, "stopped while copying");
  uint64_t bytes = 0;
  for (const WorkerCount& count : issued_) bytes += count.bytes;
  requireIssued(bytes);
}

template <bool kStreaming>
void MemoryLane::work(uint32_t worker, const RunControl& control) {
  const std::byte* source = request_.source->memory();
  std::byte* target = request_.target->memory();
  const auto count = static_cast<uint32_t>(tiles_.size());
  uint64_t bytes = 0;
  for (;;) {
    const uint32_t index = nextTile_.fetch_add(1, std::memory_order_relaxed);
    if (index >= count) break;
    const Tile& tile = tiles_[index];
    Backoff backoff;
    while (tile.batch >= batchesDone_.load(std::memory_order_acquire) + options_.maxConcurrentTransfers &&
           !aborted_.load(std::memory_order_relaxed) && control.abort.load(std::memory_order_relaxed) == 0) {
      backoff.pause();
    }
    if (control.abort.load(std::memory_order_relaxed) != 0) aborted_.store(true, std::memory_order_relaxed);
    if (aborted_.load(std::memory_order_relaxed)) break;
    for (uint32_t i = tile.spanBegin; i < tile.spanEnd; ++i) {
      const CopySpan& span = joined_.spans[i];
      if constexpr (kStreaming) {
        streamCopy(target + span.targetOffset, source + span.sourceOffset, span.bytes);
      } else {
        std::memcpy(target + span.targetOffset, source + span.sourceOffset, span.bytes);
      }
      bytes += span.bytes;
    }
    finishTile(tile.batch);
  }
  issued_[worker].bytes = bytes;
}

void MemoryLane::finishTile(uint32_t batch) {
  if (tilesLeft_[batch].fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  uint32_t done = batchesDone_.load(std::memory_order_acquire);
  while (done < tilesLeft_.size() && tilesLeft_[done].load(std::memory_order_acquire) == 0) {
    if (batchesDone_.compare_exchange_weak(done, done + 1, std::memory_order_acq_rel)) ++done;
  }
}

void MemoryLane::requireIssued(uint64_t bytes) const {
  if (bytes == joined_.payloadBytes) return;
  throw Error(ErrorCode::kState, "copies of " + std::to_string(bytes) + " bytes were issued, the plan says " +
                                     std::to_string(joined_.payloadBytes));
}

LaneFacts MemoryLane::facts() const {
  LaneFacts facts;
  facts.from = request_.source->tier();
  facts.to = request_.target->tier();
  facts.bytes.payload = joined_.payloadBytes;
  facts.numRegions = joined_.numRegions;
  facts.numCopies = variant_ == Variant::kRegions ? regions_.spans.size() : joined_.spans.size();
  facts.bytes.self = joined_.payloadBytes;
  facts.strategyUsed = variant_ == Variant::kRegions ? Strategy::kMemcpy : Strategy::kKernel;
  return facts;
}

std::unique_ptr<MemoryLane::Probe> MemoryLane::makeProbe(const RunControl&) const {
  return std::make_unique<Probe>(std::min(joined_.payloadBytes, kProbeMaxBytes));
}

MemoryLane::Probe::Probe(uint64_t bytes) : bytes_(bytes) {
  void* data =
      mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (data == MAP_FAILED) {
    throw errnoError(ErrorCode::kAllocation, "probe: " + std::to_string(2 * bytes) + " bytes", errno);
  }
  source_ = static_cast<std::byte*>(data);
  target_ = source_ + bytes;
}

MemoryLane::Probe::~Probe() { munmap(source_, 2 * bytes_); }

double MemoryLane::Probe::run() {
  const double startUs = nowUs();
  std::memcpy(target_, source_, bytes_);
  // Keeps the compiler from dropping a copy that nothing reads.
  asm volatile("" : : "r"(target_) : "memory");
  return nowUs() - startUs;
}

}  // namespace railrunner
