#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/exchange.h"
#include "core/run_control.h"
#include "device/device.h"
#include "network/network.h"
#include "peers/symmetric_buffer.h"

namespace railrunner {

// What ranks tell each other while blocks move. Each is a word per ordered pair of ranks that holds the number of the
// iteration, which only grows.
enum class Notice : uint32_t {
  kArrived = 0,    // to the owner of the target: all bytes from this rank are in your memory
  kTaken = 1,      // to the owner of the source: this rank has seen them, or has read them
  kRequested = 2,  // to the owner of the source, over the network: send what this rank reads
  kFailed = 3,     // this rank goes on with nothing
  // Of bounce buffers at the target's owner; a number that grows over iterations and chunks (chunkNumber).
  kChunk = 4,   // to the owner of the target: a group of its bounce buffer is full
  kCredit = 5,  // to the sender: that group is empty again
};
inline constexpr uint32_t kNotices = 6;

// Chunks of one transfer in one iteration, at most.
inline constexpr uint64_t kMaxChunks = (uint64_t{1} << 24) - 1;
inline constexpr uint64_t chunkNumber(uint64_t epoch, uint32_t chunk) { return (epoch << 24) + chunk + 1; }

// Words in memory of a node, and messages to other nodes, behind which the bytes of an arrival are whole.
class NoticeBoard {
 public:
  // Collective, with agreement. `overNetwork`: by rank, as NetworkOptions::usesNetwork; a network is opened where any
  // rank has such a peer.
  NoticeBoard(Exchange& exchange, RunControl& control, const std::vector<uint8_t>& overNetwork,
              int64_t deadlineNs);

  // Over the network an arrival is seen once every put of (slotOf(kArrived), epoch) before it is whole.
  void post(Notice notice, uint32_t peer, uint64_t epoch);
  bool has(Notice notice, uint32_t peer, uint64_t epoch) const;
  bool progress() { return network_ && network_->progress(); }
  // Where this rank fails: to every peer, as far as it can be reached.
  void postFailed(uint64_t epoch) noexcept;
  // Throws kNetwork for a lost peer, kAborted naming one that failed in this iteration.
  void requireAll(uint64_t epoch) const;

  // Collective. Memory that network peers put into; the number of its region. kState without a network.
  uint32_t registerTarget(Exchange& exchange, void* base, uint64_t bytes, DeviceKind kind,
                          int64_t deadlineNs);
  Network* network() const { return network_.get(); }
  bool isOverNetwork(uint32_t peer) const { return overNetwork_[peer] != 0; }
  // Slots of the network: one per notice, and one for bytes that come behind their notice (a planted fault).
  static uint32_t slotOf(Notice notice) { return static_cast<uint32_t>(notice); }
  static constexpr uint32_t kLateSlot = kNotices;

  // As SymmetricBuffer::close; both are closed, whatever the first throws.
  void close(Exchange* exchange, int64_t deadlineNs);

 private:
  uint64_t offset(Notice notice, uint32_t source) const {
    return (uint64_t{static_cast<uint32_t>(notice)} * overNetwork_.size() + source) * 64;
  }

  const uint32_t rank_;
  const std::vector<uint8_t> overNetwork_;
  std::unique_ptr<Device> device_;  // words are host memory, whatever the device that copies
  std::unique_ptr<SymmetricBuffer> words_;
  std::unique_ptr<Network> network_;
  uint32_t region_ = 0;
};

}  // namespace railrunner
