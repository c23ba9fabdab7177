#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/phase.h"
#include "core/run_control.h"
#include "core/wait.h"
#include "moe/bench.h"
#include "moe/high_throughput/layout.h"
#include "moe/high_throughput/received_rows.h"
#include "moe/host/high_throughput/buffer.h"
#include "moe/host/high_throughput/places.h"
#include "moe/host/lazy_memory.h"
#include "network/network.h"

namespace railrunner::moe::host::high_throughput {

// The network as an exchange uses it: none where every peer shares memory.
struct NetworkLink {
  Network* network = nullptr;
  uint32_t region = 0;  // number of the symmetric buffer
};
constexpr uint32_t kNetworkSlots = 2;  // what is counted, then what is ready: signalled apart

// What a dispatch computed, so that combine can send rows back and later dispatches need no counts.
struct Handle {
  uint32_t epoch = 0;   // of the dispatch that made it; 0 = holds nothing
  uint64_t digest = 0;  // of this rank's routing (layout.h)
  std::vector<SourceCounts> sources;
  std::vector<uint32_t> homeRow;  // by received token: its row where the source's tokens are found
};

struct ExchangeSetup {
  Shape shape;
  Options options;
  Places places;
  std::vector<Capacity> capacities;  // receive memory of every rank
  NetworkLink link;
  TestSeam seam;
};

// High-throughput dispatch and combine of one rank on the host device. Receivers pull: a source publishes its
// counts, ids and weights and then that its rows are ready; each receiver reads them, places every token as the
// counts say and copies its row once from the source's memory to where it belongs. Combine likewise: partial sums
// lie in the order of received tokens, and the tokens' owners read them. Partners over the network get what they
// and the ranks they serve will read (places.h).
//
// dispatch, combine, dispatch, ... strictly: each call waits for a word of every rank, which proves that rank to be
// done with the call before, so that what it read may be overwritten. Nothing allocates after construction but what
// grows with the first dispatch of a handle. One thread at a time calls it.
class HostExchange {
 public:
  HostExchange(const ExchangeSetup& setup, RunControl& control);

  // Where this rank's tokens, ids and weights lie for the next dispatch. Unchanged until the combine is over.
  uint8_t* x() const { return reinterpret_cast<uint8_t*>(own(layout_.block.rows)); }
  float* scales() const { return reinterpret_cast<float*>(own(layout_.block.scales)); }
  int32_t* topkIdx() const { return reinterpret_cast<int32_t*>(own(layout_.block.ids)); }
  float* topkWeights() const { return reinterpret_cast<float*>(own(layout_.block.weights)); }

  // `digest` of the ids (layout.h), computed where the routing enters. Fills rows and handle. Throws kArgument on
  // every rank, with nothing written, where some rank has no room for what it would get.
  void dispatch(uint32_t numTokens, uint64_t digest, ReceivedRows& rows, Handle& handle);
  // The same routing again: rows and scales alone move. Throws kArgument before anything is sent where the handle is
  // of another routing, and where a peer's is of another dispatch.
  void dispatchAgain(uint32_t numTokens, uint64_t digest, ReceivedRows& rows, const Handle& handle);

  // Rank-major: where the experts' reduced rows lie for the next combine, by received token. Null otherwise.
  uint16_t* combineInput() const;
  // y: expert-major, bf16 by expert row; rank-major combineInput(). out: bf16 [numTokens, paddedHidden].
  void combine(const uint16_t* y, const ReceivedRows& rows, const Handle& handle, uint16_t* out);

  const Shape& shape() const { return shape_; }
  const BufferLayout& layout() const { return layout_; }
  uint32_t numTokens() const { return numTokens_; }
  // Of the call made last: rows, ids and weights where they are read or put, and 8 for each word of another rank.
  const PathBytes& bytes() const { return bytes_; }

 private:
  enum class Call : uint32_t { kDispatch, kCombine };

  std::byte* own(uint64_t offset) const { return places_.base(places_.rank()) + offset; }
  bool isSilent() const { return seam_.silentFromEpoch != 0 && epoch_ >= seam_.silentFromEpoch; }
  const std::byte* block(uint32_t source) const;
  void begin(Call call);

