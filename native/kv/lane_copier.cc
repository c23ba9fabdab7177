#include "kv/lane_copier.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "kv/copy_plan.h"
#include "kv/disk_lane.h"
#include "kv/span_copier.h"

#ifdef RAILRUNNER_CUDA
#include "kv/cuda/cuda_lane_copier.h"
#endif

namespace railrunner {

namespace {

// Blocks of a pool that outgrows the caches are not read again before they have left them.
constexpr uint64_t kCachedPoolBytes = 64ULL << 20;
// Longer runs are cut, so that threads share them.
constexpr uint64_t kSpanBytes = 1ULL << 20;

class HostMemoryCopier final : public LaneCopier {
 public:
  HostMemoryCopier(BlockPool& target, const TransferOptions& options)
      : perRegion_(options.strategy == Strategy::kMemcpy),
        batchBlocks_(options.maxTransferBatchSize),
        copier_(perRegion_ ? 1 : options.threads,
                !perRegion_ && target.layout().totalBytes > kCachedPoolBytes) {}

  PathBytes copy(const LaneRequest& lane, RunControl& control) override {
    validateLane(lane);
    const CopyPlan plan = compileCopyPlan(lane, {!perRegion_, batchBlocks_, perRegion_ ? 0 : kSpanBytes});
    const uint64_t copied = copier_.copy(plan.spans, lane.source->memory(), lane.target->memory(), control);
    if (copied != plan.payloadBytes) {
      throw Error(ErrorCode::kState, "copies of " + std::to_string(copied) +
                                         " bytes were issued, the plan says " +
                                         std::to_string(plan.payloadBytes));
    }
    PathBytes bytes;
    bytes.payload = bytes.self = copied;
    return bytes;
  }
  Strategy strategyUsed() const override { return perRegion_ ? Strategy::kMemcpy : Strategy::kKernel; }

 private:
  bool perRegion_;
  uint32_t batchBlocks_;
  SpanCopier copier_;
};

class HostDiskCopier final : public LaneCopier {
 public:
  HostDiskCopier(BlockPool& source, BlockPool& target, uint32_t queueIndex, const TransferOptions& options)
      : options_(options),
        toDisk_(target.tier() == Tier::kDisk),
        disk_(toDisk_ ? target : source),
        memory_(toDisk_ ? source : target),
        queue_(disk_.diskQueue(queueIndex, options.queueDepth, options.requestBytes)),
        directAlignment_(options.strategy == Strategy::kMemcpy ? 0
                                                               : disk_.file()->directIo().alignmentBytes) {
    // Pinned once for all calls.
    if (directAlignment_ > 0)
      memoryUse_ = std::make_unique<DiskMemoryUse>(queue_, memory_.memory(), memory_.layout().totalBytes);
  }

  PathBytes copy(const LaneRequest& lane, RunControl& control) override {
    validateLane(lane);
    DiskPlan plan = compileDiskPlan(lane, {options_.maxTransferBatchSize, options_.requestBytes,
                                           options_.strategy != Strategy::kMemcpy, directAlignment_});
    DiskLane<CpuHop> copies(lane, std::move(plan), queue_, std::max(1U, options_.maxConcurrentTransfers),
                            CpuHop(memory_.memory()), disk_.poisonSalt(), strategyUsed());
    copies.execute(control);
    return copies.facts().bytes;
  }
  Strategy strategyUsed() const override {
    return options_.strategy == Strategy::kMemcpy ? Strategy::kMemcpy : Strategy::kKernel;
  }
  std::string diskIo() const override { return queue_.describe(); }

 private:
  TransferOptions options_;
  bool toDisk_;
  BlockPool& disk_;
  BlockPool& memory_;
  DiskQueue& queue_;
  uint64_t directAlignment_;
  std::unique_ptr<DiskMemoryUse> memoryUse_;
};

void requireHostStrategy(const TransferOptions& options) {
  if (options.strategy != Strategy::kMemcpyBatch && options.strategy != Strategy::kStaged) return;
  throw Error(ErrorCode::kUnsupportedHere,
              std::string("strategy `") + strategyName(options.strategy) +
                  "` needs a cuda device; the host device has memcpy, kernel and auto");
}

}  // namespace

std::unique_ptr<LaneCopier> makeLaneCopier(Device& device, BlockPool& source, BlockPool& target,
                                           uint32_t queueIndex, const TransferOptions& options) {
  const bool touchesDevice = source.tier() == Tier::kDevice || target.tier() == Tier::kDevice;
  const bool touchesDisk = source.tier() == Tier::kDisk || target.tier() == Tier::kDisk;
  if (touchesDevice && device.kind() == DeviceKind::kCuda) {
#ifdef RAILRUNNER_CUDA
    return makeCudaLaneCopier(device, source, target, queueIndex, options);
#else
    throw Error(ErrorCode::kUnsupportedHere, "this build of the addon has no copies for a cuda device");
#endif
  }
  if (touchesDisk) {
    // Between host memory and disk no copy is the GPU's, whatever the strategy of the others.
    TransferOptions own = options;
    if (device.kind() == DeviceKind::kCuda && own.strategy != Strategy::kMemcpy)
      own.strategy = Strategy::kAuto;
    requireHostStrategy(own);
    return std::make_unique<HostDiskCopier>(source, target, queueIndex, own);
  }
  requireHostStrategy(options);
  return std::make_unique<HostMemoryCopier>(target, options);
}

}  // namespace railrunner
