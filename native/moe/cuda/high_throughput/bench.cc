#include "moe/cuda/high_throughput/bench.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "moe/cuda/content.h"
#include "moe/cuda/high_throughput/content.h"
#include "moe/payload.h"

namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::check;
using railrunner::cuda::copyToDevice;
using railrunner::cuda::makeCurrent;

namespace {

constexpr uint64_t kFlushBytes = 256ULL << 20;  // more than any L2 cache of today

// Pieces of the tokens that copy engines bring while others move rows on. Each copy with its word costs some 6 us, so they
// are of 7 MiB at least, and few where there are many peers.
uint32_t piecesOfGather(const Shape& shape) {
  constexpr uint64_t kLeastBytes = 7 << 20;
  constexpr uint32_t kMostCopies = 8;
  const uint32_t byPeers = kMostCopies / std::max(1U, shape.worldSize - 1);
  const uint64_t bySize = shape.maxDispatchTokensPerRank * shape.payloadRowBytes() / kLeastBytes;
  return static_cast<uint32_t>(std::max<uint64_t>(1, std::min<uint64_t>(byPeers, bySize)));
}

}  // namespace

CudaBench::CudaBench(const BenchOptions& options, const std::vector<Capacity>& capacities, Routing routing,
                     RunControl& control, uint32_t rank, int ordinal, std::shared_ptr<PeerLinks> links,
                     std::shared_ptr<StagedPeers> staged)
    : options_(options),
      shape_(options.shape),
      ht_(*options.highThroughput),
      routing_(std::move(routing)),
      capacity_(capacities[rank]),
      control_(control),
      rank_(rank),
      ordinal_(ordinal),
      plan_(launchPlan(shape_, ht_.numProcessors)),
      probe_(shape_.worldSize, options.numProxies),
      staged_(std::move(staged)),
      dispatchPlan_(pushes() ? pushingPlan(shape_, plan_) : plan_),
      links_(std::move(links)),
      waits_(control, shape_, rank,
             [this](const WaitControl& waits, const std::string& call) { return refusal(waits, call); }),
      received_(shape_, capacity_, !leavesInSlots()),
      tokens_(zeroed(shape_.payload == DispatchDtype::kFp8E4m3
                         ? shape_.maxDispatchTokensPerRank * shape_.bf16RowBytes()
                         : 0)),
      work_(zeroed(workspaceMap(shape_, plan_.blocks).totalBytes)),
      y_(zeroed(isExpertMajor() ? capacity_.rows * shape_.bf16RowBytes() : 0)),
      combined_(zeroed(shape_.maxDispatchTokensPerRank * shape_.bf16RowBytes())),
      flush_(zeroed(kFlushBytes)),
      epochBase_(zeroed(sizeof(uint32_t))),
      report_(Buffer::Place::kPinned, sizeof(NeedReport)) {
  prepareKernels();
  prepareContent();
  moe::cuda::prepareContent();
  std::memset(report_.as(), 0, sizeof(NeedReport));
  pointArguments(capacities);
  std::byte* own = links_->buffer->local();
  copyToDevice(own + arguments_.map.ids, routing_.topkIdx.data(), routing_.topkIdx.size() * sizeof(int32_t));
  copyToDevice(own + arguments_.map.weights, routing_.topkWeights.data(),
               routing_.topkWeights.size() * sizeof(float));
  if (gathers()) wakeCopyEngines();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

void CudaBench::pointArguments(const std::vector<Capacity>& capacities) {
  CallArguments& a = arguments_;
  a.shape = shape_;
  a.capacity = capacity_;
  a.map = mapOf(options_, capacities);
  a.work = workspaceAt(work_.as<std::byte>(), workspaceMap(shape_, plan_.blocks));
  a.result = received_.view();
  a.expertAlignment = ht_.expertAlignment;
  a.weighted = ht_.weighted ? 1 : 0;
  a.gathered = hasSlots() ? 1 : 0;
  a.pushedSums = isExpertMajor() && staged_ == nullptr ? 1 : 0;
  a.gatherPieces = gathers() && isExpertMajor() ? piecesOfGather(shape_) : 0;
  a.agreeOnRoom = waitsForCounts() ? 1 : 0;
  a.rank = rank_;
  a.numTokens = routing_.numTokens;
  a.control = waits_.onDevice();
  void* mapped = nullptr;
  check(cudaHostGetDevicePointer(&mapped, report_.as(), 0), "cudaHostGetDevicePointer");
  a.report = static_cast<NeedReport*>(mapped);
  a.y = y_.as<uint16_t>();
  a.out = combined_.as<uint16_t>();
  barrier_.worldSize = shape_.worldSize;
  barrier_.control = a.control;
  barrier_.mine = reinterpret_cast<const uint64_t*>(links_->buffer->local() + a.map.barrier);
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    std::byte* base = links_->buffer->bases()[peer];
    a.base[peer] = base;
    a.room[peer] = capacities[peer];
    if (base == nullptr) continue;
    barrier_.theirs[peer] = reinterpret_cast<uint64_t*>(base + a.map.barrier) + rank_;
  }
  if (staged_ == nullptr) return;
  staged_->connect(*links_->network, links_->region, control_, routing_, a);
}

