#include "replicated/host/host_path.h"

#include <signal.h>

#include <algorithm>

#include "core/clock.h"
#include "kv/stream_copy.h"

namespace railrunner {

namespace {

// Larger payloads are copied past the caches.
constexpr uint64_t kStreamBytes = uint64_t{32} << 20;

LaneRequest laneOf(BlockPool* source, const ReplicatedRequest& request) {
  LaneRequest lane;
  lane.source = source;
  lane.target = request.target;
  lane.sourceIds = source == request.target ? request.targetIds : request.sourceIds;
  lane.targetIds = request.targetIds;
  lane.layerBegin = request.layerBegin;
  lane.layerEnd = request.layerEnd;
  return lane;
}

}  // namespace

HostPath::HostPath(HostBoard& board, ReplicatedStrategy strategy, uint32_t numChunks, uint32_t numShares)
    : board_(board), strategy_(strategy), numShares_(numShares) {
  const ReplicatedRequest& request = board.request();
  const ReplicatedTopology& topology = board.topology();
  for (uint32_t share = 0; share < numShares; ++share) {
    if (topology.origin(share, numShares) == topology.rank()) ownShare_ = static_cast<int>(share);
  }
  // Places in the device pools, which are alike on all ranks.
  const PiecePlan plan(laneOf(request.target, request), numChunks, numShares);
  BlockPool* source = board.sourcePool();
  const PiecePlan ownPlan(laneOf(source == nullptr ? request.target : source, request), numChunks, numShares);
  facts_.strategyUsed = strategy;
  facts_.numChunks = plan.numChunks();
  facts_.networkTransport = board.networkTransport();
  findTakers();
  for (uint32_t chunk = 0; chunk < plan.numChunks(); ++chunk) compileChunk(plan, ownPlan, chunk);
  facts_.sourceTier = request.sourceTier;
  facts_.bytes.payload = payloadBytesOf(request);
  const bool streaming = facts_.bytes.payload >= kStreamBytes && canStreamCopy();
  copier_ = std::make_unique<SpanCopier>(std::max(1U, request.options.threads), streaming);
}

int HostPath::holderOf(uint32_t share) const {
  const ReplicatedTopology& topology = board_.topology();
  return strategy_ == ReplicatedStrategy::kIpc ? topology.ipcSource(share, numShares_)
                                               : topology.entry(topology.node(), share, numShares_);
}

void HostPath::findTakers() {
  const ReplicatedTopology& topology = board_.topology();
  if (strategy_ == ReplicatedStrategy::kIpc) {
    for (uint32_t share = 0; share < numShares_ && takers_.empty(); ++share)
      takers_ = topology.ipcTakers(share, numShares_);
    return;
  }
  bool isEntry = ownShare_ >= 0;
  for (uint32_t share = 0; share < numShares_; ++share)
    isEntry = isEntry || topology.entry(topology.node(), share, numShares_) == topology.rank();
  for (const int peer : topology.nodeRanks())
    if (isEntry && peer != topology.rank()) takers_.push_back(peer);
}

void HostPath::compileChunk(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk) {
  const ReplicatedRequest& request = board_.request();
  const ReplicatedTopology& topology = board_.topology();
  const bool isRoot = topology.rank() == topology.root();
  const bool wholeRuns = strategy_ != ReplicatedStrategy::kRootBroadcast;
  chunks_.emplace_back();
  Chunk& made = chunks_.back();
  if (ownShare_ >= 0) {
    const auto share = static_cast<uint32_t>(ownShare_);
    if (request.sourceTier == Tier::kDisk) {
      addDiskLoads(ownPlan.piece(chunk, share), made);
    } else if (!(request.sourceIsDevice() && isRoot)) {
      made.load = spansOf(ownPlan.piece(chunk, share), true);
      facts_.loadBytes += bytesOf(made.load);
      (isRoot ? facts_.bytes.self : facts_.bytes.ipc) += bytesOf(made.load);
      planned_ += bytesOf(made.load);
      facts_.numOperations += made.load.size();
    }
    if (topology.numNodes() > 1) {
      made.runs = spansOf(plan.piece(chunk, share), wholeRuns);
      const uint64_t sent = bytesOf(made.runs) * static_cast<uint64_t>(topology.numNodes() - 1);
      facts_.bytes.network += sent;
      planned_ += sent;
      facts_.numOperations += made.runs.size() * static_cast<uint64_t>(topology.numNodes() - 1);
    }
  }
  if (request.sourceIsDevice() && isRoot) return;
  for (uint32_t share = 0; share < numShares_; ++share) {
    if (static_cast<int>(share) == ownShare_) continue;
    const int from = holderOf(share);
    const bool comesByNetwork = from == topology.rank();
    const int sender = comesByNetwork ? topology.origin(share, numShares_) : from;
    const bool isIpc = strategy_ == ReplicatedStrategy::kIpc;
    Take taken{from, sender, isIpc ? topology.origin(share, numShares_) : sender, stepOf(chunk, share),
               {},   false};
    taken.handsOn = isIpc && !topology.ipcTakers(share, numShares_).empty();
    if (!comesByNetwork) taken.spans = spansOf(plan.piece(chunk, share), wholeRuns);
    facts_.bytes.ipc += bytesOf(taken.spans);
    planned_ += bytesOf(taken.spans);
    facts_.numOperations += taken.spans.size();
    made.takes.push_back(std::move(taken));
  }
}

void HostPath::addDiskLoads(const Piece& piece, Chunk& chunk) {
  const TransferOptions& options = board_.request().options;
  BlockPool& disk = *board_.request().source;
  DiskQueue& queue = disk.diskQueue(0, options.queueDepth, options.requestBytes);
  const uint64_t alignment = disk.file()->directIo().alignmentBytes;
  for (const LaneRequest& part : piece) {
    DiskPlan plan =
        compileDiskPlan(part, {options.maxTransferBatchSize, options.requestBytes, true, alignment});
    facts_.bytes.disk += plan.diskBytes;
    facts_.loadBytes += plan.payloadBytes;
    facts_.numOperations += plan.requests.size();
    chunk.diskLoads.push_back(std::make_unique<DiskLane<CpuHop>>(
        part, std::move(plan), queue, std::max(1U, options.maxConcurrentTransfers),
        CpuHop(part.target->memory()), disk.poisonSalt(), Strategy::kKernel));
  }
  facts_.diskIo = queue.describe();
}

void HostPath::load(const Chunk& chunk, int64_t iteration, RunControl& control) {
  const ReplicatedRequest& request = board_.request();
  try {
    if (request.faults.strikes(FaultKind::kFailLoad, iteration))
      throw Error(ErrorCode::kIo, "a load was planted to fail");
    if (!chunk.load.empty()) {
      issued_ += copier_->copy(chunk.load, board_.source(), request.target->memory(), control);
    }
    for (const auto& lane : chunk.diskLoads) lane->execute(control);
  } catch (...) {
    board_.publishFailed();
    throw;
  }
}

void HostPath::handOn(uint32_t chunk, int64_t iteration, PhaseTimes& times) {
  const ReplicatedTopology& topology = board_.topology();
  const auto share = static_cast<uint32_t>(ownShare_);
  const bool isAlone = board_.request().nodeOfRank.size() == 1;
  if (!times.hasMove() && !isAlone) times.moveBegin = times.moveEnd = nowUs();
  board_.publishArrived(stepOf(chunk, share));
  dieIfPlanted(iteration);
  for (int node = 0; node < topology.numNodes(); ++node) {
    if (node == topology.node()) continue;
    issued_ +=
        board_.send(topology.entry(node, share, numShares_), stepOf(chunk, share), chunks_[chunk].runs);
  }
}

void HostPath::dieIfPlanted(int64_t iteration) const {
  if (board_.request().faults.strikes(FaultKind::kDieInGroup, iteration)) raise(SIGKILL);
}

void HostPath::take(const Chunk& chunk, int64_t iteration, RunControl& control, PhaseTimes& times) {
  for (const Take& taken : chunk.takes) {
    board_.awaitArrived(taken.fromRank, taken.sender, taken.origin, taken.step);
    dieIfPlanted(iteration);
    if (!times.hasMove()) times.moveBegin = times.moveEnd = nowUs();
    if (!taken.spans.empty()) {
      issued_ += copier_->copy(taken.spans, board_.poolOf(taken.fromRank), board_.request().target->memory(),
                               control);
    }
    if (taken.handsOn) board_.publishArrived(taken.step);
  }
}

void HostPath::execute(int64_t iteration, RunControl& control, PhaseTimes& times) {
  board_.advance();
  issued_ = 0;
  const size_t count = chunks_.size();
  const bool loads = facts_.loadBytes > 0;
  if (loads) times.loadBegin = times.loadEnd = nowUs();
  for (size_t chunk = 0; chunk <= count; ++chunk) {
    if (chunk < count && ownShare_ >= 0) {
      load(chunks_[chunk], iteration, control);
      if (loads) times.loadEnd = nowUs();
      handOn(static_cast<uint32_t>(chunk), iteration, times);
    }
    if (chunk > 0) take(chunks_[chunk - 1], iteration, control, times);
  }
  finish();
  if (times.hasMove()) times.moveEnd = nowUs();
  requireIssued();
}

// What others take from this rank must stay until they have it: the next iteration overwrites or poisons it.
void HostPath::finish() {
  const ReplicatedTopology& topology = board_.topology();
  board_.publishFinished();
  for (const int taker : takers_) board_.awaitFinished(taker);
  for (uint32_t share = 0; share < numShares_ && !topology.isOnRootNode(); ++share) {
    if (topology.entry(topology.node(), share, numShares_) != topology.rank()) continue;
    board_.acknowledge(topology.origin(share, numShares_), share);
  }
  if (ownShare_ >= 0) board_.awaitAcknowledged(static_cast<uint32_t>(ownShare_));
}

void HostPath::requireIssued() const {
  if (issued_ == planned_) return;
  throw Error(ErrorCode::kState, "copies of " + std::to_string(issued_) +
                                     " bytes were issued, the plan says " + std::to_string(planned_));
}

ReplicatedFacts HostPath::facts() const { return facts_; }

}  // namespace railrunner
