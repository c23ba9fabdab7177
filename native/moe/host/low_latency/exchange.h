#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/phase.h"
#include "core/run_control.h"
#include "core/wait.h"
#include "moe/bench.h"
#include "moe/host/rows.h"
#include "moe/low_latency/call_sequence.h"
#include "moe/low_latency/exchange.h"
#include "moe/low_latency/signal.h"
#include "moe/rails.h"
#include "network/network.h"

namespace railrunner::moe::host {

// The network as an exchange uses it: none where every peer shares memory.
struct NetworkLink {
  Network* network = nullptr;
  uint32_t region = 0;  // number of the symmetric buffer
};

// Dispatch and combine of one rank on the host device: C++ loops over shared memory, UCX for the other peers.
// Formats, places and ordering are those of the headers that the kernels use. One thread at a time calls it.
// Nothing allocates after construction. Payloads are written plainly and signals with release order; the
// receiver reads signals with acquire order and then the payloads.
class HostExchange {
 public:
  // peers.base[own rank] is the own buffer, zero at first use on every rank, bufferLayout(shape).totalBytes
  // long.
  HostExchange(const Shape& shape, PeerBases peers, RunControl& control, NetworkLink link,
               TestSeam seam = {});

  void dispatchSend(const TokenBatch& batch);
  void dispatchReceive(DispatchResult& result);
  // y: one bf16 row for each row of result.x: what the expert (rank-major: all local experts together,
  // weighted) made of it. With zeroCopy y is combineInput(). `batch` is the one that was dispatched; y, batch
  // and result stay unchanged until the receive phase is over; with zeroCopy peers read y, and it stays unchanged
  // until combineInput() names it again.
  void combineSend(const uint16_t* y, const TokenBatch& batch, const DispatchResult& result);
  // out: bf16 [numTokens, paddedHidden].
  void combineReceive(uint16_t* out);
  void discard(DispatchResult& result);

  // zeroCopy: where the next combine reads its rows, laid out as result.x is, in bf16.
  uint16_t* combineInput() const;

  const Shape& shape() const { return shape_; }
  const BufferLayout& layout() const { return layout_; }
  // Of the call begun last, complete after its receive phase.
  // As issued: whole messages with headers, and 8 for each signal to another rank. Payload is for the caller to tell.
  const PathBytes& bytes() const { return bytes_; }

 private:
  struct Message {
    uint32_t token;
    const int32_t* ids;    // dedup
    const float* weights;  // dedup
    const std::byte* payload;
    const std::byte* scales;  // fp8
  };

  std::byte* local(uint64_t offset) const { return peers_.base[peers_.rank] + offset; }
  bool isSilent() const { return seam_.silentFromEpoch != 0 && epoch_ >= seam_.silentFromEpoch; }
  bool corrupts() const { return seam_.corruptFromEpoch != 0 && epoch_ >= seam_.corruptFromEpoch; }

  // Whether messages between this rank and `peer` are composed once, at their source, and read there by the ranks that they
  // are for: slots then hold their tokens alone.
  bool readsInPlace(uint32_t peer) const {
    return peer != peers_.rank && peers_.base[peer] != nullptr && rails_.isNear(peer) && !peers_.outboxes;
  }
  // Whether the owner of a token reads the rows of combine where this rank's experts wrote them: slots then hold the
  // rows' numbers alone. A relay sums what it was sent.
  bool combinesInPlace(uint32_t peer) const {
    return shape_.zeroCopy && readsInPlace(peer) && !rails_.forwards();
  }
  void orderPeers();
  void listDestinations();
  std::byte* composeMessage(std::byte* target, uint32_t token) const;
  void stageMessages();
  void sendMessage(uint32_t peer, uint32_t slot, uint64_t targetOffset, uint32_t token, bool corrupt);
  void publish(uint32_t peer, uint32_t slot, uint32_t signalIndex, uint32_t count);
  void finishSend(uint32_t peer);

  uint32_t hostsHere(const int32_t* ids, uint32_t* ranks) const;
  void forwardMessages(DispatchResult& result, uint32_t source, uint32_t count);
  void forwardMessage(uint32_t peer, uint32_t source, const std::byte* message, bool corrupt);

  void receiveMessages(DispatchResult& result, uint32_t source);
  bool receiveExperts(DispatchResult& result, uint32_t source);
  void takeOwnMessages(DispatchResult& result);
  Message ownMessage(uint32_t token) const;
  void requireToken(uint32_t token, uint32_t epoch, uint32_t source) const;
  const std::byte* messageOf(uint32_t expert, uint32_t source, uint32_t copy) const;
  Message receivedMessage(const std::byte* bytes, uint32_t source) const;
  void placeMessage(DispatchResult& result, uint32_t source, uint32_t copy, const Message& message);
  void copyRow(DispatchResult& result, uint64_t row, const Message& message) const;

