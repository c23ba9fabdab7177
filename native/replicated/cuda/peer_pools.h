#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/exchange.h"
#include "kv/block_pool.h"
#include "peers/symmetric_buffer.h"
#include "replicated/topology.h"
#include "replicated/transfer.h"

namespace railrunner::cuda {

// The device pools of all ranks of a node in each other's address space, and words in host memory by which streams of
// one rank tell streams of another what has arrived. Words hold the number of the iteration, which only grows. They
// lie in host memory so that a CPU can let its streams go when a peer does not come.
class PeerPools {
 public:
  // Collective, for ranks of one node. Throws on all ranks where one cannot map another's memory. `numSteps`: the
  // largest of any path.
  PeerPools(Exchange& exchange, Device& device, const ReplicatedRequest& request,
            const ReplicatedTopology& topology, uint32_t numSteps, int64_t deadlineNs);
  ~PeerPools();
  PeerPools(const PeerPools&) = delete;
  PeerPools& operator=(const PeerPools&) = delete;

  // First byte of a rank's device pool, for copies of this rank's GPU.
  std::byte* poolOf(int rank) const;

  // Begins an iteration, on all ranks alike, and tells those that send to this rank that its pool may be overwritten.
  void begin();
  uint32_t iteration() const { return iteration_; }
  // Holds the iteration once that rank's pool may be overwritten.
  uint32_t* ready(int rank) const { return word(rank, kReady); }
  // Holds the iteration once that step is whole in that rank's pool.
  uint32_t* arrived(int rank, uint32_t step) const { return word(rank, kFirstStep + step); }

  // This rank's part will not come.
  void publishFailed();
  // A rank that has said so in this iteration, or -1.
  int failedRank() const;
  // After a failure: what streams of this rank wait for counts as there, so that they run empty.
  void release();

  // With an exchange: collective. Without: after a failure, alone.
  void close(Exchange* exchange, int64_t deadlineNs);

 private:
  enum Fixed : uint32_t { kFailed = 0, kReady = 1, kFirstStep = 2 };

  void openWords(Exchange& exchange, int64_t deadlineNs);
  void openPools(Exchange& exchange, const ReplicatedRequest& request, int64_t deadlineNs);
  void closeOwn();
  uint32_t* word(int rank, uint32_t index) const;
  std::atomic_ref<uint32_t> atomicWord(int rank, uint32_t index) const {
    return std::atomic_ref<uint32_t>(*word(rank, index));
  }

  Device& device_;
  int rank_;
  std::vector<int> ranks_;  // of the node
  uint32_t numSteps_;
  uint32_t iteration_ = 0;
  std::byte* own_;
  std::unique_ptr<Device> host_;  // whose memory the words are
  std::unique_ptr<SymmetricBuffer> words_;
  std::vector<void*> registered_;
  std::vector<std::unique_ptr<BlockPool>> pools_;  // by rank
};

}  // namespace railrunner::cuda
