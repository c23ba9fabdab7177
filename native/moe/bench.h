#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/exchange.h"
#include "core/gate.h"
#include "core/phase.h"
#include "core/sampler.h"
#include "device/device.h"
#include "moe/high_throughput/options.h"
#include "moe/token_batch.h"

namespace railrunner::moe {

// One point of dispatch and combine on one rank, whatever the device: the binding and the job kind know this
// alone.

// Faults that tests plant; each must be caught by a wait, a verification or ThreadSanitizer.
struct TestSeam {
  bool publishWithoutRelease = false;  // signals are stored relaxed
  uint32_t silentFromEpoch = 0;        // non-zero: from this call on the rank sends nothing
  uint32_t corruptFromEpoch = 0;  // non-zero: from this call on one bit of one message to each peer flips
  uint32_t wrongWord = 0;  // cuda, a WrongWord: one word of this rank's plans is out of bounds in every call
};

struct BenchOptions {
  Shape shape;
  uint32_t seed = 0;
  std::vector<uint8_t> overNetwork;  // by rank: non-zero for peers that are not reached through shared memory
  std::vector<uint32_t> nodeOfRank;  // as in PeerBases: empty = nothing is forwarded between nodes
  uint32_t numProxies = 1;           // network workers with a thread each
  bool split = false;                // send and receive phases are timed apart, with a gate between them
  TestSeam seam;
  std::optional<high_throughput::Options> highThroughput;  // none: low latency
};

// This rank's routing, as in TokenBatch.
struct Routing {
  std::vector<int32_t> topkIdx;
  std::vector<float> topkWeights;
  uint32_t numTokens = 0;
};

// Rows of a group to poison before the last sample: as many as earlier samples wrote, and one more; all of them
// where none has run yet (count below 0), since nobody knows then how many will be written.
inline uint64_t rowsToPoison(int32_t count, uint64_t rowsOfGroup) {
  if (count < 0 || static_cast<uint64_t>(count) >= rowsOfGroup) return rowsOfGroup;
  return static_cast<uint64_t>(count) + 1;
}

// What the last sample left, in host memory, for an oracle. Rows of a group (expertMajor: local expert,
// rankMajor: source rank) follow each other without gaps, in their order of arrival.
struct BenchResults {
  uint32_t salt = 0;                  // of the last sample's payload
  std::vector<int32_t> count;         // rows of each group
  std::vector<uint64_t> layoutRange;  // as in DispatchResult
  std::vector<int32_t> sourceToken;   // [sum of counts]
  std::vector<uint8_t> x;             // [sum of counts, payloadRowBytes]
  std::vector<float> scales;          // [sum of counts, numScales], fp8
  std::vector<uint8_t> guard;  // the row behind each group's last, where there is one: must hold poison
  std::vector<uint16_t>
      combined;  // [maxDispatchTokensPerRank, paddedHidden]; rows from numTokens on must hold poison

  // High throughput alone, as in high_throughput/received_rows.h. There `count` is [numLocalExperts], sourceToken
  // goes by received token, x and scales hold expertBegin.back() expert rows or, rank-major, every received token;
  // padding rows and the guard (the row behind them, where there is one) must hold poison.
  std::vector<int32_t> expertBegin;
  std::vector<int32_t> sourceBegin;
  std::vector<int32_t> rowToken;
  std::vector<int32_t> tokenRow;
  std::vector<int32_t> tokenExpert;
  std::vector<float> tokenWeight;
};

// What one call of dispatch or combine sends from this rank, for the limit to compare with.
struct ProbeRequest {
  std::vector<uint64_t> bytesTo;  // by rank; the own entry is ignored
  uint32_t repeats = 1;           // their median counts
  uint64_t sourceBytes = 0;  // of the memory they are read from: less than their sum where rows go to several
};

// Rates at which all ranks at once can move those bytes to those peers, without messages and whole. 0 =
// nothing takes that path from this rank, or the device has no such probe.
struct ProbeRates {
  double ipcGBps = 0;
  double networkGBps = 0;
  bool stopped = false;
};

struct BenchFacts {
  std::string transport = {};  // of the network; '' = no peer is reached over it
  std::string memory = {};     // that the network reaches: host or device
  // High throughput alone:
  std::string strategy = {};   // sparse or allGather, as used
  uint32_t processors = 0;     // of the GPU that a call uses; 0 = none
  double dispatchFirstUs = 0;  // the point's first call of each, before any warm-up
  double combineFirstUs = 0;
};

class Bench {
 public:
  virtual ~Bench() = default;
  // Collective. The sampler's loop: fill (untimed), gate, dispatch, experts (untimed), gate, combine.
  // Phases dispatch and combine, or their halves dispatchSend, dispatchReceive, combineSend, combineReceive. Bytes are of
  // one call: a send half carries those of its call, a receive half none.
  virtual MeasuredPhases measure(const SampleProtocol& protocol, GateRef gate) = 0;
  // Collective; before measure(). Writes where payloads go and leaves signals and epochs of calls alone.
  virtual ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                           int64_t deadlineNs) = 0;
  virtual BenchResults results() const = 0;
  virtual BenchFacts facts() const = 0;
  // As SymmetricBuffer::close: collective with an exchange, alone with null.
  virtual void close(Exchange* exchange, int64_t deadlineNs) = 0;
};

// Collective, with agreement at each step. Throws kArgument for an illegal shape or routing on every rank.
std::unique_ptr<Bench> openBench(Exchange& exchange, Device& device, RunControl& control,
                                 const BenchOptions& options, Routing routing, int64_t deadlineNs);

}  // namespace railrunner::moe
