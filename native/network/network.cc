#include "network/network.h"

#include "core/attempt.h"
#include "network/network_state.h"

#ifdef RAILRUNNER_HAVE_UCX

namespace railrunner {

namespace {

Error placeError(const char* what, uint32_t region, uint64_t offset, uint64_t bytes,
                 const std::string& expected) {
  return Error(ErrorCode::kArgument, std::string("network: ") + what + " of " + std::to_string(bytes) +
                                         " bytes to region " + std::to_string(region) + " offset " +
                                         std::to_string(offset) + ", expected " + expected);
}

void checkPlace(const Network::State& state, const char* what, uint32_t peer, uint32_t slot, uint32_t region,
                uint64_t offset, uint64_t bytes) {
  const std::vector<ArrivalRegion>& regions = state.arrivalRegions;
  if (slot >= state.options.numSlots) {
    throw Error(ErrorCode::kArgument, std::string("network: ") + what + " to slot " + std::to_string(slot) +
                                          ", expected less than " + std::to_string(state.options.numSlots));
  }
  if (region >= regions.size() || regions[region].base == nullptr) {
    throw placeError(what, region, offset, bytes, "a registered region");
  }
  const uint64_t room = peer < state.peerBytes[region].size() ? state.peerBytes[region][peer] : 0;
  if (offset > room || bytes > room - offset) {
    throw placeError(what, region, offset, bytes, "a place inside its " + std::to_string(room) + " bytes");
  }
}

}  // namespace

Network::Network(RunControl& control, std::shared_ptr<State> state)
    : control_(control), state_(std::move(state)) {}

Network::~Network() { state_->end(); }

void Network::State::put(const NetworkPut& put) {
  NetworkWorker& worker = workerOf(shared.rank, put.peer, put.slot);
  std::lock_guard<std::mutex> hold(worker.mutex());
  checkPlace(*this, "a put", put.peer, put.slot, put.region, put.offset, put.bytes);
  worker.put(put);
}

void Network::State::signal(const NetworkSignal& signal, bool push) {
  NetworkWorker& worker = workerOf(shared.rank, signal.peer, signal.slot);
  std::lock_guard<std::mutex> hold(worker.mutex());
  checkPlace(*this, "a signal", signal.peer, signal.slot, signal.region, signal.offset, sizeof(uint64_t));
  if (signal.offset % sizeof(uint64_t) != 0) {
    throw placeError("a signal", signal.region, signal.offset, sizeof(uint64_t),
                     "an offset that is a multiple of 8");
  }
  worker.signal(signal);
  if (push) worker.push(signal.peer);
}

void Network::put(const NetworkPut& put) { state_->put(put); }

bool Network::hasRoom(uint32_t peer, uint32_t slot) {
  NetworkWorker& worker = state_->workerOf(state_->shared.rank, peer, slot);
  std::lock_guard<std::mutex> hold(worker.mutex());
  return worker.hasRoom(peer);
}

void Network::signal(const NetworkSignal& signal, bool push) { state_->signal(signal, push); }

void Network::push(uint32_t peer) {
  for (auto& worker : state_->workers) {
    std::lock_guard<std::mutex> hold(worker->mutex());
    worker->push(peer);
  }
}

void Network::pushAll() {
  for (auto& worker : state_->workers) {
    std::lock_guard<std::mutex> hold(worker->mutex());
    worker->pushAll();
  }
}

bool Network::State::hasUnsent() {
  for (auto& worker : workers) {
    std::lock_guard<std::mutex> hold(worker->mutex());
    if (worker->hasUnsent()) return true;
  }
  return false;
}

void Network::flush(int64_t deadlineNs) {
  State& state = *state_;
  pushAll();
  waitUntil([&] { return progress(), throwIfPeerLost(), !state.hasUnsent(); }, control_, deadlineNs,
            "the network's sends to leave");
  for (auto& worker : state.workers) {
    ucs_status_ptr_t request = nullptr;
    {
      std::lock_guard<std::mutex> hold(worker->mutex());
      request = worker->startFlush();
    }
    if (request == nullptr) continue;
    if (UCS_PTR_IS_ERR(request)) {
      throwIfPeerLost();
      throw ucxError("ucp_worker_flush", UCS_PTR_STATUS(request));
    }
    ucs_status_t status = UCS_INPROGRESS;
    const std::exception_ptr failure = attempt([&] {
      waitUntil(
          [&] {
            progress();
            throwIfPeerLost();
            std::lock_guard<std::mutex> hold(worker->mutex());
            status = ucx().ucp_request_check_status(request);
            return status != UCS_INPROGRESS;
          },
          control_, deadlineNs, "the network's flush");
    });
    std::lock_guard<std::mutex> hold(worker->mutex());
    ucx().ucp_request_free(request);  // one that is in flight is freed when it ends
    if (failure) std::rethrow_exception(failure);
    if (status != UCS_OK) throw ucxError("ucp_worker_flush", status);
  }
}

bool Network::progress() {
  bool happened = false;
  for (auto& worker : state_->workers) {
    std::unique_lock<std::mutex> hold(worker->mutex(), std::try_to_lock);
    if (hold.owns_lock()) happened |= worker->progress();
  }
  state_->callerPolls.fetch_add(1, std::memory_order_relaxed);
  return happened;
}

void Network::pollPeer(uint32_t peer) {
  progress();
  state_->peers.throwIfLost(peer);
}

void Network::throwIfPeerLost() const { state_->peers.throwIfAnyLost(); }

void Network::acceptFrom(uint64_t epoch) {
  for (auto& worker : state_->workers) {
    std::lock_guard<std::mutex> hold(worker->mutex());
    worker->acceptFrom(epoch);
  }
}

uint32_t Network::proxyOf(uint32_t peer, uint32_t slot) const {
  return state_->workerIndex(state_->shared.rank, peer, slot);
}

NetworkInfo Network::info() const { return state_->info; }

NetworkCounters Network::counters(uint32_t peer) const {
  NetworkCounters sum;
  for (auto& worker : state_->workers) {
    std::lock_guard<std::mutex> hold(worker->mutex());
    const NetworkCounters part = worker->counters(peer);
    sum.payloadBytes += part.payloadBytes;
    sum.wireBytes += part.wireBytes;
    sum.messages += part.messages;
    sum.staleRecords += part.staleRecords;
  }
  return sum;
}

NetworkCounters Network::totalCounters() const {
  NetworkCounters sum;
  for (uint32_t peer = 0; peer < state_->shared.worldSize; ++peer) {
    const NetworkCounters part = counters(peer);
    sum.payloadBytes += part.payloadBytes;
    sum.wireBytes += part.wireBytes;
    sum.messages += part.messages;
    sum.staleRecords += part.staleRecords;
  }
  return sum;
}

}  // namespace railrunner

#endif