  // Publishing (publish.cc)
  void store(uint64_t offset, uint64_t word) const;
  void writeCounts(const Handle& handle);
  void putCounted(uint32_t partner);
  void putRows(uint32_t partner, uint32_t handleEpoch);
  void publish(uint32_t handleEpoch);
  void corruptRows();
  bool goesTo(const int32_t* ids, uint32_t partner) const;

  // Receiving (dispatch.cc)
  SourceCounts readCounts(uint32_t source);
  void requireRoom(const Handle& handle) const;
  void setBegins(const ReceivedRows& rows, const Handle& handle) const;
  void placeTokens(const ReceivedRows& rows, Handle& handle, uint32_t source);
  void placeToken(const ReceivedRows& rows, uint32_t source, uint32_t received, const int32_t* ids);
  void takeRows(const ReceivedRows& rows, const Handle& handle, uint32_t source);
  void copyRow(const ReceivedRows& rows, uint64_t row, const uint8_t* x, const float* scales) const;
  const std::byte* gathered(uint32_t source, const std::byte* from, uint64_t bytes);

  // Combining (combine.cc)
  void reduceFor(uint32_t owner, const uint16_t* y, const ReceivedRows& rows);
  void sumFor(uint32_t partner, const Handle& handle);
  void sumOwn(const Handle& handle, uint16_t* out);
  const uint16_t* partialsOf(uint32_t host, uint32_t owner, const Handle& handle);
  uint64_t firstPartial(uint32_t host, uint32_t owner, const Handle& handle) const;

  // The epoch above, the handle's below; false while it has not come.
  bool hasCome(const std::byte* word, uint32_t peer, uint32_t handleEpoch) const;
  // Calls take(peer) for every rank of `pending_` until each has returned true; polls, progresses the network, pauses,
  // and throws kAborted naming the rank that is waited for and what is missing.
  template <class Take>
  void collect(Take&& take, const char* missing);
  [[noreturn]] void throwAborted(uint32_t peer, const char* missing) const;

  const Shape shape_;
  const Options options_;
  const Places places_;
  const std::vector<Capacity> capacities_;
  const NetworkLink link_;
  const TestSeam seam_;
  const BufferLayout layout_;
  const uint32_t firstExpert_;
  RunControl& control_;

  uint32_t epoch_ = 0;
  Call call_ = Call::kCombine;  // the one made last
  uint32_t numTokens_ = 0;
  bool streams_ = false;  // rows are written past the caches
  PathBytes bytes_;
  std::vector<uint32_t> tokensOf_;  // [worldSize]: of every source, of the current handle
  std::vector<uint32_t> pending_;
  std::vector<uint32_t> everyone_;  // other ranks, from the next one on
  std::vector<uint32_t> nextRow_;   // [numLocalExperts]: expert row of the current source
  std::vector<uint32_t> rowLimit_;  // [numLocalExperts]: behind its rows
  std::vector<uint32_t> ordinal_;   // [worldSize]: tokens so far, by the rank that has their partial sum
  std::vector<const uint16_t*> partial_;  // [worldSize]: rows of the current owner
  std::vector<uint16_t> sum_;
  std::unique_ptr<LazyMemory<std::byte>>
      gathered_;  // allGather: [worldSize, maxDispatchTokensPerRank] rows of any kind
};

template <class Take>
void HostExchange::collect(Take&& take, const char* missing) {
  Backoff backoff(control_);
  while (true) {
    const size_t before = pending_.size();
    std::erase_if(pending_, take);
    if (pending_.empty()) break;
    if (pending_.size() != before) {
      backoff.reset();
      continue;
    }
    const uint32_t peer = pending_.front();
    control_.awaitedPeer.store(static_cast<int32_t>(peer), std::memory_order_relaxed);
    if (control_.abort.load(std::memory_order_relaxed) != 0) throwAborted(peer, missing);
    if (link_.network != nullptr) link_.network->pollPeer(peer);
    backoff.pause();
  }
  control_.awaitedPeer.store(-1, std::memory_order_relaxed);
}

}  // namespace railrunner::moe::host::high_throughput
