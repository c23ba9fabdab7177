#include "collective/communicator.h"

#include <cstring>
#include <utility>

#include "collective/nccl_config.h"
#include "collective/nccl_results.h"
#include "core/wait.h"

namespace railrunner {

std::unique_ptr<Communicator> Communicator::open(std::shared_ptr<const NcclLibrary> library,
                                                 const BootstrapRecord& record,
                                                 const CommunicatorOptions& options, RunControl& control) {
  if (options.rank < 0 || options.rank >= record.worldSize) {
    throw Error(ErrorCode::kArgument, "communicator: expected a rank below " +
                                          std::to_string(record.worldSize) + ", received " +
                                          std::to_string(options.rank));
  }
  NcclConfigBlock config = makeNcclConfig(library->version(), options.maxCtas);
  std::unique_ptr<Communicator> made(
      new Communicator(std::move(library), options.rank, record.worldSize, control));
  NcclUniqueId id{};
  std::memcpy(id.bytes, record.id.data(), record.id.size());
  made->accept("ncclCommInitRankConfig", made->calls().commInitRankConfig(&made->comm_, record.worldSize, id,
                                                                          options.rank, config.data()));
  made->settle("ncclCommInitRankConfig", options.deadlineNs);
  NcclLibrary::noteJoined(record);
  return made;
}

void Communicator::requireOpen() const {
  if (comm_ == nullptr)
    throw Error(ErrorCode::kState, "the communicator is closed, or was aborted after a failure");
}

void Communicator::fail(const char* call, int result) {
  const Error error = ncclError(call, result, library_->lastError(comm_));
  giveUp();
  throw error;
}

void Communicator::accept(const char* call, int result) {
  if (result != kNcclSuccess && result != kNcclInProgress) fail(call, result);
}

void Communicator::settle(const char* call, int64_t deadlineNs) {
  int state = kNcclInProgress;
  const auto settled = [&] {
    const int result = calls().commGetAsyncError(comm_, &state);
    if (result != kNcclSuccess) state = result;
    return state != kNcclInProgress;
  };
  try {
    waitUntil(settled, control_, deadlineNs, call);
  } catch (const Error& error) {
    // Ranks that disagree (sizes, a rank twice) stay in progress without an error: only this text tells, and only on
    // the rank that made the id (2.28.9).
    const std::string detail = library_->lastError(comm_);
    giveUp();
    if (detail.empty()) throw;
    throw Error(error.code(), std::string(error.what()) + "; NCCL's last words are \"" + detail + "\"");
  }
  if (state != kNcclSuccess) fail(call, state);
}

void Communicator::beginGroup() {
  requireOpen();
  if (inGroup_) throw Error(ErrorCode::kState, "a group of collectives was begun inside another");
  accept("ncclGroupStart", calls().groupStart());
  inGroup_ = true;
}

void Communicator::endGroup() {
  requireOpen();
  if (!std::exchange(inGroup_, false))
    throw Error(ErrorCode::kState, "a group of collectives was ended twice");
  accept("ncclGroupEnd", calls().groupEnd());
  settle("ncclGroupEnd", 0);
}

void Communicator::broadcast(void* data, uint64_t bytes, int root, NcclStream stream) {
  requireOpen();
  accept("ncclBroadcast", calls().broadcast(data, data, bytes, kNcclUint8, root, comm_, stream));
  if (!inGroup_) settle("ncclBroadcast", 0);
}

void Communicator::allGather(void* data, uint64_t bytesOfOne, NcclStream stream) {
  requireOpen();
  const auto* own = static_cast<const std::byte*>(data) + static_cast<uint64_t>(rank_) * bytesOfOne;
  accept("ncclAllGather", calls().allGather(own, data, bytesOfOne, kNcclUint8, comm_, stream));
  if (!inGroup_) settle("ncclAllGather", 0);
}

void Communicator::poll() {
  requireOpen();
  int state = kNcclSuccess;
  accept("ncclCommGetAsyncError", calls().commGetAsyncError(comm_, &state));
  accept("a collective in flight", state);
}

void Communicator::close(int64_t deadlineNs) {
  if (comm_ == nullptr) return;
  if (users_.load() != 0) throw Error(ErrorCode::kState, "the communicator is closed while it is in use");
  accept("ncclCommFinalize", calls().commFinalize(comm_));
  settle("ncclCommFinalize", deadlineNs);
  const int result = calls().commDestroy(std::exchange(comm_, nullptr));
  if (result != kNcclSuccess) throw ncclError("ncclCommDestroy", result, "");
}

void Communicator::giveUp() {
  if (comm_ == nullptr) return;
  if (std::exchange(inGroup_, false)) static_cast<void>(calls().groupEnd());
  // What it answers changes nothing: there is no softer end left.
  static_cast<void>(calls().commAbort(std::exchange(comm_, nullptr)));
}

}  // namespace railrunner
