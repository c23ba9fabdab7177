#include "replicated/host/host_board.h"

#include <algorithm>
#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/clock.h"
#include "core/wait.h"
#include "kv/memory_lane.h"

namespace railrunner {

namespace {

constexpr uint64_t kProbeMaxBytes = uint64_t{256} << 20;

struct Announcement {
  ShareHandle pool;
  ShareHandle tier;
};

Announcement parseAnnouncement(const std::vector<uint8_t>& bytes, size_t rank) {
  Announcement parsed;
  if (bytes.size() != sizeof(parsed)) {
    throw Error(ErrorCode::kArgument, "handles of rank " + std::to_string(rank) + ": expected " +
                                          std::to_string(sizeof(parsed)) + " bytes, received " +
                                          std::to_string(bytes.size()));
  }
  std::memcpy(&parsed, bytes.data(), sizeof(parsed));
  return parsed;
}

}  // namespace

HostBoard::HostBoard(Exchange& exchange, RunControl& control, Device& device,
                     const ReplicatedRequest& request, uint32_t numSteps, uint32_t numShares,
                     int64_t deadlineNs)
    : control_(control),
      request_(request),
      topology_(request.nodeOfRank, static_cast<int>(exchange.rank()), request.root),
      numSteps_(numSteps),
      numShares_(numShares) {
  std::vector<uint8_t> sharesMemory(exchange.worldSize());
  for (const int peer : topology_.nodeRanks()) sharesMemory[static_cast<size_t>(peer)] = 1;
  words_ = SymmetricBuffer::open(exchange, device, numWords() * sizeof(BoardWord), sharesMemory, deadlineNs);
  try {
    openPools(exchange, device, deadlineNs);
    if (topology_.numNodes() > 1) openNetwork(exchange, deadlineNs);
  } catch (const AgreedError&) {
    static_cast<void>(attempt([&] { close(&exchange, deadlineNs); }));
    throw;
  }
}

uint32_t HostBoard::numWords() const {
  return kFirstStep + numSteps_ + static_cast<uint32_t>(topology_.numNodes()) * numShares_;
}

void HostBoard::openPools(Exchange& exchange, Device& device, int64_t deadlineNs) {
  const bool isRoot = rank() == topology_.root();
  const bool tierIsMapped = request_.sourceTier == Tier::kHost;
  const auto all = Agreement(exchange, "sharing the device pools", deadlineNs).run([&] {
    Announcement mine;
    mine.pool = request_.target->share();
    if (isRoot && tierIsMapped) mine.tier = request_.source->share();
    return bytesOfValue(mine);
  });
  Agreement(exchange, "mapping the peers' pools", deadlineNs).run([&] {
    peerPools_.resize(all.size());
    const uint64_t expected = request_.target->layout().totalBytes;
    for (const int peer : topology_.nodeRanks()) {
      if (peer == rank()) continue;
      const auto at = static_cast<size_t>(peer);
      const Announcement theirs = parseAnnouncement(all[at], at);
      const std::string fault = faultOf(theirs.pool, DeviceKind::kHost, expected);
      if (!fault.empty())
        throw Error(ErrorCode::kArgument,
                    "the device pool of rank " + std::to_string(peer) + " is refused: " + fault);
      peerPools_[at] = std::make_unique<BlockPool>(device, Tier::kDevice, request_.targetShape,
                                                   request_.targetBlocks, theirs.pool, 1);
      if (peer == topology_.root() && tierIsMapped) {
        rootTier_ = std::make_unique<BlockPool>(device, Tier::kHost, request_.sourceShape,
                                                request_.sourceBlocks, theirs.tier, 1);
      }
    }
    if (isRoot) {
      source_ = request_.sourceIsDevice() ? request_.target : request_.source;
    } else if (topology_.isOnRootNode()) {
      source_ = request_.sourceIsDevice() ? peerPools_[static_cast<size_t>(topology_.root())].get()
                                          : rootTier_.get();
    }
  });
}

void HostBoard::openNetwork(Exchange& exchange, int64_t deadlineNs) {
  NetworkOptions options;
  options.usesNetwork.assign(exchange.worldSize(), 1);
  for (const int peer : topology_.nodeRanks()) options.usesNetwork[static_cast<size_t>(peer)] = 0;
  // One for each step, which may arrive out of order, and one for each share's acknowledgement.
  options.numSlots = numSteps_ + numShares_;
  options.deadlineNs = deadlineNs;
  network_ = Network::open(exchange, control_, options);
  poolRegion_ = network_->registerMemory(exchange, request_.target->memory(),
                                         request_.target->layout().totalBytes, DeviceKind::kHost, deadlineNs);
  wordRegion_ = network_->registerMemory(exchange, words_->local(), numWords() * sizeof(BoardWord),
                                         DeviceKind::kHost, deadlineNs);
}

std::byte* HostBoard::poolOf(int rank) const {
  if (rank == topology_.rank()) return request_.target->memory();
  const auto& pool = peerPools_[static_cast<size_t>(rank)];
  return pool ? pool->memory() : nullptr;
}

BoardWord& HostBoard::word(int rank, uint32_t index) const {
  return reinterpret_cast<BoardWord*>(words_->bases()[static_cast<size_t>(rank)])[index];
}

bool HostBoard::sharesMemory(int peer) const {
  return peer != rank() && peerPools_[static_cast<size_t>(peer)] != nullptr;
}

// A link that is lost ends every wait, also for a rank of this node: that one may be waiting for the link too.
void HostBoard::await(int peer, int origin, BoardWord& awaited, const char* what) {
  const auto isThere = [&] { return awaited.value.load(std::memory_order_acquire) >= iteration_; };
  const bool isNear = sharesMemory(peer);
  bool failed = false;
  control_.awaitedPeer.store(peer, std::memory_order_relaxed);
  try {
    waitUntil(
        [&] {
          if (isThere()) return true;
          if (network_) {
            network_->progress();
            if (isThere()) return true;
            network_->throwIfPeerLost();
          }
          failed = isNear && word(origin, kFailed).value.load(std::memory_order_acquire) >= iteration_;
          return failed || isThere();
        },
        control_, 0, what);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kAborted) throw;
    throw Error(ErrorCode::kAborted, std::string(error.what()) + ": rank " + std::to_string(peer) +
                                         (isNear ? " of this node" : ", over the network"));
  }
  if (failed) {
    throw Error(ErrorCode::kAborted,
                "rank " + std::to_string(origin) + " failed its load; stopped waiting for " + what);
  }
  control_.awaitedPeer.store(-1, std::memory_order_relaxed);
}

