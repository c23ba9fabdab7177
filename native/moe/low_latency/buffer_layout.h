#pragma once

#include "moe/low_latency/message_format.h"

// Every offset of the symmetric buffer, in bytes from its base. Shared by host code and CUDA kernels.
//
//   signals 0 | signals 1 | send 0 | send 1 | receive 0 | receive 1
//
// Signals come first: their place depends on numExperts alone and stays when tokens or hidden change.
// Dispatch and combine of a half use the same memory; only the epoch says which half and what it holds.
namespace railrunner::moe {

constexpr uint64_t kRegionAlignment = 128;

struct BufferLayout {
  uint64_t signalBytes;   // of one half: numExperts words (dedup on needs only worldSize of them)
  uint64_t sendBytes;     // of one half: staged messages of this rank
  uint64_t receiveBytes;  // of one half: single-writer slots
  uint64_t totalBytes;
  MessageFormat message;
  uint64_t combineBytes;  // of one combine message

  RAILRUNNER_HOST_DEVICE uint64_t signalOffset(uint32_t half, uint32_t index) const {
    return half * signalBytes + 8ULL * index;
  }
  RAILRUNNER_HOST_DEVICE uint64_t sendOffset(uint32_t half) const {
    return 2 * signalBytes + half * sendBytes;
  }
  RAILRUNNER_HOST_DEVICE uint64_t receiveOffset(uint32_t half) const {
    return 2 * signalBytes + 2 * sendBytes + half * receiveBytes;
  }
};

RAILRUNNER_HOST_DEVICE inline uint64_t alignRegion(uint64_t bytes) {
  return (bytes + kRegionAlignment - 1) / kRegionAlignment * kRegionAlignment;
}

RAILRUNNER_HOST_DEVICE inline uint64_t largerOf(uint64_t a, uint64_t b) { return a > b ? a : b; }
RAILRUNNER_HOST_DEVICE inline uint64_t smallerOf(uint64_t a, uint64_t b) { return a < b ? a : b; }

// Rows of combine staging in a send half: all result rows where the caller writes them there (zeroCopy); else
// what can go out over the network at most.
RAILRUNNER_HOST_DEVICE inline uint64_t combineStagingRows(const Shape& shape) {
  if (shape.zeroCopy) return shape.resultRows();
  if (!shape.stageCombine) return 0;
  const uint64_t copies = shape.dedup ? 1 : smallerOf(shape.numTopk, shape.numLocalExperts());
  return copies * shape.maxReceivedTokens();
}

RAILRUNNER_HOST_DEVICE inline BufferLayout bufferLayout(const Shape& shape) {
  BufferLayout layout{};
  layout.message = dispatchMessageFormat(shape);
  layout.combineBytes = combineMessageBytes(shape);
  // Slots: (local expert, source, copy) without dedup, (source, copy) with it; combine has as many.
  const uint64_t slots = shape.dedup
                             ? shape.maxReceivedTokens()
                             : static_cast<uint64_t>(shape.numExperts) * shape.maxDispatchTokensPerRank;
  layout.signalBytes = alignRegion(8ULL * shape.numExperts);
  layout.sendBytes = alignRegion(largerOf(shape.maxDispatchTokensPerRank * layout.message.strideBytes,
                                          combineStagingRows(shape) * layout.combineBytes));
  layout.receiveBytes = alignRegion(slots * largerOf(layout.message.strideBytes, layout.combineBytes));
  layout.totalBytes = 2 * (layout.signalBytes + layout.sendBytes + layout.receiveBytes);
  return layout;
}

// Offset, in a receive half, of the message that `source` sends as its `copy`-th (0-based) to one local
// expert, or with dedup to the rank.
RAILRUNNER_HOST_DEVICE inline uint64_t dispatchSlotOffset(const Shape& shape, const BufferLayout& layout,
                                                          uint32_t localExpert, uint32_t source,
                                                          uint32_t copy) {
  const uint64_t group = shape.dedup ? source : static_cast<uint64_t>(localExpert) * shape.worldSize + source;
  return (group * shape.maxDispatchTokensPerRank + copy) * layout.message.strideBytes;
}

// Offset, in the receive half of the token's owner, of the row that comes back for `token` from `origin`: the
// global expert, or with dedup the rank that hosts the experts.
RAILRUNNER_HOST_DEVICE inline uint64_t combineSlotOffset(const Shape& shape, const BufferLayout& layout,
                                                         uint32_t origin, uint32_t token) {
  return (static_cast<uint64_t>(origin) * shape.maxDispatchTokensPerRank + token) * layout.combineBytes;
}

// What the seed's own formula asks for (MSCCL++ EP, low latency): 2 * (send + receive + signals) with both
// halves sized for either operation, plus 1..128 bytes. Reported next to our own size, so that users can
// compare.
RAILRUNNER_HOST_DEVICE inline uint64_t mscclppHintBytes(uint64_t maxDispatchTokensPerRank, uint64_t hidden,
                                                        uint64_t numExperts) {
  const uint64_t dispatchBytes = 16 + largerOf(2 * hidden, hidden + 4 * (hidden / 128));
  const uint64_t combineBytes = 2 * hidden;
  const uint64_t slots = numExperts * maxDispatchTokensPerRank;
  const uint64_t send = largerOf(maxDispatchTokensPerRank * dispatchBytes, slots * combineBytes);
  const uint64_t receive = slots * largerOf(dispatchBytes, combineBytes);
  return (2 * (send + receive + 8 * numExperts) + 128) / 128 * 128;
}

}  // namespace railrunner::moe
