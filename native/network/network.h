#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/exchange.h"
#include "core/run_control.h"
#include "core/wait.h"
#include "device/device.h"
#include "network/trigger_fifo.h"

// Messages between ranks that share no memory, over UCX. This module knows peers, registered memory, epochs and
// slots; tokens and blocks are the business of the modules above.
//
// The protocol: a sender puts payloads into a peer's registered memory and then signals. The signal names a
// slot, and the peer's 8-byte word at (region, offset) is stored, with release order, when all payloads that
// this sender put under (slot, epoch) before the signal are whole in the peer's memory. So a receiver that
// reads the word with acquire order may read the payloads.
namespace railrunner {

// How payloads travel. kActiveMessage: the receiver's progress copies them into place (TCP: about five times
// the bandwidth of put there). kRemoteWrite: one-sided puts, and a put of the flag once a flush of the
// connection has ended (transports that have them in hardware).
enum class NetworkProtocol : uint32_t { kAuto = 0, kActiveMessage = 1, kRemoteWrite = 2 };

// Set only by tests: makes the receive path of active messages hostile, and breaks it in a defined manner.
struct NetworkTestSeam {
  uint64_t shuffleSeed = 0;  // non-zero: records are held back and applied in a shuffled order
  bool publishWithoutCounting =
      false;  // the planted fault: a signal is published though payloads are missing
};

struct NetworkOptions {
  // By rank, the same relation on all ranks: non-zero for peers that are reached over the network. Never the
  // own rank.
  std::vector<uint8_t> usesNetwork;
  uint32_t numProxies =
      1;  // workers with a progress thread each; (peer, slot) pairs are spread over them. 1..32
  uint32_t numSlots = 1;            // slots are 0..numSlots-1, for each ordered pair of ranks
  uint64_t batchBytes = 256 << 10;  // payloads to one peer are gathered into messages of up to this size
  NetworkProtocol protocol = NetworkProtocol::kAuto;
  // UCX transports, as UCX_TLS names them. "": those that UCX is configured with (UCX_TLS, ucx.conf) and
  // that need no shared memory (ucx_settings.h).
  std::string transports;
  int64_t deadlineNs = 0;  // of open(), nowNs based; 0 = the stage deadline aborts
  NetworkTestSeam testSeam;
};

struct NetworkInfo {
  std::string version;    // of the UCX library that was loaded
  std::string transport;  // what UCX says it uses, for example "tcp/lo"; several joined by ","
  NetworkProtocol protocol = NetworkProtocol::kActiveMessage;
  uint32_t numProxies = 0;
};

// kEqual: memory of the same size on all ranks, or an error; kAny: each rank has its own, and who puts knows it.
enum class RegionSizes : uint32_t { kEqual, kAny };

// Bytes counted where they are issued.
struct NetworkCounters {
  uint64_t payloadBytes = 0;  // of puts, and 8 for each signal
  uint64_t wireBytes = 0;     // estimate: payload, record and message headers, TCP/IP and Ethernet headers
  uint64_t messages = 0;
  uint64_t staleRecords = 0;  // received and dropped, because their epoch had ended
};

struct NetworkPut {
  uint32_t peer = 0;
  uint32_t slot = 0;
  uint64_t epoch = 0;
  uint32_t region = 0;  // where it goes, in the peer's memory
  uint64_t offset = 0;
  const void* data = nullptr;
  uint64_t bytes = 0;
  // Nobody changes or frees `data` before the peer is known to have it, or the network is closed: active messages then take
  // it where it lies, when they leave. Else put() copies it.
  bool stays = false;
};

struct NetworkSignal {
  uint32_t peer = 0;
  uint32_t slot = 0;
  uint64_t epoch = 0;
  uint32_t region = 0;
  uint64_t offset = 0;  // multiple of 8
  uint64_t value = 0;
};

// One per rank. Collective calls are made by all ranks in the same order; the others by any thread. Nothing
// here is virtual, and puts and signals neither allocate nor look anything up by name.
class Network {
 public:
  // Collective, with agreement: either every rank gets a network whose connections have carried a message
  // both ways, or every rank throws and the message names the ranks that could not, and why.
  static std::unique_ptr<Network> open(Exchange& exchange, RunControl& control,
                                       const NetworkOptions& options);

