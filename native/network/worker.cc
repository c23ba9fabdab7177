#include "network/worker.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/pattern.h"

namespace railrunner {

namespace {

// UCX's generic datatype over a ScatteredFrame: UCX has it packed into its own send buffer, which spares the copy into a
// batch. Nothing is received as it.
void* startPack(void*, const void* buffer, size_t) { return const_cast<void*>(buffer); }
size_t packedSize(void* frame) { return static_cast<ScatteredFrame*>(frame)->bytes(); }
size_t pack(void* frame, size_t offset, void* target, size_t bytes) {
  return static_cast<ScatteredFrame*>(frame)->take(offset, static_cast<uint8_t*>(target), bytes);
}
void* startUnpack(void*, void*, size_t) { return nullptr; }
ucs_status_t unpack(void*, size_t, const void*, size_t) { return UCS_ERR_UNSUPPORTED; }
void finishPack(void*) {}

ucp_datatype_t createScatteredType() {
  ucp_generic_dt_ops_t operations{};
  operations.start_pack = startPack;
  operations.start_unpack = startUnpack;
  operations.packed_size = packedSize;
  operations.pack = pack;
  operations.unpack = unpack;
  operations.finish = finishPack;
  ucp_datatype_t type = 0;
  const ucs_status_t status = ucx().ucp_dt_create_generic(&operations, nullptr, &type);
  if (status != UCS_OK) throw ucxError("ucp_dt_create_generic", status);
  return type;
}

}  // namespace

NetworkWorker::NetworkWorker(const WorkerContext& shared)
    : shared_(shared),
      connections_(shared.worldSize),
      sent_(static_cast<size_t>(shared.worldSize) * shared.numSlots),
      arrivals_(shared.worldSize, shared.numSlots, *shared.regions, shared.testSeam.publishWithoutCounting),
      shuffleState_(shared.testSeam.shuffleSeed) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  const ucs_status_t status = ucx().ucp_worker_create(shared.context, &params, &worker_);
  if (status != UCS_OK) throw ucxError("ucp_worker_create", status);
  try {
    receiveMessages();
    createBatches();
    scatteredType_ = createScatteredType();
  } catch (...) {
    destroy();
    throw;
  }
}

void NetworkWorker::receiveMessages() {
  ucp_am_handler_param_t handler{};
  handler.field_mask =
      UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  handler.id = kFrameMessageId;
  handler.cb = &NetworkWorker::onMessage;
  handler.arg = this;
  const ucs_status_t status = ucx().ucp_worker_set_am_recv_handler(worker_, &handler);
  if (status != UCS_OK) throw ucxError("ucp_worker_set_am_recv_handler", status);
}

void NetworkWorker::createBatches() {
  // Two a peer keep every peer's stream busy; eight more let one busy peer run ahead.
  const size_t count = 2 * static_cast<size_t>(shared_.numPeers) + 8;
  // All pages are there before the first message; huge ones, as each of 4 KiB costs a fault (2 ms of 8 peers' batches).
  arena_ = PrivateMemory::create(count * shared_.batchBytes, -1,
                                 "network: " + std::to_string(count) + " send batches of " +
                                     std::to_string(shared_.batchBytes) + " bytes");
  for (size_t i = 0; i < count; ++i) {
    Batch& batch = batches_.emplace_back();
    batch.data = static_cast<uint8_t*>(arena_->data()) + i * shared_.batchBytes;
    batch.owner = this;
    batch.frame.reserve(2 * shared_.batchBytes / kMinStayingBytes + 2);  // payloads, and records between them
    freeBatches_.push_back(&batch);
  }
  if (shared_.protocol != NetworkProtocol::kRemoteWrite) return;
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = arena_->data();
  params.length = count * shared_.batchBytes;
  const ucs_status_t status = ucx().ucp_mem_map(shared_.context, &params, &arenaMemory_);
  if (status != UCS_OK) throw ucxError("registering the send batches", status);
}