CudaBench::~CudaBench() {
  // A kernel that still spins (after a failure) must not outlive its memory.
  cudaSetDevice(ordinal_);
  waits_.abandon();
  cudaStreamSynchronize(side_);
  cudaStreamSynchronize(stream_);
}

void CudaBench::beginCall() {
  arguments_.epoch = ++epoch_;
  arguments_.epochBase = nullptr;
  const TestSeam& seam = options_.seam;
  arguments_.seam.relaxed = seam.publishWithoutRelease ? 1 : 0;
  arguments_.seam.silent = seam.silentFromEpoch != 0 && epoch_ >= seam.silentFromEpoch ? 1 : 0;
}

// One launch, unless copy engines bring the rows or this rank waits for counts on the host: then rows come on one stream
// while positions are computed, and expert-major rows moved, on another.
void CudaBench::queueDispatch() {
  arguments_.layout = reuses() ? layoutEpoch_ : 0;
  const uint32_t layout = reuses() ? 0 : kLayout;
  const uint32_t rows = leavesInSlots() ? 0 : kMove;
  const bool waits = waitsForCounts() && layout != 0;
  stageTokens();
  if (gathers() || (pushes() && waits)) {
    queueBeside(layout, rows, waits);
  } else {
    launch(kAnnounce | layout | (waits ? 0 : rows), dispatchPlan_, stream_);
    if (waits) {
      awaitRoom(stream_);
      launch(rows, dispatchPlan_, stream_);
    }
  }
  if (layout != 0) layoutEpoch_ = epoch_;
}

void CudaBench::launch(uint32_t phases, LaunchPlan plan, cudaStream_t stream) {
  if ((phases & kLayout) == 0 && plan.push.blocks != 0) plan.blocks = 0;
  if (phases == 0) return;
  arguments_.phases = phases;
  launchDispatch(arguments_, plan, stream);
}

void CudaBench::queueBeside(uint32_t layout, uint32_t rows, bool waits) {
  forked_.record(stream_);
  if (gathers()) {
    arguments_.phases = kAnnounce;
    queueGather(arguments_, stream_);
  } else {
    launch(kAnnounce, dispatchPlan_, stream_);
  }
  forked_.gate(side_);
  LaunchPlan others = dispatchPlan_;
  others.push = {};
  launch(layout | (waits ? 0 : rows), others, side_);
  if (waits) {
    awaitRoom(side_);
    launch(rows, others, side_);
  }
  joined_.record(side_);
  joined_.gate(stream_);
}

// Before any call: the first copy of an engine to a peer, and the first on this stream, take some 50 us more. What
// comes there is of no call: slots are read once their source has said that they are whole.
void CudaBench::wakeCopyEngines() {
  const SymmetricMap& map = arguments_.map;
  const uint64_t bytes = shape_.maxDispatchTokensPerRank * shape_.payloadRowBytes();
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    if (peer == rank_ || isOverNetwork(peer) || bytes == 0) continue;
    const uint64_t offset = map.xOffset(shape_, rank_);
    check(cudaMemcpyAsync(arguments_.base[peer] + offset, arguments_.base[rank_] + offset, bytes,
                          cudaMemcpyDeviceToDevice, stream_),
          "cudaMemcpyAsync");
  }
  forked_.record(stream_);
  forked_.gate(side_);
  check(cudaStreamSynchronize(side_), "cudaStreamSynchronize");
}

// The counts of this call are here, and every rank has room for what comes.
void CudaBench::awaitRoom(cudaStream_t stream) {
  auto* report = report_.as<NeedReport>();
  waits_.await("dispatch", stream, [&] {
    return std::atomic_ref<uint32_t>(report->epoch).load(std::memory_order_acquire) == epoch_;
  });
}

void CudaBench::queueCombine() {
  arguments_.layout = ht_.reuseLayout ? layoutEpoch_ : 0;
  arguments_.phases = kAnnounce | (isExpertMajor() ? kPartials : 0) | (staged_ == nullptr ? kPull : 0);
  launchCombine(arguments_, plan_, stream_);
  if (staged_ == nullptr) return;
  stageSums();
  arguments_.phases = kPull;
  launchCombine(arguments_, plan_, stream_);
}

