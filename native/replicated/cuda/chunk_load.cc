#include "replicated/cuda/chunk_load.h"

#include <algorithm>

namespace railrunner::cuda {

namespace {

// Thread blocks that saturate the host link.
constexpr uint32_t kLoadBlocks = 16;

}  // namespace

std::vector<CopyRegion> regionsOf(const std::vector<CopySpan>& spans, const void* source,
                                  const void* target) {
  std::vector<CopyRegion> regions;
  regions.reserve(spans.size());
  for (const CopySpan& span : spans) {
    regions.push_back(
        {addressOf(source) + span.sourceOffset, addressOf(target) + span.targetOffset, span.bytes});
  }
  return regions;
}

LaneRequest laneOf(BlockPool* source, const ReplicatedRequest& request) {
  LaneRequest lane{source,          request.target, request.sourceIds, request.targetIds, request.layerBegin,
                   request.layerEnd};
  if (source == request.target) lane.sourceIds = request.targetIds;
  return lane;
}

void ChunkLoad::addMemory(CudaBoard& board, std::vector<CopyRegion> regions, bool isOneOfMany,
                          ReplicatedFacts& facts) {
  if (regions.empty()) return;
  facts.loadBytes += totalBytes(regions);
  facts.bytes.pcie += totalBytes(regions);
  DeviceCopyOptions copy;
  copy.direction = CopyDirection::kHostToDevice;
  // Steps follow each other on one stream. What DeviceCopy does to be quick alone (several streams, staging
  // of its own) has a beginning and an end that nothing overlaps, in every step: one call per run, or one
  // kernel.
  const uint64_t runs = coalesce(regions, copy.direction).size();
  if (isOneOfMany) {
    copy.strategy =
        totalBytes(regions) / runs >= kDirectRunBytes ? CopyStrategy::kMemcpy : CopyStrategy::kKernel;
  }
  if (copy.strategy == CopyStrategy::kMemcpy) regions = coalesce(std::move(regions), copy.direction);
  copy.maxBlocks = kLoadBlocks;
  copy.maxConcurrent = board.request().options.maxConcurrentTransfers;
  memory_ = std::make_unique<DeviceCopy>(board.ordinal(),
                                         std::vector<std::vector<CopyRegion>>{std::move(regions)}, copy);
}

void ChunkLoad::addDisk(CudaBoard& board, const Piece& piece, ReplicatedFacts& facts) {
  const TransferOptions& options = board.request().options;
  BlockPool& disk = *board.request().source;
  for (const LaneRequest& part : piece) {
    // A queue each: a hop registers its queue's buffers for itself.
    DiskQueue& queue = disk.diskQueue(board.takeDiskQueue(), options.queueDepth, options.requestBytes);
    DiskPlan plan = compileDiskPlan(part, {options.maxTransferBatchSize, options.requestBytes, true, 0});
    facts.bytes.disk += plan.diskBytes;
    facts.loadBytes += plan.payloadBytes;
    facts.bytes.pcie += plan.payloadBytes;
    facts.diskIo = queue.describe();
    CudaHop hop(board.device(), part.target->memory(), queue, plan.pieces, false, options);
    disk_.push_back(std::make_unique<DiskLane<CudaHop>>(
        part, std::move(plan), queue, std::max(1U, options.maxConcurrentTransfers), std::move(hop),
        disk.poisonSalt(), Strategy::kKernel));
  }
}

void ChunkLoad::issue(cudaStream_t stream, RunControl& control) {
  if (memory_) memory_->issue(stream);
  for (const auto& lane : disk_) lane->execute(control);
}

}  // namespace railrunner::cuda
