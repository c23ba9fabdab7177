#include "kv/cuda/cuda_memory_transfer.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/sampler.h"
#include "storage/host_segment.h"

namespace railrunner::cuda {

namespace {

constexpr uint64_t kProbeMaxBytes = 256ULL << 20;
constexpr SampleProtocol kProbeProtocol{2, 7, false};
constexpr uint32_t kTuningRounds = 5;
// Another candidate than the expected one must be this much quicker, so that noise does not choose.
constexpr double kTuningMargin = 0.985;

std::vector<std::vector<CopyRegion>> listsOf(const CopyPlan& plan, const LaneRequest& request) {
  const auto source = reinterpret_cast<uint64_t>(request.source->memory());
  const auto target = reinterpret_cast<uint64_t>(request.target->memory());
  std::vector<std::vector<CopyRegion>> lists;
  uint32_t begin = 0;
  for (const uint32_t end : plan.batchEnds) {
    std::vector<CopyRegion>& list = lists.emplace_back();
    list.reserve(end - begin);
    for (; begin < end; ++begin) {
      const CopySpan& span = plan.spans[begin];
      list.push_back({source + span.sourceOffset, target + span.targetOffset, span.bytes});
    }
  }
  return lists;
}

}  // namespace

// Both operations run on the work thread; beforeSample() is outside the timed span.
class CudaMemoryTransfer::HostOperation {
 public:
  HostOperation(CudaMemoryTransfer& transfer, RunControl& control) : transfer_(transfer), control_(control) {}

  void beforeSample(uint32_t index, bool isLast) {
    if (index == 0) transfer_.tune(control_);
    if (isLast) transfer_.poisonTargets(control_);
  }

  double run() {
    const double startUs = nowUs();
    transfer_.issueAll(transfer_.timer_->stream());
    std::vector<Lane>& lanes = transfer_.lanes_;
    bool ended[2] = {false, lanes.size() < 2};
    double endsUs[2] = {0, 0};
    waitUntil(
        [&] {
          for (size_t lane = 0; lane < lanes.size(); ++lane) {
            if (ended[lane]) continue;
            const cudaError_t status = cudaEventQuery(lanes[lane].end);
            if (status == cudaErrorNotReady) continue;
            check(status, "cudaEventQuery");
            ended[lane] = true;
            endsUs[lane] = nowUs();
          }
          return ended[0] && ended[1];
        },
        control_, 0, "copies of the GPU");
    const double timeUs = nowUs() - startUs;
    for (size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane].timesUs.push_back(endsUs[lane] - startUs);
    return timeUs;
  }

 private:
  CudaMemoryTransfer& transfer_;
  RunControl& control_;
};

class CudaMemoryTransfer::EventOperation {
 public:
  EventOperation(CudaMemoryTransfer& transfer, RunControl& control)
      : transfer_(transfer), control_(control) {}

  // A rank that fails here leaves by the gate, with the others.
  void beforeSample(uint32_t index, bool isLast) {
    if (index == 0) {
      transfer_.tune(control_);
      queuedEarly_ = transfer_.fitsBehindHold();
    }
    if (isLast) transfer_.poisonTargets(control_);
    transfer_.timer_->hold();
    if (index == 0) transfer_.commitFault();
    if (queuedEarly_) issue();
  }

  double run() {
    transfer_.timer_->release();
    if (!queuedEarly_) issue();
    const double timeUs = transfer_.timer_->finishUs(control_);
    for (Lane& lane : transfer_.lanes_) lane.timesUs.push_back(transfer_.timer_->elapsedUs(lane.end));
    return timeUs;
  }

 private:
  void issue() {
    transfer_.issueAll(transfer_.timer_->stream());
    transfer_.timer_->markEnd();
  }

