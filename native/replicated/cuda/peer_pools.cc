#include "replicated/cuda/peer_pools.h"

#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "device/cuda/stream_words.h"

namespace railrunner::cuda {

namespace {

// Alone on its cache line: the GPU that waits for a word reads it over and over.
constexpr uint64_t kWordStride = 64;
// Above what any stream waits for, and in the half of all values that counts as later.
constexpr uint32_t kReleased = uint32_t{1} << 30;

}  // namespace

PeerPools::PeerPools(Exchange& exchange, Device& device, const ReplicatedRequest& request,
                     const ReplicatedTopology& topology, uint32_t numSteps, int64_t deadlineNs)
    : device_(device),
      rank_(topology.rank()),
      ranks_(topology.nodeRanks()),
      numSteps_(numSteps),
      own_(request.target->memory()),
      host_(openDevice(DeviceKind::kHost, 0)) {
  try {
    openWords(exchange, deadlineNs);
    openPools(exchange, request, deadlineNs);
  } catch (const AgreedError&) {
    static_cast<void>(attempt([&] { close(&exchange, deadlineNs); }));
    throw;
  }
}

PeerPools::~PeerPools() {
  static_cast<void>(attempt([this] { close(nullptr, 0); }));
}

void PeerPools::openWords(Exchange& exchange, int64_t deadlineNs) {
  const std::vector<uint8_t> sharesMemory(exchange.worldSize(), 1);
  const uint64_t bytes = (kFirstStep + numSteps_) * kWordStride;
  words_ = SymmetricBuffer::open(exchange, *host_, bytes, sharesMemory, deadlineNs);
  Agreement(exchange, "registering the words of ipc", deadlineNs).run([&] {
    if (!streamWordsAvailable()) {
      throw Error(ErrorCode::kUnsupportedHere,
                  "strategy ipc: the CUDA driver has no stream memory operations (cuStreamWaitValue32_v2)");
    }
    for (std::byte* base : words_->bases()) {
      device_.registerHost(base, bytes);
      registered_.push_back(base);
    }
  });
}

void PeerPools::openPools(Exchange& exchange, const ReplicatedRequest& request, int64_t deadlineNs) {
  const auto all = Agreement(exchange, "sharing the device pools", deadlineNs).run([&] {
    return bytesOfValue(request.target->share());
  });
  Agreement(exchange, "mapping the peers' device pools", deadlineNs).run([&] {
    pools_.resize(all.size());
    const uint64_t expected = request.target->layout().totalBytes;
    for (const int peer : ranks_) {
      if (peer == rank_) continue;
      ShareHandle theirs;
      const auto& bytes = all[static_cast<size_t>(peer)];
      std::string fault =
          "it has " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(sizeof(theirs));
      if (bytes.size() == sizeof(theirs)) {
        std::memcpy(&theirs, bytes.data(), sizeof(theirs));
        fault = faultOf(theirs, DeviceKind::kCuda, expected);
      }
      if (!fault.empty()) {
        throw Error(ErrorCode::kArgument,
                    "the device pool of rank " + std::to_string(peer) + " is refused: " + fault);
      }
      pools_[static_cast<size_t>(peer)] = std::make_unique<BlockPool>(
          device_, Tier::kDevice, request.targetShape, request.targetBlocks, theirs, 1);
    }
  });
}

std::byte* PeerPools::poolOf(int rank) const {
  return rank == rank_ ? own_ : pools_[static_cast<size_t>(rank)]->memory();
}

uint32_t* PeerPools::word(int rank, uint32_t index) const {
  return reinterpret_cast<uint32_t*>(words_->bases()[static_cast<size_t>(rank)] + index * kWordStride);
}

void PeerPools::begin() {
  ++iteration_;
  atomicWord(rank_, kReady).store(iteration_, std::memory_order_release);
}

void PeerPools::publishFailed() { atomicWord(rank_, kFailed).store(iteration_, std::memory_order_release); }

int PeerPools::failedRank() const {
  for (const int peer : ranks_) {
    if (peer != rank_ && atomicWord(peer, kFailed).load(std::memory_order_acquire) >= iteration_) return peer;
  }
  return -1;
}

void PeerPools::release() {
  for (uint32_t step = 0; step < numSteps_; ++step)
    atomicWord(rank_, kFirstStep + step).store(iteration_ + kReleased, std::memory_order_release);
  for (const int peer : ranks_)
    atomicWord(peer, kReady).store(iteration_ + kReleased, std::memory_order_release);
}

void PeerPools::closeOwn() {
  pools_.clear();
  while (!registered_.empty()) {
    void* base = registered_.back();
    registered_.pop_back();
    device_.unregisterHost(base);
  }
}

void PeerPools::close(Exchange* exchange, int64_t deadlineNs) {
  if (!words_) return;
  const std::unique_ptr<SymmetricBuffer> words = std::move(words_);
  // Everybody has let go of the pools before an owner may free one.
  if (exchange != nullptr) {
    Agreement(*exchange, "unmapping the peers' device pools", deadlineNs).run([&] { closeOwn(); });
  } else {
    static_cast<void>(attempt([&] { closeOwn(); }));
  }
  words->close(exchange, deadlineNs);
}

}  // namespace railrunner::cuda
