#include "kv/disk_plan.h"

#include <sys/uio.h>

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

constexpr uint64_t kSectorMask = kDiskBlockBytes - 1;
constexpr uint32_t kMaxVectors = 1024;  // IOV_MAX of Linux

class Builder {
 public:
  Builder(const LaneRequest& lane, const DiskPlanOptions& options)
      : lane_(lane),
        options_(options),
        write_(lane.target->tier() == Tier::kDisk),
        disk_(write_ ? lane.target->layout() : lane.source->layout()),
        memory_(write_ ? lane.source->layout() : lane.target->layout()),
        diskIds_(write_ ? lane.targetIds : lane.sourceIds),
        memoryIds_(write_ ? lane.sourceIds : lane.targetIds),
        memoryBase_(reinterpret_cast<uint64_t>(write_ ? lane.source->memory() : lane.target->memory())) {}

  DiskPlan build() {
    const auto blocks = static_cast<uint32_t>(diskIds_.size());
    const uint64_t regionsPerBlock =
        static_cast<uint64_t>(lane_.layerEnd - lane_.layerBegin) * disk_.outerDim;
    plan_.numRegions = checkedMultiply(blocks, regionsPerBlock, "regions of a transfer");
    plan_.payloadBytes = checkedMultiply(plan_.numRegions, disk_.regionBytes, "payload");
    for (uint32_t begin = 0; begin < blocks; begin += options_.maxTransferBatchSize) {
      addBatch(begin, std::min(blocks, begin + options_.maxTransferBatchSize));
      plan_.batchEnds.push_back(static_cast<uint32_t>(plan_.requests.size()));
    }
    for (DiskRequest& request : plan_.requests) finish(request);
    return std::move(plan_);
  }

 private:
  // Extents in the order of their addresses in the file, where ids follow each other.
  void addBatch(uint32_t begin, uint32_t end) {
    batchBegin_ = plan_.requests.size();
    for (uint32_t part = 0; part < disk_.extentsPerBlock; ++part) {
      for (uint32_t entry = begin; entry < end; ++entry) {
        const Extent extent =
            extentAt(disk_, static_cast<uint64_t>(part) * disk_.numBlocks + diskIds_[entry]);
        const uint32_t layerBegin = std::max(extent.layerBegin, lane_.layerBegin);
        const uint32_t layerEnd = std::min(extent.layerEnd, lane_.layerEnd);
        if (layerBegin < layerEnd) addRun(extent, entry, layerBegin, layerEnd);
      }
    }
  }

  // The bytes of layers [layerBegin, layerEnd) of an extent: contiguous in the file, cut into requests.
  void addRun(const Extent& extent, uint32_t entry, uint32_t layerBegin, uint32_t layerEnd) {
    const uint32_t outers = extent.outerEnd - extent.outerBegin;
    const uint64_t begin = extent.offset + (layerBegin - extent.layerBegin) * outers * disk_.regionBytes;
    const uint64_t end = begin + (layerEnd - layerBegin) * outers * disk_.regionBytes;
    const uint64_t extentEnd = extent.offset + disk_.extentBytes;
    const uint64_t alignedEnd = alignUp(end, kDiskBlockBytes);
    for (uint64_t at = begin & ~kSectorMask; at < alignedEnd;) {
      DiskRequest* request = joinable(at, alignedEnd, begin);
      if (request == nullptr) {
        const auto first = static_cast<uint32_t>(plan_.pieces.size());
        plan_.requests.push_back({at, 0, 0, first, first, false, false});
        request = &plan_.requests.back();
      }
      const uint64_t room = options_.requestBytes - request->bytes;
      const uint64_t stop = std::min(alignedEnd, at + room);
      const uint64_t payloadStop = std::min(stop, end);
      addPieces(*request, extent, entry, std::max(at, begin), payloadStop);
      request->bytes = static_cast<uint32_t>(stop - request->fileOffset);
      request->payloadEnd = static_cast<uint32_t>(payloadStop - request->fileOffset);
      // Sectors at either edge that hold other layers of the block must keep them.
      const bool sharesFirst = at < begin;
      const bool sharesLast = stop > end && end != extentEnd;
      if (write_ && (sharesFirst || sharesLast)) request->readFirst = true;
      at = stop;
    }
  }

