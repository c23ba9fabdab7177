#pragma once

#include <cuda_runtime_api.h>

#include "moe/cuda/low_latency/buffer_map.h"
#include "moe/low_latency/exchange.h"
#include "network/trigger_fifo.h"

// Dispatch and combine as kernels, and what host code passes to them.
namespace railrunner::moe::cuda {

// One, in host memory that the kernels map. Every spin reads `abort`; the first wait that ends by it says
// what was missing.
struct WaitControl {
  uint32_t abort;    // host: non-zero ends every wait
  uint32_t awaited;  // kernel: 1 + the rank that a long wait is for; host: 0 once the call has ended
  uint32_t failed;   // kernel: non-zero once a wait has ended early; the fields below hold
  uint32_t rank;     // that was awaited
  uint32_t missing;  // a Missing
  uint32_t index;    // local expert of a count, token of a message or a row, else 0
  uint32_t epoch;
  uint32_t value;  // that was refused
};

enum class Missing : uint32_t {
  kCount = 1,
  kMessageCount,
  kRecord,
  kRow,
  kCombinedRow,
  kBegun,
  kRoom,
  kBarrier,
  // What came, and was out of bounds:
  kWrongTokens,
  kWrongMessageCount,
  kWrongCount,
  kWrongPlace,
  kWrongCopy,
  kWrongCopies,
  // High throughput: waits, then what came and was out of bounds.
  kPartials,
  kGathered,
  kWrongChoice,
  kWrongLayout,
  kNoRoom
};

// Words of a plan that a seam can put out of bounds, and what it puts there.
enum class WrongWord : uint32_t { kNone = 0, kTokens, kMessageCount, kCount, kPlace, kCopy };
constexpr uint32_t kWrongWordValue = 0x7ffffff0U;

constexpr uint32_t kSend = 1;
constexpr uint32_t kReceive = 2;

// Faults that tests plant; all zero in a measurement.
struct KernelSeam {
  uint32_t relaxedFlags;  // flags are stored before their rows
  uint32_t silent;        // nothing is sent
  uint32_t corrupt;       // one bit of this rank's first token flips on its way
  uint32_t wrongWord;     // a WrongWord
  uint32_t delaySeed;     // non-zero: blocks wait up to 4 us, by chance, before rows and before flags
};

constexpr uint32_t kMaxForwardedRanks = 32;  // of a node that forwards: a lane each

// Who talks to whom where tokens cross once per node; without forwarding every rank talks to every other.
struct Routes {
  uint32_t forwards;             // non-zero: this rank forwards for others
  uint32_t ranksPerNode;         // with forwarding; plans of a block
  uint32_t place;                // of this rank in its node
  uint8_t via[kMaxRanks];        // rank that this one writes to for a rank: itself, or the relay on its node
  uint8_t hears[kMaxRanks];      // rank that writes to this one what a rank sends
  uint8_t near[kMaxRanks];       // [place] of this node
  uint8_t node[kMaxRanks];       // by rank
  uint8_t ranks[kMaxRanks];      // [node, place]
  uint64_t planTo[kMaxRanks];    // by rank: offset of its plan among those of the block that goes to via
  uint64_t planFrom[kMaxRanks];  // by source: offset of this rank's plan in the block that holds it
  std::byte* backTo[kMaxRanks];  // by source: block (half 0) that rows for its tokens go back to: its own, or
                                 // one at the rank that sums for it
};

// How blocks for peers over the network leave: kernels fill a block in host memory and push triggers for it,
// which the network's proxies take. In device memory.
struct NetworkPath {
  TriggerFifo rings[kMaxSlots];  // one a proxy
  uint32_t numSlots;             // tokens are dealt out to slots, so that all proxies work for every peer
  uint8_t ring[kMaxRanks][kMaxSlots];  // by peer and slot: the ring of the proxy that serves them
  uint32_t region;                     // of the memory that the network reaches, here and at the peers
  uint64_t outgoing[kMaxRanks];  // by peer: where the block for it (half 0) begins in this rank's region
  uint64_t incoming[kMaxRanks];  // by peer: where this rank's block begins in its region
  uint64_t
      arrived[kMaxRanks];  // by source: its `begun` word once that has come, for the kernel's other blocks
  Routes routes;
  uint32_t ended[2];  // blocks of the grid that have sent their part of a dispatch, of a combine; back to 0
                      // with the last
};

struct KernelArguments {
  Shape shape;
  BufferMap map;
  uint32_t rank;
  uint32_t numTokens;
  uint32_t slices;      // parts of a row that are sent, flagged and received apart
  uint32_t sendBlocks;  // the first blocks send, the others receive: a full link holds up whatever else a
                        // processor does
  uint32_t groups;      // of warps in a block that sends, each with a row of its own
  uint32_t phases;      // kSend, kReceive or both
  uint32_t epoch;       // of the call, or what is added to *epochBase where that is given (replayed graphs)
  const uint32_t* epochBase;
  WaitControl* control;  // device address
  KernelSeam seam;
  // dispatch: the batch and its result; combine: the batch's ids and weights, the result that goes back
  const uint16_t* x;
  const int32_t* topkIdx;
  const float* topkWeights;
  DispatchResult result;
  const uint16_t* y;     // combine: experts' rows
  uint16_t* out;         // combine
  uint64_t* stamps;      // [gridBlocks, kStamps] of the global timer in ns, or null
  NetworkPath* network;  // device memory; unused where overNetwork is 0
  uint64_t overNetwork;  // bit r: rank r shares no memory
  // By rank: this rank's block (half 0) at that rank, or in host memory on its way there; and that rank's
  // block here.
  std::byte* to[kMaxRanks];
  const std::byte* from[kMaxRanks];
};

// The barrier of all GPUs that share memory, before a timed call.
struct BarrierArguments {
  uint32_t worldSize;
  WaitControl* control;         // device address
  uint64_t* theirs[kMaxRanks];  // this rank's word at that rank; null where it shares no memory
  const uint64_t* mine;         // [worldSize]: words of the others
};

constexpr uint32_t kStamps = 8;

struct LaunchShape {
  uint32_t slices;
  uint32_t dispatchBlocks;
  uint32_t dispatchSendBlocks;
  uint32_t dispatchGroups;
  uint32_t combineBlocks;
  uint32_t combineSendBlocks;  // all of them: every block sends, then receives
  uint32_t combineGroups;
};

// How many blocks and slices for a shape on the current device: all blocks are resident at once (they wait
// for each other across ranks) and a slice fits in shared memory.
LaunchShape launchShape(const Shape& shape);

// Throw kCuda. Asynchronous on the stream, capturable.
void launchDispatch(const KernelArguments& arguments, uint32_t blocks, cudaStream_t stream);
void launchCombine(const KernelArguments& arguments, uint32_t blocks, cudaStream_t stream);
// *epochBase += count, in stream order: the tail node of a graph that holds `count` calls.
void launchAdvanceEpoch(uint32_t* epochBase, uint32_t count, cudaStream_t stream);
// Raises the kernels' limits of shared memory on the current device. Once per device, before a launch.
void prepareKernels();

}  // namespace railrunner::moe::cuda
