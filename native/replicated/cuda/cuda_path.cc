#include "replicated/cuda/cuda_path.h"

#include <signal.h>

#include <algorithm>

#include "core/checked.h"

namespace railrunner::cuda {

namespace {

// Thread blocks that put received bytes into their blocks: above the speed at which they come in.
constexpr CopyGrid kScatterGrid{32, kCopyThreads};
constexpr uint64_t kShareAlignment = 512;
}  // namespace

CudaPath::CudaPath(CudaBoard& board, ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares)
    : board_(board), strategy_(strategy), numShares_(numShares) {
  makeCurrent(board.ordinal());
  check(preloadCopyKernels(), "loading the copy kernels");
  const ReplicatedRequest& request = board.request();
  const ReplicatedTopology& topology = board.topology();
  const bool isRoot = topology.rank() == topology.root();
  for (uint32_t share = 0; share < numShares; ++share) {
    if (topology.origin(share, numShares) == topology.rank()) ownShare_ = static_cast<int>(share);
  }
  const bool isGathered = strategy == ReplicatedStrategy::kScatterAllgather;
  PiecePlan plan(laneOf(request.target, request), numChunks, numShares);
  if (!isGathered && strategy != ReplicatedStrategy::kRootBroadcast) {
    const auto whole = spansOf(PiecePlan(laneOf(request.target, request), 1, 1).piece(0, 0), true);
    staged_ = bytesOf(whole) / whole.size() < kDirectRunBytes;
    // Where the blocks are there and lie together nothing is left to overlap.
    if (!staged_ && request.sourceIsDevice()) numChunks = 1;
    plan = PiecePlan(laneOf(request.target, request), numChunks, numShares);
  }
  staged_ = staged_ || isGathered;
  BlockPool* source = board.sourcePool();
  const PiecePlan ownPlan(laneOf(source == nullptr ? request.target : source, request), numChunks, numShares);
  // Device blocks are there; from disk they come into the pool first.
  scatters_ = !(isRoot && (request.sourceIsDevice() || request.sourceTier == Tier::kDisk));
  // Blocks that are there need no load that could fail.
  canFail_ = staged_ || !request.sourceIsDevice();
  facts_.strategyUsed = strategy;
  facts_.numChunks = plan.numChunks();
  chunks_.reserve(plan.numChunks());
  if (staged_) {
    uint64_t slotBytes = 0;
    for (uint32_t chunk = 0; chunk < plan.numChunks(); ++chunk) {
      slotBytes = std::max(slotBytes, stagingBytes(plan, chunk));
    }
    for (uint32_t slot = 0; slot < std::min(kNumSlots, plan.numChunks()); ++slot) {
      slots_.emplace_back(Buffer::Place::kDevice, slotBytes);
    }
  }
  for (uint32_t chunk = 0; chunk < plan.numChunks(); ++chunk) {
    staged_ ? compileStaged(plan, ownPlan, chunk) : compileDirect(plan, ownPlan, chunk);
  }
  gatherTable_.upload(gathers_);
  scatterTable_.upload(scatterPieces_);
  facts_.sourceTier = request.sourceTier;
  facts_.bytes.payload = payloadBytesOf(request);
  // What peers loaded or the root sent; inside a node over NVLink, else by the network.
  if (!(isRoot && request.sourceIsDevice())) {
    const uint64_t received = facts_.bytes.payload - facts_.loadBytes;
    (topology.isOnRootNode() ? facts_.bytes.ipc : facts_.bytes.network) += received;
  }
}

// Bytes of one share of a step in staging, the same for every share.
uint64_t CudaPath::shareBytes(const PiecePlan& plan, uint32_t chunk) const {
  uint64_t most = 0;
  for (uint32_t share = 0; share < numShares_; ++share) {
    most = std::max(most, StagingMap(spansOf(plan.piece(chunk, share), true), 0).bytes());
  }
  return alignUp(most, kShareAlignment);
}

void CudaPath::compileStaged(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk) {
  const ReplicatedRequest& request = board_.request();
  const ReplicatedTopology& topology = board_.topology();
  const uint64_t stride = shareBytes(plan, chunk);
  const void* slot = slots_[chunk % slots_.size()].as();
  const void* pool = request.target->memory();
  Chunk& made = chunks_.emplace_back();
  made.scatter.first = static_cast<uint32_t>(scatterPieces_.size());
  made.gather.first = static_cast<uint32_t>(gathers_.size());
  for (uint32_t share = 0; share < numShares_; ++share) {
    const StagingMap map(spansOf(plan.piece(chunk, share), true), share * stride);
    if (scatters_) {
      // From staging to pool: the map's runs the other way round.
      for (const CopyRegion& run : splitRegions(regionsOf(map.runs(), pool, slot), PieceTable::kPieceBytes)) {
        scatterPieces_.push_back({run.target, run.source, run.bytes});
      }
    }
    if (static_cast<int>(share) != ownShare_) continue;
    if (request.sourceTier == Tier::kHost) {
      const auto spans = map.redirect(spansOf(ownPlan.piece(chunk, share), true));
      made.load.addMemory(board_, regionsOf(spans, board_.sourcePool()->memory(), slot), isOneOfMany(),
                          facts_);
      continue;
    }
    if (request.sourceTier == Tier::kDisk) made.load.addDisk(board_, ownPlan.piece(chunk, share), facts_);
    // The root's pool has them; a peer reads it over NVLink.
    const auto regions =
        regionsOf(map.runs(), request.sourceIsDevice() ? board_.sourcePool()->memory() : pool, slot);
    const auto pieces = splitRegions(regions, PieceTable::kPieceBytes);
    gathers_.insert(gathers_.end(), pieces.begin(), pieces.end());
    if (topology.rank() != topology.root()) {
      facts_.loadBytes += totalBytes(regions);
      facts_.bytes.ipc += totalBytes(regions);
    }
  }
  made.scatter.count = static_cast<uint32_t>(scatterPieces_.size()) - made.scatter.first;
  made.gather.count = static_cast<uint32_t>(gathers_.size()) - made.gather.first;
  const bool oneNode = topology.numNodes() == 1;
  if (numShares_ > 1 && oneNode) {
    made.gatherAddress = addressOf(slot);
    made.gatherBytes = stride;
    ++facts_.numOperations;
    return;
  }
  for (uint32_t share = 0; share < numShares_; ++share) {
    made.broadcasts.push_back({addressOf(slot) + share * stride, stride, topology.origin(share, numShares_)});
  }
  facts_.numOperations += numShares_;
}

// One operation per block where it is contiguous, else one per region (rootBroadcast); joined runs (pipelined).
void CudaPath::compileDirect(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk) {
  const ReplicatedRequest& request = board_.request();
  const ReplicatedTopology& topology = board_.topology();
  Chunk& made = chunks_.emplace_back();
  const uint64_t pool = addressOf(request.target->memory());
  for (const CopySpan& run : spansOf(plan.piece(chunk, 0), strategy_ != ReplicatedStrategy::kRootBroadcast)) {
    made.broadcasts.push_back({pool + run.targetOffset, run.bytes, topology.root()});
  }
  facts_.numOperations += made.broadcasts.size();
  if (ownShare_ < 0) return;
  if (request.sourceTier == Tier::kDisk) made.load.addDisk(board_, ownPlan.piece(chunk, 0), facts_);
  if (request.sourceTier == Tier::kHost) {
    const auto spans = spansOf(ownPlan.piece(chunk, 0), true);
    made.load.addMemory(board_, regionsOf(spans, board_.sourcePool()->memory(), request.target->memory()),
                        isOneOfMany(), facts_);
  }
}

void CudaPath::execute(int64_t iteration, RunControl& control, PhaseTimes& times) {
  makeCurrent(board_.ordinal());
  failure_ = nullptr;
  try {
    run(iteration, control);
  } catch (...) {
    board_.giveUp();
    throw;
  }
  times = events_.times(loads());
}

void CudaPath::run(int64_t iteration, RunControl& control) {
  const auto count = static_cast<uint32_t>(chunks_.size());
  // Loads from disk hold this thread up; those from memory only queue.
  const uint32_t ahead = board_.request().sourceTier == Tier::kDisk ? 1 : kNumSlots - 1;
  events_.started.record(board_.loadStream());
  for (uint32_t chunk = 0; chunk < std::min(ahead, count); ++chunk) issueLoad(chunk, iteration, control);
  for (uint32_t chunk = 0; chunk < count; ++chunk) {
    if (strategy_ == ReplicatedStrategy::kRootBroadcast && loads() && !failure_)
      board_.wait(events_.loadEnd, control);
    if (canFail_) board_.requireAllWell(failure_);
    handOn(chunk);
    if (board_.request().faults.strikes(FaultKind::kDieInGroup, iteration)) raise(SIGKILL);
    if (chunk + ahead < count) issueLoad(chunk + ahead, iteration, control);
  }
  events_.moveEnd.record(staged_ ? board_.scatterStream() : board_.moveStream());
  board_.wait(events_.moveEnd, control);
  if (loads()) board_.wait(events_.loadEnd, control);
}

void CudaPath::issueLoad(uint32_t chunk, int64_t iteration, RunControl& control) {
  if (ownShare_ < 0 || failure_) return;
  Chunk& step = chunks_[chunk];
  const cudaStream_t stream = board_.loadStream();
  try {
    if (board_.request().faults.strikes(FaultKind::kFailLoad, iteration))
      throw Error(ErrorCode::kIo, "a load was planted to fail");
    if (staged_ && chunk >= kNumSlots) scattered_[chunk % kNumSlots].gate(stream);
    step.load.issue(stream, control);
    gatherTable_.issue(step.gather.first, step.gather.count, {0, 0}, kScatterGrid, stream);
    loaded_[chunk % kNumSlots].record(stream);
    events_.loadEnd.record(stream);
  } catch (...) {
    // Said to all before the next collective, where they wait for it.
    failure_ = std::current_exception();
  }
}

void CudaPath::handOn(uint32_t chunk) {
  const Chunk& step = chunks_[chunk];
  const uint32_t slot = chunk % kNumSlots;
  const cudaStream_t stream = board_.moveStream();
  if (ownShare_ >= 0) loaded_[slot].gate(stream);
  if (staged_ && chunk >= kNumSlots) scattered_[slot].gate(stream);
  if (chunk == 0) events_.moveBegin.record(stream);
  Communicator& communicator = board_.communicator();
  communicator.beginGroup();
  if (step.gatherBytes > 0) {
    communicator.allGather(reinterpret_cast<void*>(step.gatherAddress), step.gatherBytes, stream);
  }
  for (const Operation& operation : step.broadcasts) {
    communicator.broadcast(reinterpret_cast<void*>(operation.address), operation.bytes, operation.root,
                           stream);
  }
  communicator.endGroup();
  if (!staged_) return;
  moved_[slot].record(stream);
  moved_[slot].gate(board_.scatterStream());
  scatterTable_.issue(step.scatter.first, step.scatter.count, {0, 0}, kScatterGrid, board_.scatterStream());
  scattered_[slot].record(board_.scatterStream());
}

}  // namespace railrunner::cuda
