#include "kv/cuda/cuda_transfer.h"

#include <algorithm>

#include "kv/cuda/cuda_hop.h"
#include "kv/cuda/cuda_memory_transfer.h"
#include "kv/disk_lane.h"
#include "kv/lane_transfer.h"

namespace railrunner {

namespace {

using CudaDiskLane = DiskLane<cuda::CudaHop>;

std::unique_ptr<Transfer> compileDisk(Device& device, std::vector<LaneRequest> lanes,
                                      const TransferOptions& options) {
  std::vector<std::unique_ptr<CudaDiskLane>> compiled;
  bool anyWrite = false;
  for (uint32_t i = 0; i < lanes.size(); ++i) {
    LaneRequest& request = lanes[i];
    const bool toDisk = request.target->tier() == Tier::kDisk;
    anyWrite = anyWrite || toDisk;
    BlockPool& disk = toDisk ? *request.target : *request.source;
    BlockPool& memory = toDisk ? *request.source : *request.target;
    DiskQueue& queue = disk.diskQueue(i, options.queueDepth, options.requestBytes);
    const bool joined = options.strategy != Strategy::kMemcpy;
    DiskPlan plan = compileDiskPlan(request, {options.maxTransferBatchSize, options.requestBytes, joined, 0});
    // Moving the plan leaves its pieces where they are.
    cuda::CudaHop hop(device, memory.memory(), queue, plan.pieces, toDisk, options);
    compiled.push_back(std::make_unique<CudaDiskLane>(
        std::move(request), std::move(plan), queue, std::max(1U, options.maxConcurrentTransfers),
        std::move(hop), disk.poisonSalt(), cuda::CudaHop::strategyUsed(options.strategy)));
  }
  std::string probe = compiled.size() > 1 ? "bare loops of the same disk reads and writes at once"
                      : anyWrite          ? "bare loop of the same disk writes"
                                          : "bare loop of the same disk reads";
  return std::make_unique<LaneTransfer<CudaDiskLane>>(std::move(compiled), std::move(probe));
}

bool touchesDisk(const LaneRequest& lane) {
  return lane.source->tier() == Tier::kDisk || lane.target->tier() == Tier::kDisk;
}

}  // namespace

std::unique_ptr<Transfer> compileCudaTransfer(Device& device, std::vector<LaneRequest> lanes,
                                              const TransferOptions& options) {
  if (touchesDisk(lanes.front())) return compileDisk(device, std::move(lanes), options);
  return std::make_unique<cuda::CudaMemoryTransfer>(device.ordinal(), std::move(lanes), options);
}

}  // namespace railrunner
