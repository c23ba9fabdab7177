#include "test/simulation/ucx_model.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace railrunner::simulation {

namespace {

constexpr ucs_status_t kLost = UCS_ERR_CONNECTION_RESET;
constexpr int64_t kNoticeNs = 200 * kMs;  // until a side learns that its connection is gone, at most

Scheduler& scheduler() { return Scheduler::get(); }

}  // namespace

UcxModel& UcxModel::get() {
  static UcxModel model;
  return model;
}

void UcxModel::begin(UcxOptions options, int wireRank) {
  options_ = options;
  scheduler().spawn(wireRank, "wire", [this] {
    for (;;) {
      if (puts_.empty()) {
        scheduler().block(&puts_, 0, "waits for puts");
      } else if (!carry()) {
        scheduler().block(&puts_, puts_.begin()->first, "carries a put");
      }
    }
  });
}

// UCX is told that calls are serialized: a worker is used by one thread at a time, and not from its own callbacks.
void UcxModel::enter(Worker& worker, const char* what) {
  if (!worker.isAlive) scheduler().violate(std::string(what) + " on a worker that was destroyed");
  if (worker.inside >= 0 && worker.inside != scheduler().fiber())
    scheduler().violate(std::string(what) + " while another thread is inside the same worker of UCX");
}

bool UcxModel::isCut(int a, int b) const {
  const auto found = cutUntilNs_.find(std::minmax(a, b));
  return found != cutUntilNs_.end() && scheduler().nowNs() < found->second;
}

void UcxModel::cut(int a, int b, int64_t untilNs) {
  cutUntilNs_[std::minmax(a, b)] = untilNs;
  for (const auto& worker : workers_) {
    if (worker->rank != a && worker->rank != b) continue;
    for (const auto& endpoint : worker->endpoints) {
      const int peer = workers_[endpoint->peer]->rank;
      if (peer != a && peer != b) continue;
      if (endpoint->failsNs < 0)
        endpoint->failsNs = scheduler().nowNs() + scheduler().random().between(kUs, kNoticeNs);
    }
    std::erase_if(worker->arrivals, [&](const auto& arrival) {
      const int from = arrival.second->endpoint->owner->rank;
      return (from == a || from == b) && from != worker->rank;
    });
  }
}

ucs_status_ptr_t UcxModel::issue(Endpoint& endpoint, Operation made, const ucp_request_param_t* param) {
  enter(*endpoint.owner, "a send");
  if (endpoint.isClosed) scheduler().violate("a send on a connection that was closed");
  if (endpoint.hasFailed) return UCS_STATUS_PTR(kLost);
  ++numMessages_;
  auto operation = std::make_shared<Operation>(std::move(made));
  operation->endpoint = &endpoint;
  scheduler().trace(operation->target == 0 ? "message" : "put", endpoint.owner->rank,
                    workers_[endpoint.peer]->rank, static_cast<int64_t>(operation->bytes));
  Worker& worker = *endpoint.owner;
  if (scheduler().random().chance(40)) {  // at once: the caller's memory is free when this returns
    worker.operations.push_back(operation);
    leave(operation);
    return nullptr;
  }
  operation->leavesNs = scheduler().nowNs() + travel();
  operation->request = new Request();
  operation->request->worker = &worker;
  if ((param->op_attr_mask & UCP_OP_ATTR_FIELD_CALLBACK) != 0) {
    operation->request->callback = param->cb.send;
    operation->request->userData = param->user_data;
  }
  worker.operations.push_back(operation);
  return operation->request;
}

// Its bytes are read, and are on their way.
void UcxModel::leave(const std::shared_ptr<Operation>& operation) {
  Worker& target = *workers_[operation->endpoint->peer];
  if (operation->type == nullptr) {
    operation->wire.assign(operation->data, operation->data + operation->bytes);
  } else {
    const ucp_generic_dt_ops_t& pack = operation->type->operations;
    void* state = pack.start_pack(operation->type->context, operation->data, operation->bytes);
    operation->wire.resize(pack.packed_size(state));
    pack.pack(state, 0, operation->wire.data(), operation->wire.size());
    pack.finish(state);
  }
  operation->hasLeft = true;
  operation->arrivesNs = scheduler().nowNs() + travel();
  if (isCut(operation->endpoint->owner->rank, target.rank)) {
    operation->status = kLost;
    return;
  }
  if (operation->target != 0) {
    puts_.emplace(operation->arrivesNs, operation);
    scheduler().wake(&puts_, true);
  } else {
    target.arrivals.emplace(operation->arrivesNs, operation);
  }
}