  CudaMemoryTransfer& transfer_;
  RunControl& control_;
  bool queuedEarly_ = false;
};

// One contiguous copy of registered memory in each direction of the transfer, at once.
class CudaMemoryTransfer::ProbeOperation {
 public:
  ProbeOperation(CudaMemoryTransfer& transfer, RunControl& control)
      : transfer_(transfer), control_(control) {}

  // Its memory is had inside the loop's protocol: a rank that gets none leaves by the gate, with the others.
  void beforeSample(uint32_t index, bool) {
    if (index == 0) {
      for (const Lane& lane : transfer_.lanes_) {
        const uint64_t bytes = std::min(lane.facts.bytes.payload, kProbeMaxBytes);
        Device& device = lane.request.source->device();
        copies_.push_back({Buffer(Buffer::Place::kDevice, bytes),
                           std::make_unique<HostSegment>(device, bytes, Sharing::kNone)});
        bytes_ += bytes;
      }
    }
    ColdTimer& timer = *transfer_.timer_;
    timer.hold();
    transfer_.forkLanes(timer.stream());
    for (size_t i = 0; i < copies_.size(); ++i) {
      Lane& lane = transfer_.lanes_[i];
      const cudaStream_t stream = transfer_.streamOf(i, timer.stream());
      const bool toHost = lane.request.source->tier() == Tier::kDevice;
      const Pair& pair = copies_[i];
      void* const host = pair.host->data();
      void* const device = pair.device.as();
      check(cudaMemcpyAsync(toHost ? host : device, toHost ? device : host, pair.device.bytes(),
                            toHost ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice, stream),
            "cudaMemcpyAsync");
      lane.end.record(stream);
    }
    transfer_.joinLanes(timer.stream());
    timer.markEnd();
  }

  double run() {
    transfer_.timer_->release();
    return transfer_.timer_->finishUs(control_);
  }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Pair {
    Buffer device;
    std::unique_ptr<HostSegment> host;  // as a pool's: quicker to get than by cudaHostAlloc, and no slower
  };
  CudaMemoryTransfer& transfer_;
  RunControl& control_;
  std::vector<Pair> copies_;
  uint64_t bytes_ = 0;
};

CudaMemoryTransfer::CudaMemoryTransfer(int ordinal, std::vector<LaneRequest> requests,
                                       const TransferOptions& options)
    : ordinal_(ordinal), faults_(options.faults) {
  makeCurrent(ordinal_);
  const bool bothDirections = requests.size() > 1;
  for (LaneRequest& request : requests) addLane(std::move(request), options, bothDirections);
  timer_ = std::make_unique<ColdTimer>();
  if (faults_.has(FaultKind::kIllegalAccess)) {
    // Its target lies in the first page of the address space, which is mapped nowhere.
    strayPiece_.upload({{reinterpret_cast<uint64_t>(lanes_.front().request.source->memory()), 16, 16}});
  }
  if (options.strategy == Strategy::kAuto) return;
  const LaneChoice asked{copyStrategyOf(options.strategy), options.maxCtas};
  compileLanes(Choice(lanes_.size(), asked));
}

void CudaMemoryTransfer::addLane(LaneRequest request, const TransferOptions& options, bool bothDirections) {
  const bool toHost = request.source->tier() == Tier::kDevice;
  const bool joined = options.strategy != Strategy::kMemcpy;
  const CopyPlan plan = compileCopyPlan(request, {joined, options.maxTransferBatchSize, 0});
  Lane& lane = lanes_.emplace_back();
  lane.lists = listsOf(plan, request);
  lane.options.direction = toHost ? CopyDirection::kDeviceToHost : CopyDirection::kHostToDevice;
  lane.options.bothDirections = bothDirections;
  lane.options.merged = options.strategy == Strategy::kAuto;
  lane.facts.batchesMerged = lane.options.merged;
  lane.options.chunkBytes = options.chunkBytes;
  lane.options.maxConcurrent = options.maxConcurrentTransfers;
  lane.options.maxBlocks = options.maxCtas;
  lane.facts.from = request.source->tier();
  lane.facts.to = request.target->tier();
  lane.request = std::move(request);
  lane.facts.bytes.payload = plan.payloadBytes;
  lane.facts.numRegions = plan.numRegions;
  lane.facts.bytes.pcie = plan.payloadBytes;
}

void CudaMemoryTransfer::compileLanes(const Choice& choice) {
  for (Lane& lane : lanes_) lane.copy.reset();  // their staging buffers go before others come
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    lane.options.strategy = choice[i].strategy;
    lane.options.maxBlocks = choice[i].maxBlocks;
    lane.copy = std::make_unique<DeviceCopy>(ordinal_, lane.lists, lane.options);
    if (lane.copy->payloadBytes() != lane.facts.bytes.payload) {
      throw Error(ErrorCode::kState, "copies of " + std::to_string(lane.copy->payloadBytes()) +
                                         " bytes were compiled, the plan says " +
                                         std::to_string(lane.facts.bytes.payload));
    }
    lane.facts.numCopies = lane.copy->numCopies();
    lane.facts.strategyUsed = strategyOf(lane.copy->used());
  }
}

