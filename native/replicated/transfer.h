#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/exchange.h"
#include "core/gate.h"
#include "core/sampler.h"
#include "kv/transfer.h"

namespace railrunner {

class Communicator;
class ReplicatedTopology;

// How the root's blocks reach the device pool of every rank.
//   rootBroadcast     the root loads all, then one broadcast: a block an operation where it is contiguous
//   pipelined         load and broadcast overlap by chunks
//   scatterAllgather  the ranks of the root's node load a share each, then hand the shares on, by chunks
//   ipc               without a collective library, inside one node: ranks hand chunks on through memory that they map
//                     of each other (topology.h says who to whom)
//   independent       every rank loads everything from tiers of its own: what the others are judged against
//   auto              the quickest of the others, except independent, in the first iterations
enum class ReplicatedStrategy : uint32_t {
  kAuto,
  kRootBroadcast,
  kPipelined,
  kScatterAllgather,
  kIpc,
  kIndependent
};
const char* replicatedStrategyName(ReplicatedStrategy strategy);

// Everything but source is the same on all ranks.
struct ReplicatedRequest {
  ReplicatedStrategy strategy = ReplicatedStrategy::kAuto;
  int root = 0;
  Tier sourceTier = Tier::kHost;
  // The root's tier, on the root alone (independent: every rank's own). Null for source device: the blocks
  // stand in the root's target pool, and sourceIds equals targetIds.
  BlockPool* source = nullptr;
  LayoutShape sourceShape;
  std::vector<uint32_t> sourceBlocks;  // of each section
  BlockPool* target = nullptr;
  LayoutShape targetShape;
  std::vector<uint32_t> targetBlocks;
  std::vector<uint32_t> sourceIds;
  std::vector<uint32_t> targetIds;
  uint32_t layerBegin = 0;
  uint32_t layerEnd = 0;
  std::vector<int> nodeOfRank;
  // Of the loads; chunkBytes also of the steps that overlap (0: chosen by the payload).
  TransferOptions options;
  Communicator* communicator = nullptr;  // cuda alone
  InjectedFaults faults;                 // kFailLoad, kDieInGroup: by iteration
  // takeBlocks() will name others: what is shared is made for as many as the target pool has.
  bool changesBlocks = false;

  bool sourceIsDevice() const { return sourceTier == Tier::kDevice; }
  // Whether the blocks of that rank's pool are written.
  bool overwrites(int rank) const { return !(sourceIsDevice() && rank == root); }
};

// What an iteration does on this rank; bytes are counted where they are issued.
struct ReplicatedFacts {
  Tier sourceTier = Tier::kHost;
  PathBytes bytes;         // payload: what the rank's pool ends with
  uint64_t loadBytes = 0;  // that this rank loads itself
  uint32_t numChunks = 0;
  uint64_t numOperations = 0;  // collectives, or copies and messages that stand for them
  ReplicatedStrategy strategyUsed = ReplicatedStrategy::kAuto;
  std::string diskIo;
  std::string networkTransport;
  std::string handedOnBy;  // ipc on cuda: "copyEngine" or "kernel"; else ''
  double overlapPct =
      -1;  // of the shorter of load and broadcast, mean over samples; -1: one of them is missing
};

// A compiled replicated transfer. Opened, measured, probed and closed by all ranks together.
class ReplicatedTransfer {
 public:
  virtual ~ReplicatedTransfer() = default;
  // Phases of the same iterations: "load" (not where the source is the device) is from the first to the last moment of
  // this rank's loads, "broadcast" from the first byte handed on or received to the last, and "total".
  virtual MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) = 0;
  // The limit: the same bytes in one piece. Before measure, which poisons what it overwrites.
  virtual ProbeResult probe(GateRef gate, RunControl& control) = 0;
  // Final once it has been measured.
  virtual ReplicatedFacts facts() const = 0;
  // Collective: other blocks of the same pools from now on; the request said that they change. Memory that is mapped
  // stays mapped, and `auto` tries its strategies once for each order of magnitude of bytes. Throws on all ranks as
  // openReplicated does, and may then be called again.
  virtual void takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds,
                          int64_t deadlineNs) = 0;
  // Explicit and idempotent. `exchange` null: after a failure, without the others.
  virtual void close(Exchange* exchange, int64_t deadlineNs) = 0;
};

// Bytes that the blocks hold in the layers that move.
uint64_t payloadBytesOf(const ReplicatedRequest& request);

// Steps shorter than this cost more than they hide. The requests of a step on disk end before those of the
// next begin, so it must be long against the queue's depth.
uint64_t leastChunkBytes(const ReplicatedRequest& request);

// Into which a request is cut at most: no blocks that it may still take are cut into more.
uint32_t mostChunksOf(const ReplicatedRequest& request);

// Shares that `ipc` cuts a chunk into: host memory is loaded by every rank of the node, each its share.
uint32_t ipcSharesOf(const ReplicatedTopology& topology, Tier sourceTier);

// Collective, with an agreement after each step: either every rank gets its transfer or every rank throws.
// The exchange must outlive it.
std::unique_ptr<ReplicatedTransfer> openReplicated(Exchange& exchange, RunControl& control, Device& device,
                                                   ReplicatedRequest request, int64_t deadlineNs);

}  // namespace railrunner
