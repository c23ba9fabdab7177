#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "collective/bootstrap_record.h"
#include "collective/nccl_library.h"
#include "core/run_control.h"

namespace railrunner {

struct CommunicatorOptions {
  int rank = 0;
  std::optional<int> maxCtas;  // none: NCCL's own choice
  int64_t deadlineNs = 0;      // of each wait for the other ranks, nowNs based; 0 = the stage's abort ends it
};

// One NCCL communicator and its owner. It is non-blocking: no call waits for other ranks, and every wait is
// here, polled, with a deadline and the abort word. Used by one thread.
//
// After any failure it is aborted at once (every rank must: peers' memory is mapped) and answers kState. It
// is never destroyed or aborted by a destructor: an owner that forgets it leaves it to the end of the
// process.
class Communicator {
 public:
  // Collective: every rank of the record's world, with its GPU current. Throws kNccl, kTimeout, kAborted.
  static std::unique_ptr<Communicator> open(std::shared_ptr<const NcclLibrary> library,
                                            const BootstrapRecord& record, const CommunicatorOptions& options,
                                            RunControl& control);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int worldSize() const { return worldSize_; }
  const NcclLibrary& library() const { return *library_; }
  bool isOpen() const { return comm_ != nullptr; }

  // A group of operations, the same on all ranks and in the same order. endGroup() returns when NCCL has put
  // all of them on their streams.
  void beginGroup();
  void endGroup();
  // In place: root's bytes replace every other rank's.
  void broadcast(void* data, uint64_t bytes, int root, NcclStream stream);
  // In place: rank r's bytes are at r * bytesOfOne.
  void allGather(void* data, uint64_t bytesOfOne, NcclStream stream);
  // Throws kNccl when something has gone wrong since (a peer that died). Cheap: for loops that wait for a
  // stream.
  void poll();

  // While one of these lives, close() is refused: its streams hold operations of the communicator.
  class Use {
   public:
    explicit Use(Communicator& communicator) : communicator_(communicator) { ++communicator_.users_; }
    ~Use() { --communicator_.users_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Communicator& communicator_;
  };

  // Collective, orderly, idempotent: finalise, wait, destroy. Throws kState while in use. Where a rank does
  // not come by the deadline, the communicator is aborted and kTimeout thrown.
  void close(int64_t deadlineNs);
  // At once, not collective, idempotent: kernels that wait for peers end. Streams may hold its operations.
  void giveUp();

 private:
  Communicator(std::shared_ptr<const NcclLibrary> library, int rank, int worldSize, RunControl& control)
      : library_(std::move(library)), control_(control), rank_(rank), worldSize_(worldSize) {}

  const NcclCalls& calls() const { return library_->calls(); }
  void requireOpen() const;
  // Aborts and throws unless `result` is success or in progress.
  void accept(const char* call, int result);
  // Until the communicator is no longer "in progress".
  void settle(const char* call, int64_t deadlineNs);
  [[noreturn]] void fail(const char* call, int result);

  std::shared_ptr<const NcclLibrary> library_;
  RunControl& control_;
  int rank_;
  int worldSize_;
  NcclComm comm_ = nullptr;
  bool inGroup_ = false;
  std::atomic<int> users_{0};
};

}  // namespace railrunner
