#include "network/worker.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <algorithm>
#include <cstring>

#include "core/wait.h"

// The sending half of a worker: batches, puts and signals.
namespace railrunner {

namespace {

// Estimate of the overhead of each segment of 1448 bytes on an Ethernet link: TCP, IP and Ethernet
// headers, and UCX's own message headers.
constexpr uint64_t kSegmentBytes = 1448;
constexpr uint64_t kSegmentOverheadBytes = 66;
constexpr uint64_t kMessageOverheadBytes = 24;

uint64_t wireBytesOf(uint64_t frameBytes) {
  const uint64_t segments = (frameBytes + kMessageOverheadBytes + kSegmentBytes - 1) / kSegmentBytes;
  return frameBytes + kMessageOverheadBytes + segments * kSegmentOverheadBytes;
}

}  // namespace

NetworkWorker::Connection& NetworkWorker::usable(uint32_t peer) {
  if (peer >= connections_.size() || !connections_[peer].used) {
    throw Error(ErrorCode::kArgument,
                "network: rank " + std::to_string(peer) + " is not reached over the network by rank " +
                    std::to_string(shared_.rank) + ", expected a rank that open() was told of");
  }
  shared_.peers->throwIfLost(peer);
  shared_.peers->throwIfClosing(peer);
  return connections_[peer];
}

// The peer's open batch, or a new one. If all are in flight, progresses until one is back; the peer's
// death, the abort word and close() end that wait.
NetworkWorker::Batch& NetworkWorker::batchWithRoom(Connection& connection, uint64_t bytes, bool isMessage) {
  if (connection.batch != nullptr && shared_.batchBytes - connection.batch->used() < bytes) seal(connection);
  if (connection.batch != nullptr) return *connection.batch;
  waitUntil(
      [&] {
        shared_.peers->throwIfLost(connection.peer);
        shared_.peers->throwIfClosing(connection.peer);
        return !freeBatches_.empty() || (progress(), !freeBatches_.empty());
      },
      *shared_.control, 0, "a free send batch of the network");
  Batch* batch = freeBatches_.back();
  freeBatches_.pop_back();
  batch->peer = connection.peer;
  batch->sealed = false;
  batch->fill = 0;
  batch->isMessage = isMessage;
  batch->frame.clear();
  if (isMessage) {
    const FrameHeader header{FrameHeader::kMagic, shared_.rank, shared_.networkId};
    store(*batch, &header, sizeof(header));
  }
  connection.batch = batch;
  return *batch;
}

void NetworkWorker::store(Batch& batch, const void* data, uint64_t bytes) {
  if (bytes == 0) return;
  uint8_t* at = batch.data + batch.fill;
  std::memcpy(at, data, bytes);
  batch.fill += bytes;
  batch.frame.add(at, bytes);
}

NetworkWorker::Batch& NetworkWorker::appendRecord(Connection& connection, const FrameRecord& record,
                                                  uint64_t payloadBytes) {
  Batch& batch = batchWithRoom(connection, sizeof(record) + framePadded(payloadBytes), true);
  store(batch, &record, sizeof(record));
  return batch;
}

void NetworkWorker::appendPayload(Connection& connection, const FrameRecord& record, const uint8_t* payload,
                                  bool stays) {
  const uint64_t bytes = record.bytesOrCount;
  Batch& batch = appendRecord(connection, record, bytes);
  if (stays) {
    batch.frame.add(payload, bytes);
  } else {
    store(batch, payload, bytes);
  }
  constexpr uint8_t kPadding[kFrameAlignment] = {};
  store(batch, kPadding, framePadded(bytes) - bytes);
}

void NetworkWorker::put(const NetworkPut& put) {
  Connection& connection = usable(put.peer);
  Sent& sent = sent_[static_cast<size_t>(put.peer) * shared_.numSlots + put.slot];
  if (sent.epoch != put.epoch) sent = Sent{put.epoch, 0};
  const uint64_t room = shared_.batchBytes - sizeof(FrameHeader) - sizeof(FrameRecord);
  const uint8_t* data = static_cast<const uint8_t*>(put.data);
  uint64_t done = 0;
  do {
    const uint64_t bytes = std::min(room & ~(kFrameAlignment - 1), put.bytes - done);
    if (shared_.protocol == NetworkProtocol::kRemoteWrite) {
      remoteWrite(connection, put.region, put.offset + done, data + done, bytes);
    } else {
      appendPayload(connection,
                    FrameRecord{RecordKind::kPayload, static_cast<uint16_t>(put.region), put.slot, put.epoch,
                                put.offset + done, bytes, 0},
                    data + done, put.stays && bytes >= kMinStayingBytes);
    }
    ++sent.count;
    done += bytes;
  } while (done < put.bytes);
  connection.counters.payloadBytes += put.bytes;
}

void NetworkWorker::signal(const NetworkSignal& signal) {
  Connection& connection = usable(signal.peer);
  Sent& sent = sent_[static_cast<size_t>(signal.peer) * shared_.numSlots + signal.slot];
  const uint64_t count = sent.epoch == signal.epoch ? sent.count : 0;
  sent = Sent{signal.epoch, 0};
  if (shared_.protocol == NetworkProtocol::kRemoteWrite) {
    queueFlag(connection, signal);
  } else {
    appendRecord(connection, FrameRecord{RecordKind::kSignal, static_cast<uint16_t>(signal.region),
                                         signal.slot, signal.epoch, signal.offset, count, signal.value});
  }
  connection.counters.payloadBytes += sizeof(signal.value);
}

void NetworkWorker::remoteWrite(Connection& connection, uint32_t region, uint64_t offset, const void* data,
                                uint64_t bytes) {
  if (bytes == 0) return;
  Batch& batch = batchWithRoom(connection, framePadded(bytes), false);
  issueWrite(connection, batch, stage(batch, data, bytes), region, offset, bytes);
}

// Copies it to where UCX will read it; the batch is kept until the write has been issued and ended.
const uint8_t* NetworkWorker::stage(Batch& batch, const void* data, uint64_t bytes) {
  uint8_t* staged = batch.data + batch.fill;
  std::memcpy(staged, data, bytes);
  batch.fill += framePadded(bytes);
  ++batch.outstanding;
  return staged;
}

void NetworkWorker::issueWrite(Connection& connection, Batch& batch, const uint8_t* staged, uint32_t region,
                               uint64_t offset, uint64_t bytes) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMH;
  param.cb.send = &NetworkWorker::onSent;
  param.user_data = &batch;
  param.memh = arenaMemory_;
  const Target& target = connection.targets[region];
  connection.counters.wireBytes += wireBytesOf(bytes);
  ++connection.counters.messages;
  afterIssue(batch, ucx().ucp_put_nbx(connection.endpoint, staged, bytes, target.base + offset, target.rkey,
                                      &param));
}

