#include "kv/cuda/device_copy.h"

#include <algorithm>

namespace railrunner::cuda {

namespace {

constexpr uint64_t kMaxStagingBufferBytes = 32ULL << 20;
// Streams over which one merged list is spread where it goes by batch calls: what a call costs hides behind
// others.
constexpr uint32_t kMergedLanes = 4;
constexpr uint32_t kMaxCallRegions = 1024;
constexpr uint64_t kMaxHeldOperations = 400;

}  // namespace

std::vector<CopyRegion> mergeLists(const std::vector<std::vector<CopyRegion>>& lists,
                                   CopyDirection direction) {
  std::vector<CopyRegion> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return coalesce(std::move(all), direction);
}

DeviceCopy::DeviceCopy(int ordinal, const Lists& lists, const DeviceCopyOptions& requested)
    : direction_(requested.direction), used_(requested.strategy) {
  makeCurrent(ordinal);
  check(preloadCopyKernels(), "loading the copy kernels");
  for (const auto& list : lists) payloadBytes_ += totalBytes(list);
  DeviceCopyOptions options = requested;
  options.maxBlocks = std::max(1U, options.maxBlocks);
  if (used_ == CopyStrategy::kStagedAndKernel && options.bothDirections) {
    // Seen on H200: runs of 4 KiB scattered both ways stalled the GPU until the driver gave the context up.
    throw Error(ErrorCode::kUnsupportedHere, "strategy staged+kernel copies in one direction alone");
  }
  options.merged = options.merged || used_ == CopyStrategy::kAuto || used_ == CopyStrategy::kStagedAndKernel;
  Lists prepared;
  if (options.merged) {
    prepared.push_back(mergeLists(lists, direction_));
  } else {
    for (const auto& list : lists) {
      prepared.push_back(used_ == CopyStrategy::kMemcpy ? list : coalesce(list, direction_));
    }
  }
  if (used_ == CopyStrategy::kAuto) {
    used_ = candidates(shapeOf(prepared[0], direction_), direction_, options.bothDirections).front();
    if (used_ == CopyStrategy::kMemcpyBatch && !memcpyBatchAvailable()) used_ = CopyStrategy::kMemcpy;
  }
  compile(prepared, options);
}

void DeviceCopy::compile(const Lists& lists, const DeviceCopyOptions& options) {
  const auto makeStaged = [&](const Lists& staged, uint32_t maxBlocks) {
    staged_ = std::make_unique<StagedCopy>(staged, direction_, options.chunkBytes, kMaxStagingBufferBytes,
                                           maxBlocks);
  };
  const uint32_t maxLanes = options.merged ? kMergedLanes : std::max(1U, options.maxConcurrent);
  grid_ = {options.maxBlocks, kCopyThreads};
  switch (used_) {
    case CopyStrategy::kStaged:
      makeStaged(lists, options.maxBlocks);
      break;
    case CopyStrategy::kStagedAndKernel: {
      const Mix mix = mixFor(shapeOf(lists[0], direction_), direction_);
      Divided divided = divide(lists[0], payloadBytes_ / 100 * mix.stagedPercent);
      grid_.blocks = std::min(mix.kernelBlocks, std::max(1U, options.maxBlocks / 2));
      makeStaged({std::move(divided.first)}, std::max(1U, options.maxBlocks - grid_.blocks));
      compileKernel({std::move(divided.rest)});
      lanes_.push_back({Stream(), Event()});
      break;
    }
    case CopyStrategy::kKernel:
      compileKernel(lists);
      makeLanes(maxLanes);
      grid_.blocks = std::max<uint32_t>(1, options.maxBlocks / std::max<size_t>(lanes_.size(), 1));
      break;
    case CopyStrategy::kMemcpyBatch: {
      requireMemcpyBatch();
      const auto share =
          static_cast<uint32_t>(options.merged ? lists[0].size() / kMergedLanes : kMaxCallRegions);
      compileCalls(lists, std::clamp(share, 1U, kMaxCallRegions));
      makeLanes(maxLanes);
      break;
    }
    default:
      compileCalls(lists, kMaxCallRegions);
      makeLanes(maxLanes);
  }
}

void DeviceCopy::compileCalls(const Lists& lists, uint32_t maxCallRegions) {
  for (const auto& list : lists) {
    for (size_t done = 0; done < list.size(); done += maxCallRegions) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(maxCallRegions, list.size() - done));
      parts_.push_back({calls_.size(), count});
      for (size_t i = done; i < done + count; ++i) calls_.add(list[i].source, list[i].target, list[i].bytes);
    }
  }
}

void DeviceCopy::compileKernel(const Lists& lists) {
  std::vector<CopyRegion> all;
  for (const auto& list : lists) {
    const std::vector<CopyRegion> pieces = splitRegions(list, PieceTable::kPieceBytes);
    if (pieces.empty()) continue;
    parts_.push_back({static_cast<uint32_t>(all.size()), static_cast<uint32_t>(pieces.size())});
    all.insert(all.end(), pieces.begin(), pieces.end());
  }
  pieces_.upload(all);
}

void DeviceCopy::makeLanes(uint32_t maxLanes) {
  const size_t numLanes = std::min<size_t>(maxLanes, parts_.size());
  for (size_t i = 0; i < numLanes && numLanes > 1; ++i) lanes_.push_back({Stream(), Event()});
}

uint64_t DeviceCopy::numCopies() const {
  const uint64_t staged = staged_ != nullptr ? staged_->numCopies() : 0;
  const bool byKernel = used_ == CopyStrategy::kKernel || used_ == CopyStrategy::kStagedAndKernel;
  return staged + (byKernel ? parts_.size() : calls_.size());
}

bool DeviceCopy::fitsBehindHold() const {
  if (staged_ != nullptr) return staged_->numCalls() <= kMaxHeldOperations;
  return numCopies() / std::max<size_t>(lanes_.size(), 1) <= kMaxHeldOperations;
}

void DeviceCopy::issuePart(const Part& part, cudaStream_t stream) {
  switch (used_) {
    case CopyStrategy::kKernel:
    case CopyStrategy::kStagedAndKernel:
      pieces_.issue(part.first, part.count, {0, 0}, grid_, stream);
      break;
    case CopyStrategy::kMemcpyBatch:
      calls_.issueBatched(part.first, part.count, stream);
      break;
    default:
      calls_.issueSingly(part.first, part.count, memcpyKind(direction_), stream);
  }
}

void DeviceCopy::issueParts(cudaStream_t stream) {
  if (lanes_.empty()) {
    for (const Part& part : parts_) issuePart(part, stream);
    return;
  }
  started_.record(stream);
  for (const Lane& lane : lanes_) started_.gate(lane.stream);
  for (size_t i = 0; i < parts_.size(); ++i) issuePart(parts_[i], lanes_[i % lanes_.size()].stream);
  for (const Lane& lane : lanes_) lane.done.record(lane.stream);
}

void DeviceCopy::issue(cudaStream_t stream) {
  issueParts(stream);
  // Between fork and join, so that a mix runs its halves at the same time.
  if (staged_ != nullptr) staged_->issue(stream);
  for (const Lane& lane : lanes_) lane.done.gate(stream);
}

}  // namespace railrunner::cuda