// The puts that have arrived, whatever the target's threads do.
bool UcxModel::carry() {
  const auto first = puts_.begin();
  if (first->first > scheduler().nowNs()) return false;
  const std::shared_ptr<Operation> put = first->second;
  puts_.erase(first);
  Worker& source = *put->endpoint->owner;
  Worker& target = *workers_[put->endpoint->peer];
  const bool reaches = !isCut(source.rank, target.rank) && !scheduler().isGone(target.rank);
  const auto at = put->target;
  const auto base = reinterpret_cast<uint64_t>(put->memory->base);
  if (!put->memory->isMapped || at < base || at + put->bytes > base + put->memory->bytes) {
    put->status = UCS_ERR_CONNECTION_RESET;  // as a network card answers
    if (put->endpoint->failsNs < 0) put->endpoint->failsNs = scheduler().nowNs();
  } else if (reaches) {
    // Not more at once than the hardware promises: the last word after all before it.
    std::memcpy(reinterpret_cast<void*>(at), put->wire.data(), put->bytes);
    scheduler().touch(target.rank);
  }
  release(*put);
  scheduler().touch(source.rank);
  return true;
}

// It is whole at the peer, or never will be: flushes need not wait for it any more.
void UcxModel::release(Operation& operation) {
  operation.isOver = true;
  for (Request* flush : operation.flushes) {
    if (operation.status != UCS_OK) flush->status = operation.status;
    if (--flush->awaited == 0 && flush->status == UCS_INPROGRESS) flush->status = UCS_OK;
  }
  operation.flushes.clear();
}

bool UcxModel::complete(Operation& operation, ucs_status_t status) {
  Request* request = std::exchange(operation.request, nullptr);
  if (request == nullptr) return false;
  request->status = status;
  if (request->callback != nullptr) request->callback(request, status, request->userData);
  return true;
}

// Sends that were waiting leave; their callbacks run.
bool UcxModel::advance(Worker& worker) {
  bool moved = false;
  const std::vector<std::shared_ptr<Operation>> all(worker.operations.begin(), worker.operations.end());
  for (const auto& operation : all) {
    if (operation->hasLeft || operation->endpoint->hasFailed || operation->leavesNs > scheduler().nowNs())
      continue;
    leave(operation);
    moved = complete(*operation, UCS_OK) || moved;
  }
  std::erase_if(worker.operations,
                [](const auto& operation) { return operation->isOver && operation->request == nullptr; });
  return moved;
}

bool UcxModel::deliver(Worker& worker) {
  bool moved = false;
  while (!worker.arrivals.empty() && worker.arrivals.begin()->first <= scheduler().nowNs()) {
    const std::shared_ptr<Operation> message = worker.arrivals.begin()->second;
    worker.arrivals.erase(worker.arrivals.begin());
    scheduler().trace("deliver", message->endpoint->owner->rank, static_cast<int64_t>(message->bytes));
    ucp_am_recv_param_t param{};
    worker.handler.cb(worker.handler.arg, nullptr, 0, message->wire.data(), message->wire.size(), &param);
    release(*message);
    moved = true;
  }
  return moved;
}

// Connections whose failure this side learns now: what they still carried ends with an error, and the handler is called.
bool UcxModel::failDue(Worker& worker) {
  bool moved = false;
  for (const auto& endpoint : worker.endpoints) {
    const int peer = workers_[endpoint->peer]->rank;
    if (endpoint->failsNs < 0 && scheduler().isGone(peer) && !endpoint->isClosed)
      endpoint->failsNs = scheduler().nowNs() + scheduler().random().between(50 * kMs, 6 * kSecond);
    if (endpoint->hasFailed || endpoint->isClosed || endpoint->failsNs < 0) continue;
    if (endpoint->failsNs > scheduler().nowNs()) continue;
    endpoint->hasFailed = true;
    scheduler().trace("connection lost", worker.rank, workers_[endpoint->peer]->rank);
    const std::vector<std::shared_ptr<Operation>> all(worker.operations.begin(), worker.operations.end());
    for (const auto& operation : all) {
      if (operation->endpoint != endpoint.get() || operation->isOver) continue;
      if (!operation->hasLeft || operation->status != UCS_OK) operation->status = kLost;
      complete(*operation, kLost);
      if (operation->status != UCS_OK || operation->target == 0) {
        operation->status = kLost;
        release(*operation);
      }
    }
    if (endpoint->onError != nullptr)
      endpoint->onError(endpoint->argument, reinterpret_cast<ucp_ep_h>(endpoint.get()), kLost);
    moved = true;
  }
  return moved;
}

