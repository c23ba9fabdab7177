#include "moe/host/low_latency/exchange.h"

#include <cstring>

namespace railrunner::moe::host {

HostExchange::HostExchange(const Shape& shape, PeerBases peers, RunControl& control, NetworkLink link,
                           TestSeam seam)
    : shape_(shape),
      layout_(bufferLayout(shape)),
      peers_(std::move(peers)),
      control_(control),
      link_(link),
      seam_(seam),
      rails_(peers_.rank, shape.worldSize, peers_.nodeOfRank),
      firstExpert_(peers_.rank * shape.numLocalExperts()),
      stages_(shape.payload == DispatchDtype::kFp8E4m3) {
  requireLegal(shape);
  if (peers_.base.size() != shape.worldSize || peers_.rank >= shape.worldSize ||
      peers_.base[peers_.rank] == nullptr) {
    throw Error(ErrorCode::kArgument,
                "MoE exchange: expected one buffer base per rank, and the own one not null");
  }
  if (rails_.forwards() && !shape.dedup) {
    throw Error(ErrorCode::kArgument, "MoE exchange: forwarding between nodes needs dedup");
  }
  orderPeers();
  for (uint32_t expert = 0; expert < shape.numExperts; ++expert)
    routeOfExpert_.push_back(rails_.sendsVia(shape.rankOfExpert(expert)));
  const uint32_t numLists = shape.dedup ? shape.worldSize : shape.numExperts;
  listCount_.resize(numLists);
  listTokens_.resize(static_cast<size_t>(numLists) * shape.maxDispatchTokensPerRank);
  nextExpert_.resize(shape.worldSize);
  begins_.resize(shape.numLocalExperts());
  scratchRow_.resize(shape.paddedHidden());
  if (!rails_.forwards()) return;
  forwardCount_.resize(shape.worldSize);
  partialsLeft_.resize(shape.worldSize);
  keptSlots_.resize(shape.maxDispatchTokensPerRank);
  nodeRow_.resize(shape.paddedHidden());
}

void HostExchange::orderPeers() {
  const auto isFar = [this](uint32_t peer) { return peers_.base[peer] == nullptr || !rails_.isNear(peer); };
  for (const bool far : {true, false}) {
    for (uint32_t step = 1; step < shape_.worldSize; ++step) {
      const uint32_t peer = (peers_.rank + step) % shape_.worldSize;
      if (isFar(peer) != far) continue;
      others_.push_back(peer);
      if (rails_.sendsVia(peer) == peer) sendOrder_.push_back(peer);
      if (readsInPlace(peer)) stages_ = true;
      if (peers_.base[peer] != nullptr) continue;
      stages_ = true;
      if (link_.network == nullptr) {
        throw Error(ErrorCode::kArgument, "MoE exchange: rank " + std::to_string(peer) +
                                              " shares no memory and there is no network to reach it");
      }
      if (rails_.forwards() && rails_.isNear(peer)) {
        throw Error(ErrorCode::kArgument, "MoE exchange: rank " + std::to_string(peer) +
                                              " of the same node shares no memory to forward into");
      }
    }
  }
  pending_.reserve(shape_.worldSize);
}

void HostExchange::publish(uint32_t peer, uint32_t slot, uint32_t signalIndex, uint32_t count) {
  if (isSilent()) return;
  const uint64_t offset = layout_.signalOffset(half_, signalIndex);
  const uint64_t word = encodeSignal(epoch_, count);
  if (peers_.base[peer] == nullptr) {
    link_.network->signal({peer, slot, epoch_, link_.region, offset, word}, false);
    bytes_.network += 8;
    return;
  }
  std::atomic_ref<uint64_t> signal(*reinterpret_cast<uint64_t*>(peers_.base[peer] + offset));
  if (seam_.publishWithoutRelease) {
    signal.store(word, std::memory_order_relaxed);
  } else {
    signal.store(word, std::memory_order_release);
  }
  bytes_.ipc += 8;
}

void HostExchange::finishSend(uint32_t peer) {
  if (peers_.base[peer] == nullptr) link_.network->push(peer);
}

bool HostExchange::takeSignal(uint32_t index, uint32_t peer, uint32_t* count) {
  std::atomic_ref<uint64_t> signal(*reinterpret_cast<uint64_t*>(local(layout_.signalOffset(half_, index))));
  const uint64_t word = signal.load(std::memory_order_acquire);
  if (signalEpoch(word) == epoch_) {
    *count = signalCount(word);
    return true;
  }
  if (signalEpoch(word) > epoch_) {
    throw Error(ErrorCode::kState, "MoE exchange: rank " + std::to_string(peer) + " signalled epoch " +
                                       std::to_string(signalEpoch(word)) + " while rank " +
                                       std::to_string(peers_.rank) + " is at epoch " +
                                       std::to_string(epoch_) +
                                       ". All ranks must make the same calls in the same order.");
  }
  return false;
}

// What does not come from the rank that it is of, but from one of this node that passes it on.
std::string HostExchange::missingForward(uint32_t source) const {
  if (combined_ == nullptr) return "the messages of rank " + std::to_string(source) + ", which it forwards,";
  return "its partial sums for rank " + std::to_string(rails_.sendsVia(source));
}

void HostExchange::throwAborted(uint32_t source, const char* call, const char* missing) const {
  const uint32_t peer = rails_.hearsVia(source);
  const bool ofPeer = combined_ != nullptr;
  const uint32_t expert = (ofPeer ? peer : peers_.rank) * shape_.numLocalExperts() + nextExpert_[peer];
  throw Error(
      ErrorCode::kAborted,
      std::string(call) + " (epoch " + std::to_string(epoch_) + "): rank " + std::to_string(peers_.rank) +
          " stopped waiting for rank " + std::to_string(peer) + ": " +
          (peer == source ? missing : missingForward(source)) +
          (shape_.dedup ? " did not arrive" : " of expert " + std::to_string(expert) + " did not arrive"));
}

uint16_t* HostExchange::combineInput() const {
  if (!shape_.zeroCopy)
    throw Error(ErrorCode::kState, "MoE exchange: combineInput() needs a shape with zeroCopy");
  return reinterpret_cast<uint16_t*>(local(layout_.sendOffset((sequence_.epoch() + 1) & 1U)));
}

void HostExchange::discard(DispatchResult& result) {
  sequence_.discard(result.epoch);
  result.epoch = 0;
}

}  // namespace railrunner::moe::host
