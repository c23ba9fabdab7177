#pragma once

#include "moe/shape.h"
#include "moe/signal_word.h"

// Signals: one 8-byte word each, written once per call by one writer (release, system scope), polled by its
// owner (acquire, system scope). Shared by host code and CUDA kernels.
//
// A word holds the epoch of its call above and a count below, and is never cleared: an epoch belongs to one
// call in the life of a buffer, so what an earlier call left can never match. Epochs are handed out by the
// host, start at 1 (a fresh buffer is zero) and select the half: `epoch & 1`.
//
// Why two halves suffice. A rank starts the send of call n + 2 after its receive of n + 1 is complete, which
// took a signal of n + 1 from every rank, which each of them sent after its receive of n was complete: nobody
// still reads the half that n + 2 overwrites. Every rank must make the same calls in the same order.
namespace railrunner::moe {

// Index of a signal in its half's table of numExperts words, on the rank that polls it.
//   dedup off: dispatch (local expert, source rank) = count of messages; combine (global expert) = 0
//   dedup on:  dispatch (source rank) = count of messages;               combine (hosting rank) = 0
RAILRUNNER_HOST_DEVICE inline uint32_t dispatchSignalIndex(const Shape& shape, uint32_t localExpert,
                                                           uint32_t source) {
  return shape.dedup ? source : localExpert * shape.worldSize + source;
}

// layout_range of one (local expert, source rank): how many rows, and where in the expert's rows they begin.
RAILRUNNER_HOST_DEVICE inline uint64_t encodeLayoutRange(uint32_t count, uint32_t begin) {
  return (static_cast<uint64_t>(begin) << 32) | count;
}
RAILRUNNER_HOST_DEVICE inline uint32_t layoutRangeCount(uint64_t range) {
  return static_cast<uint32_t>(range);
}
RAILRUNNER_HOST_DEVICE inline uint32_t layoutRangeBegin(uint64_t range) {
  return static_cast<uint32_t>(range >> 32);
}

// Slots that a network must offer an exchange: they distinguish signals of one call to one peer.
inline uint32_t numNetworkSlots(const Shape& shape) { return shape.dedup ? 1 : shape.numLocalExperts(); }

}  // namespace railrunner::moe