  // Where it was not closed: as close(nullptr) does. Waits for no other rank.
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Collective, with agreement. Makes `bytes` at base a target of puts. Returns the region's number, the same on all
  // ranks. Memory of kind cuda is refused (kUnsupportedHere).
  uint32_t registerMemory(Exchange& exchange, void* base, uint64_t bytes, DeviceKind kind, int64_t deadlineNs,
                          RegionSizes sizes = RegionSizes::kEqual);
  // Collective: afterwards no message of any peer can touch the memory.
  void unregisterMemory(Exchange& exchange, uint32_t region, int64_t deadlineNs);

  // Copies the payload (the caller's buffer is free on return, unless put.stays) and sends it as soon as a batch is full, a
  // signal follows, or push() is called. Throws kNetwork naming the peer, kAborted, kArgument.
  void put(const NetworkPut& put);
  // Whether a put to (peer, slot) has space for its first bytes at once; otherwise it would wait for a batch to come back. Of
  // the thread that puts. Throws kNetwork for a lost peer.
  bool hasRoom(uint32_t peer, uint32_t slot);
  // Ends (peer, slot, epoch): sent after every put of that key, from any thread that happened before this
  // call. Also without puts. One signal per key. `push` false leaves it in the batch, for callers that signal
  // many slots in a row and then call push().
  void signal(const NetworkSignal& signal, bool push = true);
  // Sends what is batched for one peer, or for all.
  void push(uint32_t peer);
  void pushAll();
  // Until everything issued so far has left this rank (remote write: has arrived at the peers).
  void flush(int64_t deadlineNs);

  // Progresses every worker that no other thread progresses; cheap when idle. Waiting threads call this
  // themselves: it saves the hand-over from a proxy thread. Returns whether anything happened.
  bool progress();

  // Waits for a condition that `peer` brings about (a signal word in local memory), progressing meanwhile.
  // Throws kNetwork naming the peer, kAborted, kTimeout.
  template <class Ready>
  void await(Ready&& ready, uint32_t peer, int64_t deadlineNs, const char* what) {
    control_.awaitedPeer.store(static_cast<int32_t>(peer), std::memory_order_relaxed);
    waitUntil([&] { return ready() || (pollPeer(peer), ready()); }, control_, deadlineNs, what);
    control_.awaitedPeer.store(-1, std::memory_order_relaxed);
  }
  // Progresses once; throws kNetwork when the connection to peer is lost.
  void pollPeer(uint32_t peer);
  // Throws kNetwork naming the first lost peer, if any.
  void throwIfPeerLost() const;

  // From now on records of epochs below `epoch` are dropped and counted. Epochs only grow. Between points:
  // every rank calls it with an epoch above all used ones, then a barrier, then the next point sends.
  void acceptFrom(uint64_t epoch);

  // Gives a ring of triggers to a proxy (0..numProxies-1), which forwards them from now on; the ring outlives
  // close(). All triggers of one (peer, slot) go through one ring, the signal after its puts.
  void attachTriggers(uint32_t proxy, const TriggerFifo& triggers);
  // The proxy whose connection takes what this rank sends to (peer, slot): triggers for it are best given to
  // that one, since others wait for its lock.
  uint32_t proxyOf(uint32_t peer, uint32_t slot) const;

  NetworkInfo info() const;
  NetworkCounters counters(uint32_t peer) const;  // since open
  NetworkCounters totalCounters() const;

  // Bounded and idempotent. With an exchange: collective, orderly, with agreement. With null (after failures):
  // connections are cut. Where it throws they have been cut all the same. Afterwards no message of a peer comes into
  // registered memory, and no thread of the network reads it.
  void close(Exchange* exchange, int64_t deadlineNs);

  struct State;

 private:
  Network(RunControl& control, std::shared_ptr<State> state);
  RunControl& control_;
  std::shared_ptr<State> state_;  // its proxy threads own it too
};

// What this process could use, without connecting anything. `reason` says why there is none.
struct NetworkProbe {
  bool available = false;
  std::string version;
  std::vector<std::string> transports;  // "tcp/lo", "tcp/eth0", ...
  bool cudaMemory = false;              // UCX can send from and into GPU memory
  std::string reason;
};
NetworkProbe probeNetwork(const std::string& transports = "");  // as in NetworkOptions

}  // namespace railrunner