std::vector<uint8_t> NetworkWorker::address() const {
  ucp_address_t* address = nullptr;
  size_t bytes = 0;
  const ucs_status_t status = ucx().ucp_worker_get_address(worker_, &address, &bytes);
  if (status != UCS_OK) throw ucxError("ucp_worker_get_address", status);
  const uint8_t* begin = reinterpret_cast<const uint8_t*>(address);
  std::vector<uint8_t> copy(begin, begin + bytes);
  ucx().ucp_worker_release_address(worker_, address);
  return copy;
}

void NetworkWorker::connect(uint32_t peer, std::span<const uint8_t> address) {
  Connection& connection = connections_[peer];
  connection.owner = this;
  connection.peer = peer;
  connection.used = true;
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = &NetworkWorker::onEndpointError;
  params.err_handler.arg = &connection;
  const ucs_status_t status = ucx().ucp_ep_create(worker_, &params, &connection.endpoint);
  if (status != UCS_OK) throw ucxError("connecting to rank " + std::to_string(peer), status);
}

std::string NetworkWorker::transportOf(uint32_t peer) const {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* stream = open_memstream(&text, &bytes);
  if (stream == nullptr) throw errnoError(ErrorCode::kNetwork, "network: open_memstream", errno);
  ucx().ucp_ep_print_info(connections_[peer].endpoint, stream);
  std::fclose(stream);
  const std::string info(text, bytes);
  std::free(text);
  // "#   lane[0]:  1:tcp/lo.0 md[1]  -> ...": every version prints lanes so, and UCX before 1.14 has no
  // query.
  std::string transports;
  for (size_t at = info.find("lane["); at != std::string::npos; at = info.find("lane[", at + 1)) {
    const size_t begin = info.find(':', info.find("]:", at) + 2);
    const size_t end = info.find_first_of(". \n", begin);
    if (begin == std::string::npos || end == std::string::npos) break;
    const std::string name = info.substr(begin + 1, end - begin - 1);
    if (name.empty() || transports.find(name) != std::string::npos) continue;
    transports += (transports.empty() ? "" : ",") + name;
  }
  return transports;
}

void NetworkWorker::sendHello(uint32_t peer) {
  const FrameRecord record{RecordKind::kHello, 0, 0, 0, 0, 0, 0};
  appendRecord(usable(peer), record);
  push(peer);
}

void NetworkWorker::addTarget(uint32_t region, uint32_t peer, uint64_t base, std::span<const uint8_t> rkey) {
  Connection& connection = connections_[peer];
  if (connection.targets.size() <= region) connection.targets.resize(region + 1);
  connection.targets[region].base = base;
  if (shared_.protocol != NetworkProtocol::kRemoteWrite) return;
  const ucs_status_t status =
      ucx().ucp_ep_rkey_unpack(connection.endpoint, rkey.data(), &connection.targets[region].rkey);
  if (status != UCS_OK) throw ucxError("memory key of rank " + std::to_string(peer), status);
}

void NetworkWorker::dropTarget(uint32_t region) {
  for (Connection& connection : connections_) {
    if (region >= connection.targets.size()) continue;
    Target& target = connection.targets[region];
    if (target.rkey != nullptr) ucx().ucp_rkey_destroy(target.rkey);
    target = Target{};
  }
}

ucs_status_ptr_t NetworkWorker::startFlush() {
  ucp_request_param_t param{};
  return ucx().ucp_worker_flush_nbx(worker_, &param);
}

NetworkCounters NetworkWorker::counters(uint32_t peer) const {
  NetworkCounters counters = connections_[peer].counters;
  counters.staleRecords = arrivals_.staleRecords(peer);
  return counters;
}

bool NetworkWorker::progress() {
  const bool happened = ucx().ucp_worker_progress(worker_) != 0;
  if (numFlags_ != 0) {
    for (Connection& connection : connections_) issueFlags(connection);
  }
  if (!held_.empty()) applySomeHeld();
  return happened;
}

