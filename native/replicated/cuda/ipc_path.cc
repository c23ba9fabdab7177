#include "replicated/cuda/ipc_path.h"

#include <signal.h>

#include <algorithm>
#include <string>

#include "device/cuda/stream_words.h"

namespace railrunner::cuda {

namespace {

// Where the number of thread blocks is left open: eight saturate NVLink (docs/replicated.md), a few more hide tails.
constexpr uint32_t kUncappedBlocks = 16;

}  // namespace

bool IpcPath::suitsEngine(const ReplicatedRequest& request) {
  const auto runs = spansOf(PiecePlan(laneOf(request.target, request), 1, 1).piece(0, 0), true);
  return bytesOf(runs) / runs.size() >= kDirectRunBytes;
}

IpcPath::IpcPath(CudaBoard& board, uint32_t numChunks, uint32_t numShares, Copier copier)
    : board_(board), copier_(copier), numShares_(numShares) {
  makeCurrent(board.ordinal());
  check(preloadCopyKernels(), "loading the copy kernels");
  const ReplicatedRequest& request = board.request();
  const uint32_t cap = request.options.maxCtas == 0 ? kUncappedBlocks : request.options.maxCtas;
  // Lanes run at the same time, and together keep to the cap.
  numLanes_ = copier == Copier::kKernel ? std::min(cap, kNumLanes) : kNumLanes;
  grid_ = {cap / numLanes_, kCopyThreads};
  const PiecePlan plan(laneOf(request.target, request), numChunks, numShares);
  BlockPool* source = board.sourcePool();
  const PiecePlan ownPlan(laneOf(source == nullptr ? request.target : source, request), numChunks, numShares);
  facts_.strategyUsed = ReplicatedStrategy::kIpc;
  facts_.sourceTier = request.sourceTier;
  facts_.numChunks = plan.numChunks();
  facts_.handedOnBy = copier == Copier::kEngine ? "copyEngine" : "kernel";
  // Within a chunk the own share first: every rank issues in this order, so that no wait stands before what a peer
  // needs in order to end it, even where streams share a queue of the hardware.
  for (uint32_t chunk = 0; chunk < plan.numChunks(); ++chunk) {
    for (const bool own : {true, false}) {
      for (uint32_t share = 0; share < numShares; ++share) {
        if ((board.topology().origin(share, numShares) == board.topology().rank()) == own)
          compileStep(plan, ownPlan, chunk, share);
      }
    }
  }
  pieceTable_.upload(pieces_);
  pieces_ = {};
  facts_.bytes.payload = payloadBytesOf(request);
}

void IpcPath::compileStep(const PiecePlan& plan, const PiecePlan& ownPlan, uint32_t chunk, uint32_t share) {
  const ReplicatedRequest& request = board_.request();
  const ReplicatedTopology& topology = board_.topology();
  const std::vector<CopySpan> runs = spansOf(plan.piece(chunk, share), true);
  Step step;
  step.number = chunk * numShares_ + share;
  step.isOwn = topology.origin(share, numShares_) == topology.rank();
  if (step.isOwn && !request.sourceIsDevice()) {
    const Piece piece = ownPlan.piece(chunk, share);
    step.awaitsLoad = !runs.empty();
    if (request.sourceTier == Tier::kDisk) step.load.addDisk(board_, piece, facts_);
    if (request.sourceTier == Tier::kHost) {
      const auto regions =
          regionsOf(spansOf(piece, true), board_.sourcePool()->memory(), request.target->memory());
      step.load.addMemory(board_, regions, true, facts_);
    }
  }
  for (const int taker : topology.ipcTakers(share, numShares_)) addSend(step, taker, runs);
  steps_.push_back(std::move(step));
}

void IpcPath::addSend(Step& step, int taker, const std::vector<CopySpan>& runs) {
  if (std::find(takers_.begin(), takers_.end(), taker) == takers_.end()) takers_.push_back(taker);
  const std::byte* own = board_.request().target->memory();
  std::vector<CopySpan> alike;  // every pool has the same geometry: the same place in both
  for (const CopySpan& run : runs) alike.push_back({run.targetOffset, run.targetOffset, run.bytes});
  const auto regions = regionsOf(alike, own, board_.peers().poolOf(taker));
  facts_.bytes.ipc += totalBytes(regions);
  if (copier_ == Copier::kEngine) {
    step.sends.push_back({taker, calls_.size(), static_cast<uint32_t>(regions.size())});
    for (const CopyRegion& region : regions) calls_.add(region.source, region.target, region.bytes);
    facts_.numOperations += regions.size();
    return;
  }
  const auto pieces = splitRegions(regions, PieceTable::kPieceBytes);
  step.sends.push_back({taker, static_cast<uint32_t>(pieces_.size()), static_cast<uint32_t>(pieces.size())});
  pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  ++facts_.numOperations;
}

void IpcPath::execute(int64_t iteration, RunControl& control, PhaseTimes& times) {
  makeCurrent(board_.ordinal());
  try {
    run(iteration, control);
  } catch (...) {
    giveUp();
    throw;
  }
  times = events_.times(facts_.loadBytes > 0);
}

void IpcPath::run(int64_t iteration, RunControl& control) {
  PeerPools& peers = board_.peers();
  peers.begin();
  events_.started.record(board_.loadStream());
  // The end of the iteration comes after its beginning, whatever streams the two are on.
  events_.started.gate(arrivals_);
  for (uint32_t lane = 0; lane < numLanes_; ++lane) {
    events_.started.gate(lanes_[lane]);
    for (const int taker : takers_) awaitWord(lanes_[lane], peers.ready(taker), peers.iteration());
  }
  uint32_t numSending = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    const bool sends = !step.sends.empty();
    const cudaStream_t stream = sends ? lanes_[numSending % numLanes_] : arrivals_;
    if (sends && numSending >= kStepsAhead) wait(stepEnd_[numSending % kStepsAhead], control);
    if (step.awaitsLoad) load(step, iteration, control);
    if (!step.isOwn) {
      awaitWord(stream, peers.arrived(board_.topology().rank(), step.number), peers.iteration());
    } else if (step.awaitsLoad) {
      loaded_.gate(stream);
    }
    if (i == 0) events_.moveBegin.record(stream);
    handOn(step, stream, iteration);
    if (sends) stepEnd_[numSending++ % kStepsAhead].record(stream);
  }
  for (uint32_t lane = 0; lane < numLanes_; ++lane) {
    laneEnd_.record(lanes_[lane]);
    laneEnd_.gate(arrivals_);
  }
  events_.moveEnd.record(arrivals_);
  wait(events_.moveEnd, control);
}

