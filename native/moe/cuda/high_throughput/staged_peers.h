#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.h"
#include "moe/bench.h"
#include "moe/cuda/high_throughput/arguments.h"
#include "moe/cuda/network_places.h"
#include "network/network.h"

namespace railrunner::moe::cuda::high_throughput {

using moe::cuda::NetworkRelation;

// Peers that share no memory. Each has a mirror in pinned host memory here, with the places of its symmetric buffer: in
// dispatch it puts its ids, weights and tokens there, in combine the sums of this rank's tokens. The kernels read a
// mirror as they would the peer's own memory, over PCIe, each row once. What goes out is copied into pinned memory by
// copy engines, piece by piece, and put by the thread that makes the calls.
//
// A call of every rank ends each of its slots with a signal to every peer, also without rows. So whoever has a peer's
// signal of a call knows that the peer is done with the call before: one mirror and one copy are enough, as dispatch and
// combine use different parts of them.
class StagedPeers {
 public:
  // Zeroed. numSlots: of the network, among which rows are dealt out. Throws kCuda where pinned memory is refused.
  StagedPeers(const Shape& shape, const SymmetricMap& map, NetworkRelation relation, uint32_t rank,
              uint32_t numSlots);

  // Memory that the network reaches: mirrors, as many on every rank.
  void* memory() const { return mirrors_.as(); }
  uint64_t bytes() const { return mirrors_.bytes(); }
  bool reaches(uint32_t peer) const { return relation_[rank_][peer] != 0; }
  // Where this rank's mirror begins in that peer's memory.
  uint64_t incoming(uint32_t peer) const { return networkPlaceOf(relation_, peer, rank_) * map_.totalBytes; }
  std::span<const std::byte> going() const { return {outgoing_.as<std::byte>(), outgoing_.bytes()}; }

  // Once the memory is `region` of the network, which it outlives. `arguments` get the mirrors as bases of these peers.
  void connect(Network& network, uint32_t region, RunControl& control, const Routing& routing,
               CallArguments& arguments);

  // Before the kernels of a call: this rank's part to every peer; returns when theirs have come and all that tells the
  // kernels so is on the stream. Throw kAborted naming the rank that was waited for, kNetwork, kCuda.
  struct Dispatch {
    uint32_t epoch;
    uint32_t layoutEpoch;
    bool withChoices;    // ids and weights, for a layout to be made
    bool countsChoices;  // they belong to every call, not to the first alone
    bool isSilent;
  };
  void exchangeTokens(const CallArguments& arguments, const Dispatch& call, cudaStream_t stream);
  // The sums are made by what is on the stream. numBlocks: of a combine, each of which waits for words of its own.
  void exchangeSums(const CallArguments& arguments, const Dispatch& call, uint32_t numBlocks,
                    cudaStream_t stream);

  // Issued by the last call of each kind.
  uint64_t dispatchBytes() const { return dispatchBytes_; }
  uint64_t combineBytes() const { return combineBytes_; }

 private:
  struct Rows {
    uint32_t first;
    uint32_t count;
  };

  std::byte* mirror(uint32_t peer) const {
    return mirrors_.as<std::byte>() + networkPlaceOf(relation_, rank_, peer) * map_.totalBytes;
  }
  std::byte* outgoingAt(uint64_t offset) const { return outgoing_.as<std::byte>() + offset; }
  uint64_t signalOffset(uint32_t source, uint32_t slot) const {
    return map_.partials + 8ULL * (static_cast<uint64_t>(source) * kMostBlocks + slot);
  }
  std::vector<Rows> runsFor(uint32_t peer, const Routing& routing, bool all) const;
  void copyOut(const CallArguments& arguments, uint64_t from, uint64_t to, uint64_t bytes,
               cudaStream_t stream) const;
  void recordPiece(uint32_t piece, cudaStream_t stream);
  void put(uint32_t peer, uint32_t slot, uint32_t epoch, uint64_t offset, uint64_t bytes);
  void putTokens(const CallArguments& arguments, uint32_t epoch, const Rows& piece, uint32_t slot);
  void putSums(const std::vector<int32_t>& begin, uint32_t epoch, uint64_t rowsOfPiece, cudaStream_t stream,
               const CallArguments& arguments);
  void signalAll(const Dispatch& call, uint32_t numTokens);
  void awaitAll(const Dispatch& call, const char* name, const char* missing);
  void tellKernels(const CallArguments& arguments, cudaStream_t stream) const;

  const Shape shape_;
  const SymmetricMap map_;
  const NetworkRelation relation_;
  const uint32_t rank_;
  const uint32_t numSlots_;
  std::vector<uint32_t> peers_;  // from the next rank on
  railrunner::cuda::Buffer mirrors_;
  railrunner::cuda::Buffer outgoing_;  // with the places of this rank's symmetric buffer
  railrunner::cuda::Buffer words_;     // [kMostBlocks] for the kernels, of this call
  std::vector<railrunner::cuda::Event> pieces_;
  std::vector<std::vector<Rows>> runs_;  // by peer: tokens that go there
  Network* network_ = nullptr;
  RunControl* control_ = nullptr;
  uint32_t region_ = 0;
  uint64_t issued_ = 0;  // bytes of the call
  uint64_t dispatchBytes_ = 0;
  uint64_t combineBytes_ = 0;
};

}  // namespace railrunner::moe::cuda::high_throughput