ucs_status_t NetworkWorker::onMessage(void* self, const void*, size_t, void* data, size_t bytes,
                                      const ucp_am_recv_param_t* param) {
  // Every sender forces eager messages; anything else does not come from this program and is dropped.
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
    static_cast<NetworkWorker*>(self)->receive(static_cast<const uint8_t*>(data), bytes);
  }
  return UCS_OK;
}

void NetworkWorker::receive(const uint8_t* data, size_t bytes) {
  FrameHeader header;
  if (bytes < sizeof(header)) return;
  std::memcpy(&header, data, sizeof(header));
  // A stranger's message: nothing says whose it is, so nobody is blamed for it.
  if (header.magic != FrameHeader::kMagic || header.networkId != shared_.networkId) return;
  if (header.source >= connections_.size() || !connections_[header.source].used) return;
  const char* fault = visitRecords({data + sizeof(header), bytes - sizeof(header)},
                                   [&](const FrameRecord& record, const uint8_t* payload) -> const char* {
                                     if (record.kind == RecordKind::kHello) {
                                       connections_[header.source].hello = true;
                                       return nullptr;
                                     }
                                     return applyOrHold(header.source, record, payload);
                                   });
  if (fault != nullptr)
    shared_.peers->markLost(header.source, std::string("it sent a message that is not legal: ") + fault);
}

const char* NetworkWorker::applyOrHold(uint32_t source, const FrameRecord& record, const uint8_t* payload) {
  if (shuffleState_ == 0) return arrivals_.apply(source, record, payload);
  const uint64_t bytes = record.kind == RecordKind::kPayload ? record.bytesOrCount : 0;
  held_.push_back(HeldRecord{source, record, std::vector<uint8_t>(payload, payload + bytes)});
  return nullptr;
}

void NetworkWorker::applySomeHeld() {
  for (size_t rounds = held_.size() / 2 + 1; rounds > 0 && !held_.empty(); --rounds) {
    shuffleState_ = mix64(shuffleState_ + 0x9e3779b97f4a7c15ULL) | 1U;
    HeldRecord& picked = held_[(shuffleState_ >> 1) % held_.size()];
    if (const char* fault = arrivals_.apply(picked.source, picked.record, picked.payload.data())) {
      shared_.peers->markLost(picked.source, std::string("it sent a message that is not legal: ") + fault);
    }
    std::swap(picked, held_.back());
    held_.pop_back();
  }
}

void NetworkWorker::beginClose() {
  held_.clear();
  numFlags_ = 0;
  for (Connection& connection : connections_) {
    for (Target& target : connection.targets) {
      if (target.rkey != nullptr) ucx().ucp_rkey_destroy(target.rkey);
      target = Target{};
    }
    if (connection.endpoint == nullptr) continue;
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    ucs_status_ptr_t request = ucx().ucp_ep_close_nbx(connection.endpoint, &param);
    connection.endpoint = nullptr;
    connection.used = false;
    if (request != nullptr && !UCS_PTR_IS_ERR(request)) closing_.push_back(request);
    if (connection.flush != nullptr) closing_.push_back(std::exchange(connection.flush, nullptr));
    connection.flags.clear();
  }
}

bool NetworkWorker::closed() {
  ucx().ucp_worker_progress(worker_);
  std::erase_if(closing_, [](ucs_status_ptr_t request) {
    if (ucx().ucp_request_check_status(request) == UCS_INPROGRESS) return false;
    ucx().ucp_request_free(request);
    return true;
  });
  return closing_.empty();
}

void NetworkWorker::destroy() {
  if (arenaMemory_ != nullptr) ucx().ucp_mem_unmap(shared_.context, arenaMemory_);
  arenaMemory_ = nullptr;
  if (worker_ != nullptr) ucx().ucp_worker_destroy(worker_);
  worker_ = nullptr;
  if (scatteredType_ != 0) ucx().ucp_dt_destroy(scatteredType_);
  scatteredType_ = 0;
}

}  // namespace railrunner

#endif