void HostBoard::awaitArrived(int holder, int sender, int origin, uint32_t step) {
  await(sender, origin, arrived(holder, step), "blocks to arrive");
}

void HostBoard::awaitFinished(int taker) {
  await(taker, taker, word(taker, kFinished), "its blocks to be taken");
}

uint64_t HostBoard::send(int peer, uint32_t step, const std::vector<CopySpan>& runs) {
  uint64_t bytes = 0;
  NetworkPut put;
  put.peer = static_cast<uint32_t>(peer);
  put.slot = step;
  put.epoch = iteration_;
  put.region = poolRegion_;
  for (const CopySpan& run : runs) {
    put.offset = run.targetOffset;
    put.data = request_.target->memory() + run.targetOffset;
    put.bytes = run.bytes;
    network_->put(put);
    bytes += run.bytes;
  }
  const uint64_t word = (kFirstStep + step) * sizeof(BoardWord);
  network_->signal({put.peer, step, iteration_, wordRegion_, word, iteration_});
  return bytes;
}

void HostBoard::acknowledge(int origin, uint32_t share) {
  const uint64_t word = acknowledgedIndex(topology_.node(), share) * sizeof(BoardWord);
  network_->signal(
      {static_cast<uint32_t>(origin), numSteps_ + share, iteration_, wordRegion_, word, iteration_});
}

void HostBoard::awaitAcknowledged(uint32_t share) {
  for (int node = 0; node < topology_.numNodes(); ++node) {
    if (node == topology_.node()) continue;
    const auto& ranks = topology_.ranksOf(node);
    const int peer = ranks[share % ranks.size()];
    await(peer, peer, word(rank(), acknowledgedIndex(node, share)), "its blocks to be taken");
  }
}

void HostBoard::poisonTargets(const RunControl& control) {
  if (request_.sourceIsDevice() && rank() == topology_.root()) return;
  request_.target->poison(request_.targetIds, control);
}

ProbeResult HostBoard::probe(GateRef gate, RunControl& control) {
  ProbeResult result;
  const uint64_t payload = payloadBytesOf(request_);
  MemoryLane::Probe operation(std::min(payload, kProbeMaxBytes));
  const SampleSet set = sample(operation, gate, SampleProtocol{2, 7, false}, control);
  result.stopped = set.stopped;
  result.source = "contiguous host memcpy on every rank at once";
  if (set.timesUs.empty()) return result;
  std::vector<double> times = set.timesUs;
  std::sort(times.begin(), times.end());
  result.GBps = static_cast<double>(operation.bytes()) / (times[times.size() / 2] * 1e3);
  return result;
}

void HostBoard::close(Exchange* exchange, int64_t deadlineNs) {
  // Memory is closed by agreements over MPI: a link of the network that is lost does not keep it.
  const std::exception_ptr failure = attempt([&] {
    if (network_) network_->close(exchange, deadlineNs);
  });
  network_.reset();
  peerPools_.clear();
  rootTier_.reset();
  if (words_) words_->close(exchange, deadlineNs);
  words_.reset();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