unsigned UcxModel::progressCall(ucp_worker_h handle) {
  UcxModel& model = get();
  Worker& worker = *reinterpret_cast<Worker*>(handle);
  model.enter(worker, "progress");
  if (worker.inside >= 0) scheduler().violate("progress of a worker of UCX from its own callback");
  worker.inside = scheduler().fiber();
  bool moved = model.advance(worker);
  moved = model.deliver(worker) || moved;
  moved = model.failDue(worker) || moved;
  worker.inside = -1;
  if (moved) scheduler().touch(worker.rank);
  return moved ? 1 : 0;
}

ucs_status_ptr_t UcxModel::flush(Worker& worker, const Endpoint* only) {
  enter(worker, "a flush");
  if (only != nullptr && only->hasFailed) return UCS_STATUS_PTR(kLost);
  auto request = std::make_unique<Request>();
  request->worker = &worker;
  for (const auto& operation : worker.operations) {
    if (operation->isOver || (only != nullptr && operation->endpoint != only)) continue;
    operation->flushes.push_back(request.get());
    ++request->awaited;
  }
  return request->awaited == 0 ? nullptr : request.release();
}

ucs_status_ptr_t UcxModel::workerFlush(ucp_worker_h worker, const ucp_request_param_t*) {
  return get().flush(*reinterpret_cast<Worker*>(worker), nullptr);
}

ucs_status_ptr_t UcxModel::endpointFlush(ucp_ep_h handle, const ucp_request_param_t*) {
  auto& endpoint = *reinterpret_cast<Endpoint*>(handle);
  return get().flush(*endpoint.owner, &endpoint);
}

ucs_status_t UcxModel::checkStatus(void* handle) {
  auto& request = *static_cast<Request*>(handle);
  get().enter(*request.worker, "a look at a request");
  if (request.isFreed) scheduler().violate("a look at a request that was freed");
  return request.status;
}

// Kept: a use after this is to be seen. One in flight goes on.
void UcxModel::freeRequest(void* handle) {
  auto& request = *static_cast<Request*>(handle);
  if (request.isFreed) scheduler().violate("a request is freed twice");
  request.isFreed = true;
}

// The other ends of a worker's connections, or of one of them, learn that it is gone.
void UcxModel::failPeersOf(Worker& worker, const Endpoint* only) {
  for (const auto& peer : workers_) {
    if (!peer->isAlive || (only != nullptr && peer->number != only->peer)) continue;
    for (const auto& endpoint : peer->endpoints) {
      if (endpoint->peer == worker.number && endpoint->failsNs < 0)
        endpoint->failsNs = scheduler().nowNs() + scheduler().random().between(kUs, 10 * kMs);
    }
  }
}

ucs_status_ptr_t UcxModel::endpointClose(ucp_ep_h handle, const ucp_request_param_t*) {
  UcxModel& model = get();
  auto& endpoint = *reinterpret_cast<Endpoint*>(handle);
  Worker& worker = *endpoint.owner;
  model.enter(worker, "a close");
  if (endpoint.isClosed) scheduler().violate("a connection is closed twice");
  endpoint.isClosed = true;
  const std::vector<std::shared_ptr<Operation>> all(worker.operations.begin(), worker.operations.end());
  for (const auto& operation : all) {
    if (operation->endpoint != &endpoint) continue;
    if (!operation->hasLeft) {
      operation->hasLeft = true;
      operation->status = UCS_ERR_CANCELED;
      model.release(*operation);
    }
    model.complete(*operation, UCS_ERR_CANCELED);
  }
  model.failPeersOf(worker, &endpoint);
  return nullptr;
}

void UcxModel::workerDestroy(ucp_worker_h handle) {
  UcxModel& model = get();
  Worker& worker = *reinterpret_cast<Worker*>(handle);
  model.enter(worker, "a destruction");
  worker.isAlive = false;
  worker.arrivals.clear();
  worker.context->workers.erase(&worker);
  model.failPeersOf(worker, nullptr);
}

}  // namespace railrunner::simulation

#endif
