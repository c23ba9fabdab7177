#pragma once

#ifdef RAILRUNNER_HAVE_UCX
#include <ucp/api/ucp.h>
#endif

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "test/simulation/scheduler.h"

// A UCX of many ranks in one process, behind the functions that native/network looks up. Messages and puts of a connection
// overtake each other (a transport with several lanes may do so), take their time, and are read from the sender's memory
// as late as UCX allows. A connection whose link is cut, or whose other end was closed, fails: each side learns it for
// itself, and what was in flight is lost.
namespace railrunner::simulation {

struct UcxOptions {
  int64_t latencyNs = 30 * kUs;  // at most, of a message or a put
  bool hasRdma = false;          // then the network writes remotely
};

#ifdef RAILRUNNER_HAVE_UCX

inline constexpr bool kHasUcx = true;

class UcxModel {
 public:
  static UcxModel& get();
  // `wireRank`: a rank beyond the world's, whose fiber carries the puts.
  void begin(UcxOptions options, int wireRank);
  // By name, as from the library; null where the network uses no such function.
  void* symbol(const char* name);
  // Connections between the two ranks fail until then, also new ones.
  void cut(int a, int b, int64_t untilNs);
  uint64_t numMessages() const { return numMessages_; }

 private:
  struct Endpoint;
  struct Worker;
  struct Memory {
    bool isMapped = true;  // first: what unmaps sees no more of it
    uint8_t* base = nullptr;
    size_t bytes = 0;
  };
  struct Datatype {
    ucp_generic_dt_ops_t operations;
    void* context;
  };
  struct Context {
    std::set<Worker*> workers;
  };
  struct Request {
    ucs_status_t status = UCS_INPROGRESS;
    ucp_send_nbx_callback_t callback = nullptr;
    void* userData = nullptr;
    bool isFreed = false;
    uint32_t awaited = 0;  // of a flush: operations not yet whole at the peer
    Worker* worker = nullptr;
  };
  struct Operation {
    Endpoint* endpoint = nullptr;
    Request* request = nullptr;
    const uint8_t* data = nullptr;
    size_t bytes = 0;
    const Datatype* type = nullptr;  // that packs the bytes, null where they lie in one piece
    uint64_t target = 0;             // of a put; 0: a message
    Memory* memory = nullptr;
    int64_t leavesNs = 0;  // then the sender's memory is read
    int64_t arrivesNs = 0;
    std::vector<uint8_t> wire;
    bool hasLeft = false;
    bool isOver = false;
    ucs_status_t status = UCS_OK;
    std::vector<Request*> flushes;
  };
  struct Endpoint {
    Worker* owner = nullptr;
    size_t peer = 0;  // a worker
    ucp_err_handler_cb_t onError = nullptr;
    void* argument = nullptr;
    int64_t failsNs = -1;
    bool hasFailed = false;
    bool isClosed = false;
  };
  struct Worker {
    int rank = 0;
    size_t number = 0;
    Context* context = nullptr;
    ucp_am_handler_param_t handler{};
    std::vector<std::unique_ptr<Endpoint>> endpoints;
    std::deque<std::shared_ptr<Operation>> operations;            // issued here, not over
    std::multimap<int64_t, std::shared_ptr<Operation>> arrivals;  // messages, by time
    bool isAlive = true;
    int inside = -1;  // the fiber that progresses it
  };

  static ucs_status_t initCall(unsigned, unsigned, const ucp_params_t*, const ucp_config_t*,
                               ucp_context_h* context);
  static ucs_status_t workerCreate(ucp_context_h context, const ucp_worker_params_t*, ucp_worker_h* worker);
  static void workerDestroy(ucp_worker_h worker);
  static ucs_status_t getAddress(ucp_worker_h worker, ucp_address_t** address, size_t* bytes);
  static unsigned progressCall(ucp_worker_h worker);
  static ucs_status_t setHandler(ucp_worker_h worker, const ucp_am_handler_param_t* handler);
  static ucs_status_ptr_t workerFlush(ucp_worker_h worker, const ucp_request_param_t*);
  static ucs_status_t endpointCreate(ucp_worker_h worker, const ucp_ep_params_t* params, ucp_ep_h* endpoint);
  static ucs_status_ptr_t endpointClose(ucp_ep_h endpoint, const ucp_request_param_t*);
  static ucs_status_ptr_t endpointFlush(ucp_ep_h endpoint, const ucp_request_param_t*);
  static ucs_status_ptr_t sendMessage(ucp_ep_h endpoint, unsigned, const void*, size_t, const void* data,
                                      size_t bytes, const ucp_request_param_t* param);
  static ucs_status_ptr_t putCall(ucp_ep_h endpoint, const void* data, size_t bytes, uint64_t target,
                                  ucp_rkey_h key, const ucp_request_param_t* param);
  static ucs_status_t mapCall(ucp_context_h, const ucp_mem_map_params_t* params, ucp_mem_h* memory);
  static ucs_status_t packKey(ucp_context_h, ucp_mem_h memory, void** key, size_t* bytes);
  static ucs_status_t unpackKey(ucp_ep_h, const void* key, ucp_rkey_h* result);
  static ucs_status_t createType(const ucp_generic_dt_ops_t* operations, void* context, ucp_datatype_t* type);
  static ucs_status_t checkStatus(void* request);
  static void freeRequest(void* request);

  ucs_status_ptr_t issue(Endpoint& endpoint, Operation operation, const ucp_request_param_t* param);
  ucs_status_ptr_t flush(Worker& worker, const Endpoint* only);
  bool advance(Worker& worker);
  bool deliver(Worker& worker);
  void leave(const std::shared_ptr<Operation>& operation);
  bool complete(Operation& operation, ucs_status_t status);
  void release(Operation& operation);
  void failPeersOf(Worker& worker, const Endpoint* only);
  bool failDue(Worker& worker);
  bool isCut(int a, int b) const;
  bool carry();
  void enter(Worker& worker, const char* what);
  int64_t travel() { return Scheduler::get().random().between(kUs, options_.latencyNs); }

  UcxOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::map<std::pair<int, int>, int64_t> cutUntilNs_;
  std::multimap<int64_t, std::shared_ptr<Operation>> puts_;  // on the wire, by time of arrival
  uint64_t numMessages_ = 0;
};

#else

// Built without UCX: no plan has a step that needs it.
inline constexpr bool kHasUcx = false;
struct UcxModel {
  static UcxModel& get() {
    static UcxModel none;
    return none;
  }
  void begin(const UcxOptions&, int) {}
  void cut(int, int, int64_t) {}
};

#endif

}  // namespace railrunner::simulation
