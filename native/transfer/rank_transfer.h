#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/exchange.h"
#include "core/gate.h"
#include "core/injected_fault.h"
#include "core/phase.h"
#include "core/sampler.h"
#include "kv/block_pool.h"
#include "transfer/page_move.h"

// One point of a transfer between ranks: pools registered, metadata exchanged, peers mapped or connected, plans compiled;
// then reads or writes, again and again.
namespace railrunner {

enum class TransferOp : uint32_t { kRead, kWrite };

// How memory of a GPU meets the network. kAuto and kStaged: through pinned bounce buffers; kStaged also for device memory of
// the host device, which the network reaches itself. kDevice: by the network itself, or kTransport.
enum class NetworkMemory : uint32_t { kAuto, kStaged, kDevice };

struct RankMove {
  uint32_t peer = 0;  // or the own rank
  PageMove pages;
};

struct RankTransferOptions {
  TransferOp op = TransferOp::kWrite;
  // Pools of this rank, of tiers device and host; null where it has none. They outlive the transfer.
  BlockPool* source = nullptr;
  BlockPool* target = nullptr;
  // What this rank starts: at most one per peer.
  std::vector<RankMove> moves;
  std::vector<uint8_t> overNetwork;     // by rank
  uint32_t maxConcurrentTransfers = 4;  // tasks of this rank that copy at once
  uint32_t threads = 1;                 // CPU threads that copy, of all of them
  uint32_t maxCtas = 8;                 // cuda: thread blocks of a copy kernel
  NetworkMemory networkMemory = NetworkMemory::kAuto;
  uint64_t bounceBytes = 4U << 20;  // of each of the two groups of a bounce buffer; at least kMinBounceBytes
  // The transports of UCX that may carry anything, "rc" or "tcp,ud" (a name, or what it begins with); "": any.
  std::string demandedTransports;
  // Those of transfers between ranks: in the last sample, in what this rank copies first. One at a time.
  InjectedFaults faults;
};

// A piece of a plan, at most.
inline constexpr uint64_t kMinBounceBytes = 1U << 20;
inline constexpr uint64_t kMaxBounceBytes = 1U << 30;

struct RankTransferSetup {
  double registerUs = 0, exportUs = 0, importUs = 0, connectUs = 0;
  uint64_t metadataBytes = 0;
};

struct RankTransferFacts {
  RankTransferSetup setup;
  uint64_t numRegions = 0;              // of this rank's moves
  uint64_t numPieces = 0;               // contiguous on both sides
  std::vector<std::string> strategies;  // by move
  std::string networkTransport;
  std::string networkMemory;  // "host", "staged"; "" where no peer is reached over the network
  // Of one iteration. Payload: of this rank's moves. The others: what this rank copies or sends, by path.
  PathBytes bytes;
};

// Phases post, wire, visible and total, each from the start of an iteration; without times where this rank has no part.
struct RankTransferSamples {
  MeasuredPhases measured;
  std::string early;  // where memory held poison though its arrival was seen, in the last sample
};

class RankTransfer {
 public:
  // Collective, with agreement. Throws kBlockIds and kArgument for moves and pools that do not fit, kWrongData for a
  // peer's metadata, kUnsupportedHere for a pair without a strategy, kTransport for a demand that is not met, and what mapping and connecting throw.
  static std::unique_ptr<RankTransfer> open(Exchange& exchange, RunControl& control, Device& device,
                                            RankTransferOptions options, int64_t deadlineNs);
  virtual ~RankTransfer() = default;

  virtual const RankTransferFacts& facts() const = 0;
  // Collective over the gate. Targets are poisoned before the last sample. When it returns or throws nothing of this
  // rank's is in flight any more.
  virtual RankTransferSamples measure(GateRef gate, const SampleProtocol& protocol) = 0;
  // The same bytes between the same pools as one contiguous copy each. Collective over the gate, before measure, which
  // rewrites what it overwrites.
  virtual ProbeResult probe(GateRef gate) = 0;
  // With an exchange: collective, in the order that mapped memory demands. Null: after failures. Idempotent.
  virtual void close(Exchange* exchange, int64_t deadlineNs) = 0;
};

}  // namespace railrunner