std::vector<CudaMemoryTransfer::Choice> CudaMemoryTransfer::choices() const {
  const auto shape = [](const Lane& lane) {
    return shapeOf(mergeLists(lane.lists, lane.options.direction), lane.options.direction);
  };
  std::vector<Choice> all;
  const Lane& first = lanes_.front();
  if (lanes_.size() == 1) {
    for (const CopyStrategy strategy : candidates(shape(first), first.options.direction, false))
      all.push_back({{strategy, first.options.maxBlocks}});
  } else {
    const bool isInOrder = first.options.direction == CopyDirection::kDeviceToHost;
    const Lane& toHost = lanes_[isInOrder ? 0 : 1];
    const Lane& toDevice = lanes_[isInOrder ? 1 : 0];
    for (const PairChoice& pair : candidatePairs(shape(toHost), shape(toDevice), first.options.maxBlocks))
      all.push_back(isInOrder ? Choice{pair.toHost, pair.toDevice} : Choice{pair.toDevice, pair.toHost});
  }
  std::erase_if(all, [](const Choice& choice) {
    return !memcpyBatchAvailable() && std::any_of(choice.begin(), choice.end(), [](const LaneChoice& lane) {
      return lane.strategy == CopyStrategy::kMemcpyBatch;
    });
  });
  if (all.empty())
    all.emplace_back(lanes_.size(), LaneChoice{CopyStrategy::kKernel, first.options.maxBlocks});
  return all;
}

double CudaMemoryTransfer::quickestOfTrials(const RunControl& control) {
  double quickestUs = 0;
  for (uint32_t round = 0; round < kTuningRounds; ++round) {
    timer_->hold();
    timer_->release();
    issueAll(timer_->stream());
    timer_->markEnd();
    const double timeUs = timer_->finishUs(control);
    if (round == 1 || (round > 1 && timeUs < quickestUs)) quickestUs = timeUs;
  }
  return quickestUs;
}

void CudaMemoryTransfer::tune(const RunControl& control) {
  if (lanes_.front().copy != nullptr) return;
  const std::vector<Choice> all = choices();
  size_t best = 0;
  double bestUs = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    compileLanes(all[i]);
    const double timeUs = quickestOfTrials(control);
    if (bestUs != 0 && timeUs >= bestUs * kTuningMargin) continue;
    best = i;
    bestUs = timeUs;
  }
  if (best + 1 != all.size()) compileLanes(all[best]);
}

std::vector<LaneFacts> CudaMemoryTransfer::facts() const {
  std::vector<LaneFacts> all;
  for (const Lane& lane : lanes_) all.push_back(lane.facts);
  return all;
}

bool CudaMemoryTransfer::fitsBehindHold() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const Lane& lane) { return lane.copy->fitsBehindHold(); });
}

