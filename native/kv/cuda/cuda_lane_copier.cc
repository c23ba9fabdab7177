#include "kv/cuda/cuda_lane_copier.h"

#include <algorithm>
#include <utility>

#include "kv/copy_plan.h"
#include "kv/cuda/cuda_hop.h"
#include "kv/cuda/cuda_memory_transfer.h"
#include "kv/disk_lane.h"

namespace railrunner {

namespace {

using cuda::CopyDirection;
using cuda::CopyRegion;
using cuda::CopyStrategy;

// What `auto` takes for a list that is copied once: staging buffers and several streams are not worth their setup,
// and nothing can be tried first.
CopyStrategy quickestOnce(const std::vector<CopyRegion>& regions, CopyDirection direction) {
  for (const CopyStrategy candidate : cuda::candidates(cuda::shapeOf(regions, direction), direction, true)) {
    if (candidate == CopyStrategy::kMemcpyBatch && !cuda::memcpyBatchAvailable()) continue;
    if (candidate == CopyStrategy::kMemcpy || candidate == CopyStrategy::kKernel ||
        candidate == CopyStrategy::kMemcpyBatch)
      return candidate;
  }
  return CopyStrategy::kKernel;
}

class CudaMemoryCopier final : public LaneCopier {
 public:
  CudaMemoryCopier(int ordinal, BlockPool& source, BlockPool& target, const TransferOptions& options)
      : ordinal_(ordinal), source_(source), target_(target), options_(options) {
    cuda::makeCurrent(ordinal_);
    stream_ = std::make_unique<cuda::Stream>();
    done_ = std::make_unique<cuda::Event>();
    copyOptions_.direction =
        source.tier() == Tier::kDevice ? CopyDirection::kDeviceToHost : CopyDirection::kHostToDevice;
    copyOptions_.maxConcurrent = 1;
    copyOptions_.bothDirections = true;
    copyOptions_.chunkBytes = options.chunkBytes;
    copyOptions_.maxBlocks = options.maxCtas;
  }

  PathBytes copy(const LaneRequest& lane, RunControl& control) override {
    validateLane(lane);
    cuda::makeCurrent(ordinal_);
    const bool joined = options_.strategy != Strategy::kMemcpy;
    const CopyPlan plan = compileCopyPlan(lane, {joined, UINT32_MAX, 0});
    std::vector<CopyRegion> regions = regionsOf(plan);
    if (joined) regions = cuda::coalesce(std::move(regions), copyOptions_.direction);
    copyOptions_.strategy = options_.strategy == Strategy::kAuto
                                ? quickestOnce(regions, copyOptions_.direction)
                                : cuda::copyStrategyOf(options_.strategy);
    cuda::DeviceCopy copies(ordinal_, {std::move(regions)}, copyOptions_);
    used_ = cuda::strategyOf(copies.used());
    try {
      copies.issue(*stream_);
      done_->record(*stream_);
      done_->wait(control);
    } catch (...) {
      cudaStreamSynchronize(*stream_);
      throw;
    }
    PathBytes bytes;
    bytes.payload = bytes.pcie = copies.payloadBytes();
    return bytes;
  }
  Strategy strategyUsed() const override { return used_; }

 private:
  std::vector<CopyRegion> regionsOf(const CopyPlan& plan) const {
    const auto source = reinterpret_cast<uint64_t>(source_.memory());
    const auto target = reinterpret_cast<uint64_t>(target_.memory());
    std::vector<CopyRegion> regions;
    regions.reserve(plan.spans.size());
    for (const CopySpan& span : plan.spans)
      regions.push_back({source + span.sourceOffset, target + span.targetOffset, span.bytes});
    return regions;
  }

  int ordinal_;
  BlockPool& source_;
  BlockPool& target_;
  TransferOptions options_;
  cuda::DeviceCopyOptions copyOptions_;
  std::unique_ptr<cuda::Stream> stream_;
  std::unique_ptr<cuda::Event> done_;
  Strategy used_ = Strategy::kAuto;
};

// Through the queue's buffers, which are registered as long as the copier lives.
class CudaDiskCopier final : public LaneCopier {
 public:
  CudaDiskCopier(Device& device, BlockPool& source, BlockPool& target, uint32_t queueIndex,
                 const TransferOptions& options)
      : device_(device),
        options_(options),
        toDisk_(target.tier() == Tier::kDisk),
        disk_(toDisk_ ? target : source),
        memory_(toDisk_ ? source : target),
        queue_(disk_.diskQueue(queueIndex, options.queueDepth, options.requestBytes)),
        buffers_(device, queue_.slotBuffer(0), uint64_t{queue_.depth()} * queue_.requestBytes()) {}

  PathBytes copy(const LaneRequest& lane, RunControl& control) override {
    validateLane(lane);
    const bool joined = options_.strategy != Strategy::kMemcpy;
    DiskPlan plan = compileDiskPlan(lane, {options_.maxTransferBatchSize, options_.requestBytes, joined, 0});
    // Moving the plan leaves its pieces where they are.
    cuda::CudaHop hop(device_, memory_.memory(), queue_, plan.pieces, toDisk_, options_,
                      cuda::CudaHop::Buffers::kRegistered);
    DiskLane<cuda::CudaHop> copies(lane, std::move(plan), queue_,
                                   std::max(1U, options_.maxConcurrentTransfers), std::move(hop),
                                   disk_.poisonSalt(), strategyUsed());
    copies.execute(control);
    return copies.facts().bytes;
  }
  Strategy strategyUsed() const override { return cuda::CudaHop::strategyUsed(options_.strategy); }
  std::string diskIo() const override { return queue_.describe(); }

 private:
  class Registration {
   public:
    Registration(Device& device, std::byte* data, uint64_t bytes) : device_(device), data_(data) {
      device_.registerHost(data, bytes);
    }
    ~Registration() {
      try {
        device_.unregisterHost(data_);
      } catch (const Error&) {
        // The context is lost, and its registrations with it.
      }
    }

   private:
    Device& device_;
    std::byte* data_;
  };

  Device& device_;
  TransferOptions options_;
  bool toDisk_;
  BlockPool& disk_;
  BlockPool& memory_;
  DiskQueue& queue_;
  Registration buffers_;
};

}  // namespace

std::unique_ptr<LaneCopier> makeCudaLaneCopier(Device& device, BlockPool& source, BlockPool& target,
                                               uint32_t queueIndex, const TransferOptions& options) {
  if (source.tier() == Tier::kDisk || target.tier() == Tier::kDisk)
    return std::make_unique<CudaDiskCopier>(device, source, target, queueIndex, options);
  return std::make_unique<CudaMemoryCopier>(device.ordinal(), source, target, options);
}

}  // namespace railrunner
