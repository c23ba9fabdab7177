#include "moe/host/exchange.h"

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
      firstExpert_(peers_.rank * shape.numLocalExperts()),
      stages_(shape.payload == PayloadType::kFp8E4m3) {
  requireLegal(shape);
  if (peers_.base.size() != shape.worldSize || peers_.rank >= shape.worldSize ||
      peers_.base[peers_.rank] == nullptr) {
    throw Error(ErrorCode::kArgument,
                "MoE exchange: expected one buffer base a rank, and the own one not null");
  }
  for (const bool overNetwork : {true, false}) {
    for (uint32_t step = 1; step < shape.worldSize; ++step) {
      const uint32_t peer = (peers_.rank + step) % shape.worldSize;
      if ((peers_.base[peer] == nullptr) == overNetwork) sendOrder_.push_back(peer);
      if (peers_.base[peer] == nullptr) stages_ = true;
    }
  }
  if (!sendOrder_.empty() && peers_.base[sendOrder_.front()] == nullptr && link_.network == nullptr) {
    throw Error(ErrorCode::kArgument, "MoE exchange: rank " + std::to_string(sendOrder_.front()) +
                                          " shares no memory and there is no network to reach it");
  }
  pending_.reserve(shape.worldSize);
  for (uint32_t expert = 0; expert < shape.numExperts; ++expert)
    rankOfExpert_.push_back(shape.rankOfExpert(expert));
  const uint32_t numLists = shape.dedup ? shape.worldSize : shape.numExperts;
  listCount_.resize(numLists);
  listTokens_.resize(static_cast<size_t>(numLists) * shape.maxTokens);
  nextExpert_.resize(shape.worldSize);
  begins_.resize(shape.numLocalExperts());
  scratchRow_.resize(shape.paddedHidden());
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

void HostExchange::throwAborted(uint32_t peer, const char* call, const char* missing) const {
  const bool ofPeer = combined_ != nullptr;
  const uint32_t expert = (ofPeer ? peer : peers_.rank) * shape_.numLocalExperts() + nextExpert_[peer];
  throw Error(
      ErrorCode::kAborted,
      std::string(call) + " (epoch " + std::to_string(epoch_) + "): rank " + std::to_string(peers_.rank) +
          " stopped waiting for rank " + std::to_string(peer) + ": " + missing +
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
