#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv/copy_plan.h"
#include "network/network.h"
#include "peers/symmetric_buffer.h"
#include "replicated/topology.h"
#include "replicated/transfer.h"

namespace railrunner {

// A word that one rank writes and others wait for, alone on its cache line.
struct alignas(64) BoardWord {
  std::atomic<uint64_t> value{0};
};

// What the ranks of a replicated transfer share on the host device: each other's pools and the root's tier by
// mapping (same node) or by messages (other nodes), and words that say what has arrived. Words hold the
// number of the iteration, which only grows.
class HostBoard {
 public:
  static constexpr DeviceKind kKind = DeviceKind::kHost;

  // Collective. `numSteps` (chunks x shares) and `numShares` are the largest of any path.
  HostBoard(Exchange& exchange, RunControl& control, Device& device, const ReplicatedRequest& request,
            uint32_t numSteps, uint32_t numShares, int64_t deadlineNs);

  const ReplicatedTopology& topology() const { return topology_; }
  const ReplicatedRequest& request() const { return request_; }
  // Whatever was compiled for the blocks before is gone.
  void takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds) {
    request_.sourceIds = std::move(sourceIds);
    request_.targetIds = std::move(targetIds);
  }
  RunControl& control() { return control_; }
  // First byte of a same-node rank's device pool.
  std::byte* poolOf(int rank) const;
  // First byte of the memory that loads read: the root's host tier or (source device) its device pool. Null
  // off the root's node, and for a disk.
  const std::byte* source() const { return source_ == nullptr ? nullptr : source_->memory(); }
  // The pool that this is; on the root also a disk. Null off the root's node.
  BlockPool* sourcePool() const { return source_; }

  // Begins an iteration, on all ranks alike.
  void advance() { ++iteration_; }
  // A step of this rank is whole in its pool.
  void publishArrived(uint32_t step) { publish(arrived(rank(), step)); }
  // Waits until it is whole in the pool of `holder`, a rank of this node or this one, where `sender` puts it. Throws
  // kAborted naming `origin`, who loads it, where that failed; kNetwork naming a link that is lost.
  void awaitArrived(int holder, int sender, int origin, uint32_t step);
  void publishFinished() { publish(word(rank(), kFinished)); }
  // Waits until that rank of the node has all it takes from this one.
  void awaitFinished(int taker);
  // The status word before each hand-over: this rank's part will not come, peers leave at once.
  void publishFailed() { publish(word(rank(), kFailed)); }

  // Runs of this rank's pool to the same place in `peer`'s, which is on another node; then `step` has arrived
  // there.
  uint64_t send(int peer, uint32_t step, const std::vector<CopySpan>& runs);
  // Tells the origin of a share that this node is done with it, and waits for the same from every other node.
  void acknowledge(int origin, uint32_t share);
  void awaitAcknowledged(uint32_t share);
  std::string networkTransport() const { return network_ ? network_->info().transport : ""; }

  // Words in shared memory do what a gate would.
  void useGate(GateRef) {}
  bool usesGateInside() const { return false; }

  void poisonTargets(const RunControl& control);
  ProbeResult probe(GateRef gate, RunControl& control);
  void close(Exchange* exchange, int64_t deadlineNs);

 private:
  enum Fixed : uint32_t { kFailed = 0, kFinished = 1, kFirstStep = 2 };

  int rank() const { return topology_.rank(); }
  uint32_t numWords() const;
  void openPools(Exchange& exchange, Device& device, int64_t deadlineNs);
  void openNetwork(Exchange& exchange, int64_t deadlineNs);
  BoardWord& word(int rank, uint32_t index) const;
  BoardWord& arrived(int rank, uint32_t step) const { return word(rank, kFirstStep + step); }
  uint32_t acknowledgedIndex(int node, uint32_t share) const {
    return kFirstStep + numSteps_ + static_cast<uint32_t>(node) * numShares_ + share;
  }
  void publish(BoardWord& target) { target.value.store(iteration_, std::memory_order_release); }
  void await(int peer, int origin, BoardWord& awaited, const char* what);
  bool sharesMemory(int peer) const;

  RunControl& control_;
  ReplicatedRequest request_;
  ReplicatedTopology topology_;
  uint32_t numSteps_;
  uint32_t numShares_;
  uint64_t iteration_ = 0;
  std::unique_ptr<SymmetricBuffer> words_;
  std::vector<std::unique_ptr<BlockPool>> peerPools_;  // by rank
  std::unique_ptr<BlockPool> rootTier_;
  BlockPool* source_ = nullptr;
  std::unique_ptr<Network> network_;
  uint32_t poolRegion_ = 0;
  uint32_t wordRegion_ = 0;
};

}  // namespace railrunner