void CudaMemoryTransfer::poisonTargets(const RunControl& control) {
  for (Lane& lane : lanes_) lane.request.target->poison(lane.request.targetIds, control);
  makeCurrent(ordinal_);
}

// The first lane goes on the main stream; the second forks off it and joins it again.
cudaStream_t CudaMemoryTransfer::streamOf(size_t lane, cudaStream_t main) const {
  return lane == 0 ? main : static_cast<cudaStream_t>(lanes_[lane].stream);
}

void CudaMemoryTransfer::forkLanes(cudaStream_t main) {
  for (size_t i = 1; i < lanes_.size(); ++i) {
    lanes_[i].started.record(main);
    lanes_[i].started.gate(lanes_[i].stream);
  }
}

void CudaMemoryTransfer::joinLanes(cudaStream_t main) {
  for (size_t i = 1; i < lanes_.size(); ++i) lanes_[i].end.gate(main);
}

void CudaMemoryTransfer::issueAll(cudaStream_t main) {
  forkLanes(main);
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const cudaStream_t stream = streamOf(i, main);
    lanes_[i].copy->issue(stream);
    lanes_[i].end.record(stream);
  }
  joinLanes(main);
}

void CudaMemoryTransfer::commitFault() {
  const InjectedFaults faults = std::exchange(faults_, {});
  if (faults.has(FaultKind::kSpinKernel)) timer_->holdUntilAborted();
  if (faults.has(FaultKind::kIllegalAccess))
    strayPiece_.issue(0, 1, {0, 0}, {1, kCopyThreads}, timer_->stream());
}

void CudaMemoryTransfer::drain() {
  timer_->release();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

template <class Operation>
void CudaMemoryTransfer::measureBy(const char* timing, GateRef gate, const SampleProtocol& protocol,
                                   RunControl& control, MeasuredPhases& measured) {
  const size_t total = static_cast<size_t>(protocol.warmup) + protocol.iterations;
  for (Lane& lane : lanes_) {
    lane.timesUs.clear();
    lane.timesUs.reserve(total);
  }
  Operation operation(*this, control);
  SampleSet whole;
  try {
    whole = sample(operation, gate, protocol, control);
  } catch (...) {
    // The first failure is the one to tell; a lost context says so again at the next call.
    timer_->release();
    cudaDeviceSynchronize();
    throw;
  }
  drain();
  std::vector<const std::vector<double>*> laneTimesUs;
  for (const Lane& lane : lanes_) laneTimesUs.push_back(&lane.timesUs);
  addPhases(measured, timing, whole, facts(), laneTimesUs);
}

MeasuredPhases CudaMemoryTransfer::measure(GateRef gate, const SampleProtocol& protocol,
                                           RunControl& control) {
  makeCurrent(ordinal_);
  MeasuredPhases measured;
  measureBy<EventOperation>("event", gate, protocol, control, measured);
  if (!measured.stopped) measureBy<HostOperation>("host", gate, protocol, control, measured);
  return measured;
}

ProbeResult CudaMemoryTransfer::probe(GateRef gate, RunControl& control) {
  makeCurrent(ordinal_);
  ProbeOperation operation(*this, control);
  SampleSet set;
  try {
    set = sample(operation, gate, kProbeProtocol, control);
  } catch (...) {
    timer_->release();
    cudaDeviceSynchronize();
    throw;
  }
  drain();
  ProbeResult result;
  result.stopped = set.stopped;
  result.source = lanes_.size() > 1 ? "contiguous pinned copies both ways at once" : "contiguous pinned copy";
  if (set.timesUs.empty()) return result;
  std::sort(set.timesUs.begin(), set.timesUs.end());
  result.GBps = static_cast<double>(operation.bytes()) / (set.timesUs[set.timesUs.size() / 2] * 1e3);
  return result;
}

}  // namespace railrunner::cuda
