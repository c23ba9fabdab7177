#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collective/communicator.h"
#include "device/cuda/cuda_handles.h"
#include "replicated/topology.h"
#include "replicated/transfer.h"

namespace railrunner::cuda {

class PeerPools;

// What the paths of a replicated transfer share on a cuda device: the communicator where there is one, streams, the
// memory that loads read, mapped from the root by the ranks of its node, and the peers' pools where ipc may be used.
class CudaBoard {
 public:
  static constexpr DeviceKind kKind = DeviceKind::kCuda;

  // Collective. `mapsSource`: ranks other than the root load too.
  CudaBoard(Exchange& exchange, Device& device, const ReplicatedRequest& request, bool mapsSource,
            int64_t deadlineNs);
  ~CudaBoard();

  const ReplicatedTopology& topology() const { return topology_; }
  const ReplicatedRequest& request() const { return request_; }
  // Whatever was compiled for the blocks before is gone.
  void takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds) {
    request_.sourceIds = std::move(sourceIds);
    request_.targetIds = std::move(targetIds);
    numDiskQueues_ = 0;
  }
  Device& device() const { return device_; }
  int ordinal() const { return ordinal_; }
  bool hasCommunicator() const { return request_.communicator != nullptr; }
  // Throws kState where there is none.
  Communicator& communicator() const;
  // Collective: maps the pools of the node's ranks. Throws on all ranks where one cannot.
  void mapPeers(Exchange& exchange, uint32_t numSteps, int64_t deadlineNs);
  PeerPools& peers() const { return *peers_; }
  // On the root its tier or, with source device, its device pool; on ranks that map it the same; else null.
  BlockPool* sourcePool() const { return source_; }
  // Number of a disk queue that no other load of this transfer uses.
  uint32_t takeDiskQueue() { return numDiskQueues_++; }
  cudaStream_t loadStream() const { return loadStream_; }
  cudaStream_t moveStream() const { return moveStream_; }
  cudaStream_t scatterStream() const { return scatterStream_; }

  // For measure and probe: the gate by which ranks tell each other that they can go on.
  void useGate(GateRef gate) { gate_.emplace(gate); }
  bool usesGateInside() const { return true; }
  // The status word before a collective, of all ranks. Rethrows `failure`; throws kAborted where another rank
  // has one.
  void requireAllWell(const std::exception_ptr& failure);
  // Waits for the GPU, looking after the communicator meanwhile.
  void wait(const Event& event, const RunControl& control);
  // After a failure: the communicator is aborted, which ends kernels that wait for peers; then the streams
  // run empty.
  void giveUp() noexcept;
  // Waits, not for long, until nothing is left on them.
  void drain(std::initializer_list<const Stream*> streams) const noexcept;

  void poisonTargets(const RunControl& control);
  ProbeResult probe(GateRef gate, RunControl& control);
  void close(Exchange* exchange, int64_t deadlineNs);

 private:
  class BroadcastLoop;

  Device& device_;
  ReplicatedRequest request_;
  ReplicatedTopology topology_;
  int ordinal_;
  std::unique_ptr<Communicator::Use> use_;
  std::unique_ptr<BlockPool> mapped_;
  std::unique_ptr<PeerPools> peers_;
  BlockPool* source_ = nullptr;
  Stream loadStream_;
  Stream moveStream_;
  Stream scatterStream_;
  std::optional<GateRef> gate_;
  uint32_t numDiskQueues_ = 0;
};

}  // namespace railrunner::cuda
