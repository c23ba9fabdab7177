#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gate.h"
#include "core/injected_fault.h"
#include "core/phase.h"
#include "core/sampler.h"
#include "kv/block_ids.h"

namespace railrunner {

// kStagedAndKernel is never asked for: `auto` on cuda may use it.
enum class Strategy : uint32_t {
  kAuto = 0,
  kMemcpy = 1,
  kMemcpyBatch = 2,
  kKernel = 3,
  kStaged = 4,
  kStagedAndKernel = 5
};
const char* strategyName(Strategy strategy);

struct TransferOptions {
  Strategy strategy = Strategy::kAuto;
  uint32_t maxTransferBatchSize = 16;   // blocks a batch
  uint32_t maxConcurrentTransfers = 4;  // batches in flight
  uint64_t chunkBytes = 0;   // largest piece of work of `kernel` and `staged`; 0 = chosen by the device
  uint32_t queueDepth = 32;  // disk requests in flight
  uint32_t requestBytes = 1U << 20;  // largest disk request
  uint32_t threads = 1;              // CPU threads this rank may copy with
  uint32_t maxCtas = 8;              // cuda: thread blocks of a copy kernel
  InjectedFaults faults;             // cuda between device and host: kSpinKernel, kIllegalAccess
};

// What one direction of a transfer is, known when it is compiled (strategyUsed: once it has been measured).
struct LaneFacts {
  Tier from = Tier::kDevice;
  Tier to = Tier::kHost;
  PathBytes bytes;
  uint64_t numRegions = 0;
  uint64_t numCopies = 0;      // copy calls, kernels, spans or disk requests per iteration, after joining
  bool batchesMerged = false;  // all batches were made one, whatever the options say of batches
  Strategy strategyUsed = Strategy::kAuto;
  std::string diskIo;  // '' where no disk takes part
};

// "device->host".
std::string directionOf(const LaneFacts& lane);

// Adds the phases of one timing: "total" for the lanes together, and where there are two, "offload" and "onboard" for
// each. laneTimesUs holds every iteration of a lane, warm-up included; its last ones are those of `whole`.
void addPhases(MeasuredPhases& measured, const char* timing, const SampleSet& whole,
               const std::vector<LaneFacts>& lanes,
               const std::vector<const std::vector<double>*>& laneTimesUs);

// A compiled transfer: one direction, or two at the same time. Everything here is virtual once per point; loops
// are templates below it (kv/lane_transfer.h), and every device has its own.
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual std::vector<LaneFacts> facts() const = 0;
  // Warm-up and samples. Targets are poisoned again before the last one. When this returns or throws, no copy
  // is in flight any more. Bytes issued are compared with the plan (kState where they differ).
  virtual MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) = 0;
  // One contiguous copy in the same directions, or a bare loop of the same disk requests. Collective over the gate, as
  // measure is. What it overwrites of the targets is poisoned before measure's
  // last sample.
  virtual ProbeResult probe(GateRef gate, RunControl& control) = 0;
};

// Validates, compiles. Throws kBlockIds, kArgument, or kUnsupportedHere for a strategy that this device
// lacks.
std::unique_ptr<Transfer> compileTransfer(Device& device, std::vector<LaneRequest> lanes,
                                          const TransferOptions& options);

}  // namespace railrunner