void CudaBench::queueColdStart() {
  check(cudaMemsetAsync(flush_.as(), static_cast<int>(generation_ & 0xffU), kFlushBytes, stream_),
        "cudaMemsetAsync");
  launchBarrier(barrier_, ++generation_, stream_);
}

void CudaBench::fillTokens(uint32_t salt) {
  salt_ = salt;
  const SymmetricMap& map = arguments_.map;
  std::byte* own = links_->buffer->local();
  const uint32_t slot = hasSlots() ? rank_ : 0;
  std::byte* x = own + map.xOffset(shape_, slot);
  const bool isFp8 = shape_.payload == DispatchDtype::kFp8E4m3;
  auto* rows = isFp8 ? tokens_.as<uint16_t>() : reinterpret_cast<uint16_t*>(x);
  launchFillTokens(shape_, options_.seed, salt, rank_, routing_.numTokens, rows, stream_);
  if (isFp8) {
    launchQuantize(shape_, routing_.numTokens, map.scaleBytes, rows, reinterpret_cast<uint8_t*>(x),
                   reinterpret_cast<float*>(own + map.scalesOffset(shape_, slot)), stream_);
  }
  // This rank's first token changes on its way: each peer that gets it must find that.
  const TestSeam& seam = options_.seam;
  if (seam.corruptFromEpoch != 0 && epoch_ + 1 >= seam.corruptFromEpoch && routing_.numTokens != 0) {
    check(cudaMemsetAsync(x, static_cast<int>(salt & 0xffU), shape_.payloadRowBytes(), stream_),
          "cudaMemsetAsync");
  }
}

// Outputs of earlier samples must not pass for the last one's, and what lies between and behind its rows must not
// change. A layout that is used again stays: later dispatches do not write it.
void CudaBench::poison() {
  finish("preparing the last sample");
  received_.poison(shape_, capacity_, layoutEpoch_ == 0 ? rowsOfX(shape_, capacity_) : rowsInUse(),
                   !ht_.reuseLayout, stream_);
  check(cudaMemsetAsync(combined_.as(), kPoisonByte, combined_.bytes(), stream_), "cudaMemsetAsync");
  if (hasSlots()) poisonSlots();
}

// All of the slots but this rank's own tokens, and the row behind them. Peers write there when this rank has announced
// the next call, not before.
void CudaBench::poisonSlots() {
  const SymmetricMap& map = arguments_.map;
  for (uint32_t source = 0; source < shape_.worldSize; ++source) {
    const uint64_t own = source == rank_ ? routing_.numTokens : 0;
    const uint64_t guard = source + 1 == shape_.worldSize ? 1 : 0;
    const auto set = [&](uint64_t slot, uint64_t rowBytes, uint64_t rows) {
      if (rows * rowBytes == 0) return;
      check(cudaMemsetAsync(arguments_.base[rank_] + slot + own * rowBytes, kPoisonByte, rows * rowBytes,
                            stream_),
            "cudaMemsetAsync");
    };
    set(map.xOffset(shape_, source), shape_.payloadRowBytes(), shape_.maxDispatchTokensPerRank - own + guard);
    set(map.scalesOffset(shape_, source), map.scaleBytes, shape_.maxDispatchTokensPerRank - own);
  }
}

Error CudaBench::refusal(const WaitControl& waits, const std::string& call) const {
  if (static_cast<Missing>(waits.missing) != Missing::kNoRoom) {
    return Error(ErrorCode::kWrongData, call + ": " + describeRefusal(waits, shape_) +
                                            ": the memory was overwritten or published too early");
  }
  const uint32_t rank = waits.rank < shape_.worldSize ? waits.rank : rank_;
  return Error(ErrorCode::kArgument, moe::high_throughput::overflowSentence(rank, {waits.index, waits.value},
                                                                            arguments_.room[rank]));
}

BenchFacts CudaBench::facts() const {
  BenchFacts facts;
  if (links_->network != nullptr) {
    facts.transport = links_->network->info().transport;
    facts.memory = "host";
  }
  facts.strategy = gathers() ? "allGather" : "sparse";
  facts.processors = std::max(plan_.blocks, dispatchPlan_.blocks + dispatchPlan_.push.blocks);
  facts.dispatchFirstUs = dispatchFirstUs_;
  facts.combineFirstUs = combineFirstUs_;
  return facts;
}

void CudaBench::close(Exchange* exchange, int64_t deadlineNs) {
  makeCurrent(ordinal_);
  waits_.end(stream_);
  check(cudaStreamSynchronize(side_), "cudaStreamSynchronize");
  links_->close(exchange, deadlineNs);
}

}  // namespace railrunner::moe::cuda::high_throughput
