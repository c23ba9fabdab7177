#pragma once

#ifdef RAILRUNNER_HAVE_UCX

#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "device/host/private_memory.h"
#include "network/arrivals.h"
#include "network/network.h"
#include "network/peer_board.h"
#include "network/scattered_frame.h"
#include "network/ucx_api.h"

namespace railrunner {

inline constexpr unsigned kFrameMessageId = 7;  // of this module's active messages

// Shorter payloads are copied into the batch, even if they would stay: a batch then has few pieces.
inline constexpr uint64_t kMinStayingBytes = 1024;

// What a worker shares with the others of its network; outlives it.
struct WorkerContext {
  uint32_t rank = 0;
  uint32_t worldSize = 0;
  uint32_t numSlots = 0;
  uint32_t numPeers = 0;
  uint64_t batchBytes = 0;
  uint64_t networkId = 0;
  NetworkProtocol protocol = NetworkProtocol::kActiveMessage;
  NetworkTestSeam testSeam;
  ucp_context_h context = nullptr;
  const std::vector<ArrivalRegion>* regions = nullptr;
  PeerBoard* peers = nullptr;
  RunControl* control = nullptr;
};

// One UCX worker with its connections, batches and arrivals. UCX is told that calls are serialized: every
// member is called by the holder of mutex(), and UCX's callbacks run inside progress(), so under it as well.
class NetworkWorker {
 public:
  explicit NetworkWorker(const WorkerContext& shared);

  std::mutex& mutex() { return mutex_; }

  std::vector<uint8_t> address() const;
  void connect(uint32_t peer, std::span<const uint8_t> address);
  void sendHello(uint32_t peer);
  bool hasHelloOf(uint32_t peer) const { return connections_[peer].hello; }
  std::string transportOf(uint32_t peer) const;  // "tcp/lo"

  void addTarget(uint32_t region, uint32_t peer, uint64_t base, std::span<const uint8_t> rkey);
  void dropTarget(uint32_t region);

  bool hasRoom(uint32_t peer) { return usable(peer).used && !freeBatches_.empty(); }
  void put(const NetworkPut& put);
  void signal(const NetworkSignal& signal);
  void push(uint32_t peer);
  void pushAll();
  bool hasUnsent() const { return freeBatches_.size() != batches_.size(); }

  bool progress();
  ucs_status_ptr_t startFlush();

  void acceptFrom(uint64_t epoch) { arrivals_.acceptFrom(epoch); }
  NetworkCounters counters(uint32_t peer) const;

  // Begins to cut all connections; closed() when done. destroy() then, once.
  void beginClose();
  bool closed();
  void destroy();

 private:
  struct Batch {
    uint8_t* data = nullptr;
    uint64_t fill = 0;         // of `data`
    ScatteredFrame frame;      // of a message: `data`, and payloads between it that stay where they are
    uint32_t outstanding = 0;  // operations of UCX that still read it
    bool sealed = false;       // nothing more is added
    bool isMessage = false;    // a frame, else a place from which remote writes are taken
    NetworkWorker* owner = nullptr;
    uint32_t peer = 0;
    uint64_t used() const { return isMessage ? frame.bytes() : fill; }  // of batchBytes
  };
  struct Target {
    uint64_t base = 0;
    ucp_rkey_h rkey = nullptr;
  };
  // A signal whose data may still be in flight: a word staged in a batch.
  struct Flag {
    Batch* batch = nullptr;
    const uint8_t* staged = nullptr;
    uint32_t region = 0;
    uint64_t offset = 0;
  };
  struct Connection {
    ucp_ep_h endpoint = nullptr;
    Batch* batch = nullptr;  // being filled
    bool hello = false;      // the peer's first message has come
    bool used = false;
    NetworkCounters counters;
    NetworkWorker* owner = nullptr;
    uint32_t peer = 0;
    std::vector<Target> targets;  // by region, remote write
    std::deque<Flag> flags;       // remote write: in order, the first waits for the flush
    ucs_status_ptr_t flush = nullptr;
  };
  struct Sent {
    uint64_t epoch = 0;
    uint64_t count = 0;
  };
  struct HeldRecord {
    uint32_t source;
    FrameRecord record;
    std::vector<uint8_t> payload;
  };

  static ucs_status_t onMessage(void* self, const void* header, size_t headerBytes, void* data, size_t bytes,
                                const ucp_am_recv_param_t* param);
  static void onSent(void* request, ucs_status_t status, void* batch);
  static void onEndpointError(void* connection, ucp_ep_h endpoint, ucs_status_t status);

  Connection& usable(uint32_t peer);
  void receiveMessages();
  void createBatches();
  Batch& batchWithRoom(Connection& connection, uint64_t bytes, bool isMessage);
  // With space after it for its payload.
  Batch& appendRecord(Connection& connection, const FrameRecord& record, uint64_t payloadBytes = 0);
  void appendPayload(Connection& connection, const FrameRecord& record, const uint8_t* payload, bool stays);
  static void store(Batch& batch, const void* data, uint64_t bytes);
  void remoteWrite(Connection& connection, uint32_t region, uint64_t offset, const void* data,
                   uint64_t bytes);
  const uint8_t* stage(Batch& batch, const void* data, uint64_t bytes);
  void issueWrite(Connection& connection, Batch& batch, const uint8_t* staged, uint32_t region,
                  uint64_t offset, uint64_t bytes);
  void queueFlag(Connection& connection, const NetworkSignal& signal);
  void issueFlags(Connection& connection);
  void seal(Connection& connection);
  void afterIssue(Batch& batch, ucs_status_ptr_t request);
  void giveBack(Batch& batch);
  void receive(const uint8_t* data, size_t bytes);
  const char* applyOrHold(uint32_t source, const FrameRecord& record, const uint8_t* payload);
  void applySomeHeld();

  const WorkerContext& shared_;
  std::mutex mutex_;
  ucp_worker_h worker_ = nullptr;
  std::vector<Connection> connections_;   // by rank
  std::vector<Sent> sent_;                // [peer][slot]: payloads since the last signal
  std::unique_ptr<PrivateMemory> arena_;  // of the batches
  ucp_mem_h arenaMemory_ = nullptr;
  ucp_datatype_t scatteredType_ = 0;  // its buffer is a ScatteredFrame
  std::deque<Batch> batches_;
  std::vector<Batch*> freeBatches_;
  uint32_t numFlags_ = 0;  // of all connections
  ArrivalTable arrivals_;
  std::vector<HeldRecord> held_;
  uint64_t shuffleState_ = 0;
  std::vector<ucs_status_ptr_t> closing_;
};

}  // namespace railrunner

#endif