// A flag may be seen only after what was written before it. ucp_worker_fence would order them, but where UCX
// makes it a flush (1.18 always, later versions with several rails) it waits inside the call until every peer has
// acknowledged, and knows neither abort word nor deadline. So the flag waits here until a flush of its own connection has ended, and the caller goes on.
void NetworkWorker::queueFlag(Connection& connection, const NetworkSignal& signal) {
  Batch& batch = batchWithRoom(connection, framePadded(sizeof(signal.value)), false);
  const uint8_t* staged = stage(batch, &signal.value, sizeof(signal.value));
  connection.flags.push_back({&batch, staged, signal.region, signal.offset});
  ++numFlags_;
  issueFlags(connection);
}

// One flag a flush, so that flags keep their order as well.
void NetworkWorker::issueFlags(Connection& connection) {
  while (!connection.flags.empty()) {
    ucs_status_t status = UCS_OK;
    if (connection.flush == nullptr) {
      ucp_request_param_t param{};
      const ucs_status_ptr_t request = ucx().ucp_ep_flush_nbx(connection.endpoint, &param);
      if (UCS_PTR_IS_ERR(request)) {
        status = UCS_PTR_STATUS(request);
      } else {
        connection.flush = request;
      }
    }
    if (connection.flush != nullptr) {
      status = ucx().ucp_request_check_status(connection.flush);
      if (status == UCS_INPROGRESS) return;
      ucx().ucp_request_free(connection.flush);
      connection.flush = nullptr;
    }
    const Flag flag = connection.flags.front();
    connection.flags.pop_front();
    --numFlags_;
    if (status == UCS_OK) {
      issueWrite(connection, *flag.batch, flag.staged, flag.region, flag.offset, sizeof(uint64_t));
    } else {
      afterIssue(*flag.batch, UCS_STATUS_PTR(status));  // the peer is lost: nobody will look at the flag
    }
  }
}

// Ends the open batch; active messages leave now.
void NetworkWorker::seal(Connection& connection) {
  Batch* batch = connection.batch;
  if (batch == nullptr) return;
  connection.batch = nullptr;
  batch->sealed = true;
  if (!batch->isMessage) {
    if (batch->outstanding == 0) giveBack(*batch);
    return;
  }
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_AM_SEND_FLAG_EAGER;
  param.cb.send = &NetworkWorker::onSent;
  param.user_data = batch;
  ++batch->outstanding;
  connection.counters.wireBytes += wireBytesOf(batch->frame.bytes());
  ++connection.counters.messages;
  const void* buffer = batch->data;
  size_t count = batch->fill;
  if (batch->frame.numPieces() > 1) {
    param.op_attr_mask |= UCP_OP_ATTR_FIELD_DATATYPE;
    param.datatype = scatteredType_;
    buffer = &batch->frame;
    count = 1;
  }
  afterIssue(*batch,
             ucx().ucp_am_send_nbx(connection.endpoint, kFrameMessageId, nullptr, 0, buffer, count, &param));
}

void NetworkWorker::afterIssue(Batch& batch, ucs_status_ptr_t request) {
  if (request != nullptr && !UCS_PTR_IS_ERR(request)) return;  // onSent comes
  if (UCS_PTR_IS_ERR(request)) {
    shared_.peers->markLost(batch.peer, ucx().ucs_status_string(UCS_PTR_STATUS(request)));
  }
  if (--batch.outstanding == 0 && batch.sealed) giveBack(batch);
}

void NetworkWorker::giveBack(Batch& batch) { freeBatches_.push_back(&batch); }

void NetworkWorker::onSent(void* request, ucs_status_t status, void* userData) {
  Batch& batch = *static_cast<Batch*>(userData);
  NetworkWorker& self = *batch.owner;
  if (status != UCS_OK) self.shared_.peers->markLost(batch.peer, ucx().ucs_status_string(status));
  if (--batch.outstanding == 0 && batch.sealed) self.giveBack(batch);
  ucx().ucp_request_free(request);
}

void NetworkWorker::onEndpointError(void* userData, ucp_ep_h, ucs_status_t status) {
  const Connection& connection = *static_cast<Connection*>(userData);
  connection.owner->shared_.peers->markLost(connection.peer, ucx().ucs_status_string(status));
}

void NetworkWorker::push(uint32_t peer) { seal(usable(peer)); }

void NetworkWorker::pushAll() {
  for (Connection& connection : connections_) seal(connection);
}

}  // namespace railrunner

#endif
