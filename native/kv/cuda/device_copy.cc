#include "kv/cuda/device_copy.h"

#include <algorithm>

namespace railrunner::cuda {

namespace {

// 16 blocks of 512 threads saturate the link in either direction; more only take SMs from others.
constexpr CopyGrid kLinkGrid{16, 512};
constexpr uint32_t kMinLinkBlocks = 4;
constexpr uint64_t kMaxStagingBufferBytes = 32ULL << 20;
// Streams over which one merged list is spread where it goes by batch calls: what a call costs hides behind
// others.
constexpr uint32_t kMergedLanes = 4;
constexpr uint32_t kMaxCallRegions = 1024;
constexpr uint64_t kMaxHeldOperations = 400;

}  // namespace

DeviceCopy::DeviceCopy(int ordinal, const std::vector<std::vector<CopyRegion>>& requested,
                       const DeviceCopyOptions& options)
    : direction_(options.direction), used_(options.strategy) {
  makeCurrent(ordinal);
  check(preloadCopyKernels(), "loading the copy kernels");
  std::vector<std::vector<CopyRegion>> lists = requested;
  uint32_t maxCallRegions = kMaxCallRegions;
  uint32_t maxLanes = std::max(1U, options.maxConcurrent);
  if (used_ == CopyStrategy::kAuto) {
    std::vector<CopyRegion> all;
    for (const auto& list : requested) all.insert(all.end(), list.begin(), list.end());
    lists = {coalesce(std::move(all), direction_)};
    used_ = chooseStrategy(shapeOf(lists[0], direction_), direction_, options.bothDirections);
    if (used_ == CopyStrategy::kMemcpyBatch && !memcpyBatchAvailable()) used_ = CopyStrategy::kKernel;
    const auto share = static_cast<uint32_t>(lists[0].size() / kMergedLanes);
    maxCallRegions = std::clamp(share, 1U, kMaxCallRegions);
    maxLanes = kMergedLanes;
  } else if (used_ != CopyStrategy::kMemcpy) {
    for (auto& list : lists) list = coalesce(std::move(list), direction_);
  }
  for (const auto& list : lists) payloadBytes_ += totalBytes(list);
  switch (used_) {
    case CopyStrategy::kStaged:
      staged_ = std::make_unique<StagedCopy>(lists, direction_, options.chunkBytes, kMaxStagingBufferBytes);
      break;
    case CopyStrategy::kKernel:
      compileKernel(lists);
      break;
    case CopyStrategy::kMemcpyBatch:
      if (!memcpyBatchAvailable()) {
        throw Error(
            ErrorCode::kUnsupportedHere,
            "strategy memcpyBatch needs cudaMemcpyBatchAsync: a build with CUDA 12.8 or newer, and a driver "
            "that has it");
      }
      compileCalls(lists, maxCallRegions);
      break;
    default:
      compileCalls(lists, kMaxCallRegions);
  }
  const size_t numLanes = std::min<size_t>(maxLanes, parts_.size());
  for (size_t i = 0; i < numLanes && numLanes > 1; ++i) lanes_.push_back({Stream(), Event()});
  grid_ = kLinkGrid;
  if (numLanes > 1) grid_.blocks = std::max<uint32_t>(kMinLinkBlocks, kLinkGrid.blocks / numLanes);
}

void DeviceCopy::compileCalls(const std::vector<std::vector<CopyRegion>>& lists, uint32_t maxCallRegions) {
  for (const auto& list : lists) {
    for (size_t done = 0; done < list.size(); done += maxCallRegions) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(maxCallRegions, list.size() - done));
      parts_.push_back({calls_.size(), count});
      for (size_t i = done; i < done + count; ++i) calls_.add(list[i].source, list[i].target, list[i].bytes);
    }
  }
}

void DeviceCopy::compileKernel(const std::vector<std::vector<CopyRegion>>& lists) {
  std::vector<CopyRegion> all;
  for (const auto& list : lists) {
    const std::vector<CopyRegion> pieces = splitRegions(list, PieceTable::kPieceBytes);
    if (pieces.empty()) continue;
    parts_.push_back({static_cast<uint32_t>(all.size()), static_cast<uint32_t>(pieces.size())});
    all.insert(all.end(), pieces.begin(), pieces.end());
  }
  pieces_.upload(all);
}

bool DeviceCopy::fitsBehindHold() const {
  const uint64_t perLane = std::max<size_t>(lanes_.size(), 1);
  switch (used_) {
    case CopyStrategy::kStaged:
      return staged_->numCalls() <= kMaxHeldOperations;
    case CopyStrategy::kKernel:
      return parts_.size() / perLane <= kMaxHeldOperations;
    default:
      return calls_.size() / perLane <= kMaxHeldOperations;
  }
}

void DeviceCopy::issuePart(const Part& part, cudaStream_t stream) {
  switch (used_) {
    case CopyStrategy::kKernel:
      pieces_.issue(part.first, part.count, grid_, stream);
      break;
    case CopyStrategy::kMemcpyBatch:
      calls_.issueBatched(part.first, part.count, stream);
      break;
    default:
      calls_.issueSingly(part.first, part.count, memcpyKind(direction_), stream);
  }
}

void DeviceCopy::issue(cudaStream_t stream) {
  if (staged_ != nullptr) {
    staged_->issue(stream);
    return;
  }
  if (lanes_.empty()) {
    for (const Part& part : parts_) issuePart(part, stream);
    return;
  }
  started_.record(stream);
  for (const Lane& lane : lanes_) started_.gate(lane.stream);
  for (size_t i = 0; i < parts_.size(); ++i) issuePart(parts_[i], lanes_[i % lanes_.size()].stream);
  for (const Lane& lane : lanes_) {
    lane.done.record(lane.stream);
    lane.done.gate(stream);
  }
}

}  // namespace railrunner::cuda