void IpcPath::load(Step& step, int64_t iteration, RunControl& control) {
  try {
    if (board_.request().faults.strikes(FaultKind::kFailLoad, iteration))
      throw Error(ErrorCode::kIo, "a load was planted to fail");
    step.load.issue(board_.loadStream(), control);
    // Streams wait for the later one, so both have passed when the iteration has.
    events_.loadEnd.record(board_.loadStream());
    loaded_.record(board_.loadStream());
  } catch (...) {
    board_.peers().publishFailed();
    throw;
  }
}

void IpcPath::handOn(const Step& step, cudaStream_t stream, int64_t iteration) {
  PeerPools& peers = board_.peers();
  for (const Send& send : step.sends) {
    if (copier_ == Copier::kEngine) {
      calls_.issueSingly(send.first, send.count, cudaMemcpyDefault, stream);
    } else {
      pieceTable_.issue(send.first, send.count, {0, 0}, grid_, stream);
    }
    writeWord(stream, peers.arrived(send.taker, step.number), peers.iteration());
  }
  if (board_.request().faults.strikes(FaultKind::kDieInGroup, iteration)) raise(SIGKILL);
}

void IpcPath::wait(const Event& event, const RunControl& control) const {
  int failed = -1;
  waitUntil(
      [&] {
        if (event.isPast()) return true;
        failed = board_.peers().failedRank();
        return failed >= 0;
      },
      control, 0, "blocks of the ranks of this node");
  if (failed < 0) return;
  throw Error(ErrorCode::kAborted,
              "rank " + std::to_string(failed) + " failed its load; stopped waiting for blocks to arrive");
}

void IpcPath::giveUp() noexcept {
  board_.peers().release();
  board_.giveUp();
  board_.drain({&lanes_[0], &lanes_[1], &arrivals_});
}

}  // namespace railrunner::cuda
