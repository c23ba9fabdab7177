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
        memoryBase_(reinterpret_cast<uint64_t>(write_ ? lane.source->memory() : lane.target->memory())) {
    for (const GroupLayout& group : disk_.groups)
      spans_.push_back(group.span(lane.layerBegin, lane.layerEnd));
  }

  DiskPlan build() {
    const auto blocks = static_cast<uint32_t>(diskIds_.size());
    const Payload payload = payloadOf(disk_, diskIds_, lane_.layerBegin, lane_.layerEnd);
    plan_.numRegions = payload.regions;
    plan_.payloadBytes = payload.bytes;
    for (uint32_t begin = 0; begin < blocks; begin += options_.maxTransferBatchSize) {
      batchBegin_ = plan_.requests.size();
      addBatch(begin, std::min(blocks, begin + options_.maxTransferBatchSize));
      // A batch whose blocks hold none of the layers is none: nobody could wait for its end.
      if (plan_.requests.size() > batchBegin_)
        plan_.batchEnds.push_back(static_cast<uint32_t>(plan_.requests.size()));
    }
    for (DiskRequest& request : plan_.requests) finish(request);
    return std::move(plan_);
  }

 private:
  // A region that is transferred: [begin, end) of the file, and where it lies in memory.
  struct Region {
    uint64_t begin, end;
    uint64_t memoryOffset;
  };

  // Extents in the order of their addresses in the file, where ids follow each other.
  void addBatch(uint32_t begin, uint32_t end) {
    for (const Strip& strip : disk_.strips) {
      const Section& section = disk_.sections[strip.section];
      for (uint32_t entry = begin; entry < end; ++entry) {
        const uint32_t block = diskIds_[entry] - section.firstBlock;
        if (diskIds_[entry] >= section.firstBlock && block < section.numBlocks)
          addExtent(strip, strip.begin + block * strip.stride, entry);
      }
    }
  }

  // The regions of an extent that are transferred, in runs whose sectors no other run of it touches.
  void addExtent(const Strip& strip, uint64_t extentBegin, uint32_t entry) {
    regions_.clear();
    uint64_t at = extentBegin;
    forEachRegion(disk_, strip, [&](uint32_t group, uint32_t position, uint32_t outer) {
      const uint64_t bytes = disk_.groups[group].outers[outer].regionBytes;
      if (position >= spans_[group].begin && position < spans_[group].end)
        regions_.push_back({at, at + bytes, memory_.offset(memoryIds_[entry], group, position, outer)});
      at += bytes;
    });
    for (size_t first = 0; first < regions_.size();) {
      size_t end = first + 1;
      while (end < regions_.size() &&
             (regions_[end].begin & ~kSectorMask) < alignUp(regions_[end - 1].end, kDiskBlockBytes)) {
        ++end;
      }
      addRun(first, end, extentBegin + strip.extentBytes);
      first = end;
    }
  }

  // Regions [first, last) of an extent that ends at extentEnd: one range of sectors, cut into requests.
  void addRun(size_t first, size_t last, uint64_t extentEnd) {
    const uint64_t begin = regions_[first].begin;
    const uint64_t end = regions_[last - 1].end;
    const uint64_t alignedEnd = alignUp(end, kDiskBlockBytes);
    for (uint64_t at = begin & ~kSectorMask; at < alignedEnd;) {
      DiskRequest* request = joinable(at, alignedEnd, begin);
      if (request == nullptr) {
        const auto piece = static_cast<uint32_t>(plan_.pieces.size());
        plan_.requests.push_back({at, 0, 0, piece, piece, false, false});
        request = &plan_.requests.back();
      }
      const uint64_t room = options_.requestBytes - request->bytes;
      const uint64_t stop = std::min(alignedEnd, at + room);
      const uint64_t payloadStop = std::min(stop, end);
      uint64_t covered = 0;
      for (; first < last && regions_[first].begin < stop; ++first) {
        const Region& region = regions_[first];
        const uint64_t from = std::max(region.begin, at);
        const uint64_t to = std::min(region.end, stop);
        addPiece(*request, region.memoryOffset + (from - region.begin),
                 static_cast<uint32_t>(from - request->fileOffset), static_cast<uint32_t>(to - from));
        covered += to - from;
        if (region.end > stop) break;
      }
      request->bytes = static_cast<uint32_t>(stop - request->fileOffset);
      request->payloadEnd = static_cast<uint32_t>(payloadStop - request->fileOffset);
      // What else the extent has in these sectors, in other layers of the block, must keep its bytes.
      if (write_ && covered < std::min(stop, extentEnd) - at) request->readFirst = true;
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
  std::vector<LayerSpan> spans_;  // by group
  std::vector<Region> regions_;   // of the extent of the moment
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
