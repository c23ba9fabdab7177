#include "kv/transfer.h"

#include <algorithm>

#include "core/error.h"
#include "kv/host_disk_lane.h"
#include "kv/lane_transfer.h"
#include "kv/memory_lane.h"

#ifdef RAILRUNNER_CUDA
#include "kv/cuda/cuda_transfer.h"
#endif

namespace railrunner {

namespace {

bool touchesDisk(const LaneRequest& lane) {
  return lane.source->tier() == Tier::kDisk || lane.target->tier() == Tier::kDisk;
}

void requireLegalPair(const LaneRequest& lane) {
  const Tier from = lane.source->tier();
  const Tier to = lane.target->tier();
  const bool legal = (from == Tier::kDevice && to != Tier::kDevice) ||
                     (from == Tier::kHost && to != Tier::kHost) ||
                     (from == Tier::kDisk && to == Tier::kDevice);
  if (!legal) {
    throw Error(ErrorCode::kArgument,
                std::string("no transfer from ") + tierName(from) + " to " + tierName(to));
  }
}

std::unique_ptr<Transfer> compileHostDisk(std::vector<LaneRequest> lanes, const TransferOptions& options) {
  if (options.strategy == Strategy::kMemcpyBatch || options.strategy == Strategy::kStaged) {
    throw Error(ErrorCode::kUnsupportedHere,
                std::string("strategy `") + strategyName(options.strategy) +
                    "` needs a cuda device; the host device has memcpy, kernel and auto");
  }
  std::vector<std::unique_ptr<HostDiskLane>> compiled;
  bool write = false;
  for (uint32_t lane = 0; lane < lanes.size(); ++lane) {
    const LaneRequest& request = lanes[lane];
    const bool writes = request.target->tier() == Tier::kDisk;
    BlockPool& disk = writes ? *request.target : *request.source;
    BlockPool& memory = writes ? *request.source : *request.target;
    DiskQueue& queue = disk.diskQueue(lane, options.queueDepth, options.requestBytes);
    const uint64_t directAlignment = disk.file()->directIo().alignmentBytes;
    std::vector<std::unique_ptr<HostDiskLane::Lane>> variants;
    for (const Strategy strategy : {Strategy::kKernel, Strategy::kMemcpy}) {
      if (options.strategy != Strategy::kAuto && options.strategy != strategy) continue;
      const bool perRegion = strategy == Strategy::kMemcpy;
      DiskPlan plan = compileDiskPlan(request, {options.maxTransferBatchSize, options.requestBytes,
                                                !perRegion, perRegion ? 0 : directAlignment});
      variants.push_back(std::make_unique<HostDiskLane::Lane>(
          request, std::move(plan), queue, std::max(1U, options.maxConcurrentTransfers),
          CpuHop(memory.memory()), disk.poisonSalt(), strategy));
    }
    compiled.push_back(std::make_unique<HostDiskLane>(std::move(variants)));
    write = write || writes;
  }
  std::string probe = compiled.size() > 1 ? "bare loops of the same disk reads and writes at once"
                      : write             ? "bare loop of the same disk writes"
                                          : "bare loop of the same disk reads";
  return std::make_unique<LaneTransfer<HostDiskLane>>(std::move(compiled), std::move(probe));
}

std::unique_ptr<Transfer> compileHostMemory(std::vector<LaneRequest> lanes, const TransferOptions& options) {
  std::vector<std::unique_ptr<MemoryLane>> compiled;
  for (LaneRequest& request : lanes)
    compiled.push_back(std::make_unique<MemoryLane>(std::move(request), options));
  std::string probe = compiled.size() > 1 ? "two contiguous host memcpys at once" : "contiguous host memcpy";
  return std::make_unique<LaneTransfer<MemoryLane>>(std::move(compiled), std::move(probe));
}

}  // namespace

const char* strategyName(Strategy strategy) {
  switch (strategy) {
    case Strategy::kAuto:
      return "auto";
    case Strategy::kMemcpy:
      return "memcpy";
    case Strategy::kMemcpyBatch:
      return "memcpyBatch";
    case Strategy::kKernel:
      return "kernel";
    case Strategy::kStaged:
      return "staged";
    case Strategy::kStagedAndKernel:
      return "staged+kernel";
  }
  return "auto";
}

std::string directionOf(const LaneFacts& lane) {
  return std::string(tierName(lane.from)) + "->" + tierName(lane.to);
}

void addPhases(MeasuredPhases& measured, const char* timing, const SampleSet& whole,
               const std::vector<LaneFacts>& lanes,
               const std::vector<const std::vector<double>*>& laneTimesUs) {
  measured.stopped = measured.stopped || whole.stopped;
  Phase total{"total", timing, directionOf(lanes.front()), whole.timesUs, whole.entrySkewUs, {}};
  for (const LaneFacts& lane : lanes) total.bytes += lane.bytes;
  if (lanes.size() > 1) {
    total.direction = std::string(tierName(lanes.front().from)) + "<->" + tierName(lanes.front().to);
  }
  measured.phases.push_back(std::move(total));
  if (lanes.size() < 2) return;
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    const std::vector<double>& times = *laneTimesUs[lane];
    const char* phase = lanes[lane].to == Tier::kDevice ? "onboard" : "offload";
    measured.phases.push_back({phase,
                               timing,
                               directionOf(lanes[lane]),
                               {times.end() - static_cast<std::ptrdiff_t>(whole.timesUs.size()), times.end()},
                               whole.entrySkewUs,
                               lanes[lane].bytes});
  }
}

std::unique_ptr<Transfer> compileTransfer(Device& device, std::vector<LaneRequest> lanes,
                                          const TransferOptions& options) {
  if (lanes.empty() || lanes.size() > 2)
    throw Error(ErrorCode::kArgument, "a transfer has one direction, or two");
  for (const LaneRequest& lane : lanes) {
    requireLegalPair(lane);
    validateLane(lane);
  }
  validateDisjoint(lanes);
  for (const LaneRequest& lane : lanes) lane.target->markUnknown(lane.targetIds);
  const bool disk = touchesDisk(lanes.front());
  if (disk != touchesDisk(lanes.back()))
    throw Error(ErrorCode::kArgument, "two directions must be of one pair of tiers");
  const LaneRequest& first = lanes.front();
  const bool touchesDevice = first.source->tier() == Tier::kDevice || first.target->tier() == Tier::kDevice;
  if (touchesDevice && device.kind() == DeviceKind::kCuda) {
#ifdef RAILRUNNER_CUDA
    return compileCudaTransfer(device, std::move(lanes), options);
#else
    throw Error(ErrorCode::kUnsupportedHere, "this build of the addon has no copies for a cuda device");
#endif
  }
  return disk ? compileHostDisk(std::move(lanes), options) : compileHostMemory(std::move(lanes), options);
}

}  // namespace railrunner