  // The last request, if the run that starts at `at` continues it without a gap and fits in whole.
  DiskRequest* joinable(uint64_t at, uint64_t alignedEnd, uint64_t begin) {
    if (at < begin || plan_.requests.size() == batchBegin_) return nullptr;
    DiskRequest& last = plan_.requests.back();
    const bool continues =
        last.fileOffset + last.bytes == at && last.payloadEnd == last.bytes && !last.readFirst;
    return continues && last.bytes + (alignedEnd - at) <= options_.requestBytes ? &last : nullptr;
  }

  // The regions' parts inside [begin, end) of the file.
  void addPieces(DiskRequest& request, const Extent& extent, uint32_t entry, uint64_t begin, uint64_t end) {
    const uint32_t outers = extent.outerEnd - extent.outerBegin;
    for (uint64_t at = begin; at < end;) {
      const uint64_t index = (at - extent.offset) / disk_.regionBytes;
      const uint64_t inside = (at - extent.offset) % disk_.regionBytes;
      const uint64_t bytes = std::min(disk_.regionBytes - inside, end - at);
      const auto layer = extent.layerBegin + static_cast<uint32_t>(index / outers);
      const auto outer = extent.outerBegin + static_cast<uint32_t>(index % outers);
      addPiece(request, memory_.offset(memoryIds_[entry], layer, outer) + inside,
               static_cast<uint32_t>(at - request.fileOffset), static_cast<uint32_t>(bytes));
      at += bytes;
    }
  }

  void addPiece(DiskRequest& request, uint64_t memoryOffset, uint32_t requestOffset, uint32_t bytes) {
    if (options_.coalesce && request.pieceEnd > request.pieceBegin) {
      DiskPiece& last = plan_.pieces.back();
      if (last.memoryOffset + last.bytes == memoryOffset &&
          last.requestOffset + last.bytes == requestOffset) {
        last.bytes += bytes;
        return;
      }
    }
    plan_.pieces.push_back({memoryOffset, requestOffset, bytes});
    ++request.pieceEnd;
  }

  void finish(DiskRequest& request) {
    plan_.diskBytes += request.readFirst ? 2ULL * request.bytes : request.bytes;
    const uint64_t alignment = options_.directAlignmentBytes;
    uint64_t covered = 0;
    bool direct =
        alignment != 0 && !request.readFirst && request.pieceEnd - request.pieceBegin <= kMaxVectors;
    for (uint32_t i = request.pieceBegin; i < request.pieceEnd; ++i) {
      const DiskPiece& piece = plan_.pieces[i];
      covered += piece.bytes;
      if (direct && ((memoryBase_ + piece.memoryOffset) % alignment != 0 || piece.bytes % alignment != 0))
        direct = false;
    }
    request.direct = direct && covered == request.bytes;
  }

  const LaneRequest& lane_;
  const DiskPlanOptions& options_;
  bool write_;
  const BlockLayout& disk_;
  const BlockLayout& memory_;
  const std::vector<uint32_t>& diskIds_;
  const std::vector<uint32_t>& memoryIds_;
  uint64_t memoryBase_;
  DiskPlan plan_;
  size_t batchBegin_ = 0;
};

}  // namespace

DiskPlan compileDiskPlan(const LaneRequest& lane, const DiskPlanOptions& options) {
  if (options.maxTransferBatchSize == 0)
    throw Error(ErrorCode::kArgument, "maxTransferBatchSize: expected 1 or more");
  if (options.requestBytes == 0 || options.requestBytes % kDiskBlockBytes != 0) {
    throw Error(ErrorCode::kArgument, "requestBytes: expected a multiple of 4096, received " +
                                          std::to_string(options.requestBytes));
  }
  requireSameRegions(lane.source->layout(), lane.target->layout());
  return Builder(lane, options).build();
}

}  // namespace railrunner
