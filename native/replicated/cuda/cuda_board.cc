#include "replicated/cuda/cuda_board.h"

#include <algorithm>
#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/clock.h"
#include "peers/symmetric_buffer.h"
#include "replicated/cuda/peer_pools.h"

namespace railrunner::cuda {

namespace {

constexpr uint64_t kProbeMaxBytes = uint64_t{1} << 30;
constexpr int64_t kDrainNs = 1'000'000'000;
constexpr uint32_t kPollsBetweenChecks = 64;

// The device must be current before the streams are made.
int currentOrdinal(Device& device) {
  const int ordinal = device.ordinal();
  makeCurrent(ordinal);
  return ordinal;
}

}  // namespace

CudaBoard::CudaBoard(Exchange& exchange, Device& device, const ReplicatedRequest& request, bool mapsSource,
                     int64_t deadlineNs)
    : device_(device),
      request_(request),
      topology_(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root),
      ordinal_(currentOrdinal(device)) {
  const bool isRoot = topology_.rank() == topology_.root();
  if (isRoot) source_ = request.sourceIsDevice() ? request.target : request.source;
  const auto all = Agreement(exchange, "sharing the root's blocks", deadlineNs).run([&] {
    if (hasCommunicator()) use_ = std::make_unique<Communicator::Use>(*request.communicator);
    return bytesOfValue(isRoot && mapsSource ? source_->share() : ShareHandle{});
  });
  Agreement(exchange, "mapping the root's blocks", deadlineNs).run([&] {
    if (!mapsSource || isRoot || !topology_.isOnRootNode()) return;
    ShareHandle theirs;
    const auto& bytes = all[static_cast<size_t>(topology_.root())];
    if (bytes.size() != sizeof(theirs))
      throw Error(ErrorCode::kArgument, "the root's handle has a wrong length");
    std::memcpy(&theirs, bytes.data(), sizeof(theirs));
    const uint64_t expected = makeLayout(request.sourceShape, request.sourceBlocks, 1).totalBytes;
    const DeviceKind kind = request.sourceIsDevice() ? DeviceKind::kCuda : DeviceKind::kHost;
    const std::string fault = faultOf(theirs, kind, expected);
    if (!fault.empty()) throw Error(ErrorCode::kArgument, "the root's handle is refused: " + fault);
    mapped_ = std::make_unique<BlockPool>(device, request.sourceTier, request.sourceShape,
                                          request.sourceBlocks, theirs, 1);
    source_ = mapped_.get();
  });
}

CudaBoard::~CudaBoard() = default;

Communicator& CudaBoard::communicator() const {
  if (!hasCommunicator()) throw Error(ErrorCode::kState, "a collective was begun without a communicator");
  return *request_.communicator;
}

void CudaBoard::mapPeers(Exchange& exchange, uint32_t numSteps, int64_t deadlineNs) {
  peers_ = std::make_unique<PeerPools>(exchange, device_, request_, topology_, numSteps, deadlineNs);
}

void CudaBoard::requireAllWell(const std::exception_ptr& failure) {
  const StopReason own = failure ? StopReason::kFailure : StopReason::kNone;
  const uint32_t worst = gate_->arrive(static_cast<uint32_t>(own));
  if (failure) std::rethrow_exception(failure);
  if (worst != 0) throw Error(ErrorCode::kAborted, "another rank failed its load; no collective was begun");
}

void CudaBoard::wait(const Event& event, const RunControl& control) {
  uint32_t polls = 0;
  waitUntil(
      [&] {
        const cudaError_t status = cudaEventQuery(event);
        if (status == cudaSuccess) return true;
        if (status != cudaErrorNotReady) check(status, "cudaEventQuery");
        if (++polls % kPollsBetweenChecks == 0) communicator().poll();
        return false;
      },
      control, 0, "the GPU");
}

void CudaBoard::giveUp() noexcept {
  if (hasCommunicator()) request_.communicator->giveUp();
  drain({&loadStream_, &moveStream_, &scatterStream_});
}

void CudaBoard::drain(std::initializer_list<const Stream*> streams) const noexcept {
  const int64_t endNs = nowNs() + kDrainNs;
  for (const Stream* stream : streams) {
    Backoff backoff;
    while (cudaStreamQuery(*stream) == cudaErrorNotReady && nowNs() < endNs) backoff.pause();
  }
}

void CudaBoard::poisonTargets(const RunControl& control) {
  if (request_.sourceIsDevice() && topology_.rank() == topology_.root()) return;
  request_.target->poison(request_.targetIds, control);
}

// nccl-tests' broadcast (2.19.6): the payload in one piece, in place, from the root; after 5 that are not counted, 20
// operations back to back between two events, and their mean.
class CudaBoard::BroadcastLoop {
 public:
  BroadcastLoop(CudaBoard& board, uint64_t bytes, RunControl& control)
      : board_(board), buffer_(Buffer::Place::kDevice, bytes), control_(control) {}
  void beforeSample(uint32_t index, bool) { numOperations_ = index == 0 ? kUncounted : kCounted; }
  double run() {
    begin_.record(board_.moveStream_);
    for (uint32_t i = 0; i < numOperations_; ++i) {
      board_.communicator().broadcast(buffer_.as(), buffer_.bytes(), board_.topology().root(),
                                      board_.moveStream_);
    }
    end_.record(board_.moveStream_);
    board_.wait(end_, control_);
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(ms) * 1e3 / numOperations_;
  }

 private:
  static constexpr uint32_t kUncounted = 5;
  static constexpr uint32_t kCounted = 20;
  CudaBoard& board_;
  Buffer buffer_;
  Event begin_{Event::Use::kTime};
  Event end_{Event::Use::kTime};
  RunControl& control_;
  uint32_t numOperations_ = kUncounted;
};

ProbeResult CudaBoard::probe(GateRef gate, RunControl& control) {
  ProbeResult result;
  if (!hasCommunicator()) return result;
  makeCurrent(ordinal_);
  const uint64_t bytes = std::min(payloadBytesOf(request_), kProbeMaxBytes);
  BroadcastLoop operation(*this, bytes, control);
  try {
    const SampleSet set = sample(operation, gate, SampleProtocol{1, 1, false}, control);
    result.stopped = set.stopped;
    result.source = "ncclBroadcast of one contiguous buffer, 20 back to back";
    if (!set.timesUs.empty()) result.GBps = static_cast<double>(bytes) / (set.timesUs[0] * 1e3);
  } catch (...) {
    giveUp();
    throw;
  }
  return result;
}

void CudaBoard::close(Exchange* exchange, int64_t deadlineNs) {
  makeCurrent(ordinal_);
  use_.reset();
  const std::exception_ptr failure = attempt([&] {
    if (peers_) peers_->close(exchange, deadlineNs);
  });
  peers_.reset();
  // The root's memory may go once nobody has it mapped: the owner waits for all.
  mapped_.reset();
  if (exchange != nullptr) Agreement(*exchange, "unmapping the root's blocks", deadlineNs).run([] {});
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner::cuda