  void pointAtRows(std::byte* slot, uint64_t message);
  const uint16_t* rowInPlace(uint32_t peer, int32_t row) const;
  void addPartial(RowGroups& groups, uint32_t origin, uint32_t token, uint64_t ownMessage) const;
  void combineRankRows(uint32_t owner, uint32_t target, uint32_t origin);
  const uint16_t* partialRow(uint64_t message, uint16_t* sum) const;
  void combineExpertRows(uint32_t peer);
  void takePartial(uint32_t origin);
  void sendNodeSums(uint32_t owner);
  void sendRow(uint32_t peer, uint32_t slot, uint64_t targetOffset, const uint16_t* row);
  void sumOnce(uint16_t* out, uint32_t token, uint64_t ownMessage);
  void sumPerExpert(uint16_t* out, uint32_t token) const;

  bool takeSignal(uint32_t index, uint32_t peer, uint32_t* count);
  // Calls take(peer) for every other rank until each has returned true; polls, progresses the network,
  // pauses, and throws kAborted naming the awaited rank and what is missing.
  template <class Take>
  void collect(Take&& take, const char* call, const char* missing);
  [[noreturn]] void throwAborted(uint32_t source, const char* call, const char* missing) const;
  std::string missingForward(uint32_t source) const;

  const Shape shape_;
  const BufferLayout layout_;
  const PeerBases peers_;
  RunControl& control_;
  const NetworkLink link_;
  const TestSeam seam_;
  const Rails rails_;
  const uint32_t firstExpert_;  // of this rank
  bool stages_;                 // messages are composed once in the send half

  CallSequence sequence_;
  uint32_t epoch_ = 0;
  uint32_t half_ = 0;
  PathBytes bytes_;
  TokenBatch batch_;
  bool streams_ = false;  // rows of this dispatch are written past the caches
  const uint16_t* y_ = nullptr;
  const DispatchResult* combined_ = nullptr;

  std::vector<uint32_t>
      others_;  // other ranks: those of other nodes first, so that their transfer overlaps with the copies
  std::vector<uint32_t> sendOrder_;      // of those, the ones that this rank dispatches to
  std::vector<uint32_t> pending_;        // ranks that a collect still waits for
  std::vector<uint32_t> routeOfExpert_;  // rank that takes a token to the expert: its host, or a relay
  std::vector<uint32_t> listCount_;      // dedup: a rank; else an expert
  std::vector<uint32_t>
      listTokens_;  // [those, maxDispatchTokensPerRank]: tokens in the order of their copies
  std::vector<uint32_t>
      nextExpert_;                // a source: local expert (or of the hosting rank) whose signal comes next
  std::vector<uint32_t> begins_;  // rows of each local expert before the current source
  std::vector<uint16_t> scratchRow_;
  // Forwarding: by rank; slots of the current source that hold messages for this rank; one summed row.
  std::vector<uint32_t> forwardCount_;
  std::vector<uint32_t> partialsLeft_;
  std::vector<uint32_t> keptSlots_;
  std::vector<uint16_t> nodeRow_;
};

template <class Take>
void HostExchange::collect(Take&& take, const char* call, const char* missing) {
  pending_ = others_;
  Backoff backoff(control_);
  while (!pending_.empty()) {
    bool advanced = false;
    for (size_t i = 0; i < pending_.size();) {
      const uint32_t peer = pending_[i];
      const uint32_t before = nextExpert_[peer];
      if (take(peer)) {
        pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(i));
        advanced = true;
      } else {
        advanced = advanced || nextExpert_[peer] != before;
        ++i;
      }
    }
    if (pending_.empty()) break;
    if (advanced) {
      backoff.reset();
      continue;
    }
    const uint32_t source = pending_.front();
    const uint32_t awaited = rails_.hearsVia(source);
    control_.awaitedPeer.store(static_cast<int32_t>(awaited), std::memory_order_relaxed);
    if (control_.abort.load(std::memory_order_relaxed) != 0) throwAborted(source, call, missing);
    if (link_.network != nullptr) link_.network->pollPeer(awaited);
    backoff.pause();
  }
  control_.awaitedPeer.store(-1, std::memory_order_relaxed);
}

}  // namespace railrunner::moe::host
