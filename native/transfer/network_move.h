#pragma once

#include <memory>

#include "core/run_control.h"
#include "transfer/bounce_plan.h"
#include "transfer/copy_task.h"
#include "transfer/notice_board.h"

// One move over the network, as either end carries it out. Where a side's memory is not the network's, it goes through a
// bounce buffer there.
namespace railrunner {

// Two groups of pinned memory, and the copies between them and the pool.
struct Bounce {
  BouncePlan plan;
  std::byte* base = nullptr;
  std::unique_ptr<CopyTask> copies;  // fills, or drains: a chunk at a time
};

// How many sends of one rank, by one thread, are in flight at once.
class SendTurns {
 public:
  explicit SendTurns(uint32_t most) : free_(most) {}
  bool take() {
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  void giveBack() { ++free_; }

 private:
  uint32_t free_;
};

struct NetworkSend {
  uint32_t peer = 0;
  uint32_t region = 0;
  std::shared_ptr<const CopyPlan> plan;
  const std::byte* source = nullptr;    // the pool; null if `fill` is in between
  std::unique_ptr<Bounce> fill;         // the next group fills while this one is sent
  std::unique_ptr<BouncePlan> landing;  // the peer's bounce buffer; null: into its pool
  uint64_t landingOffset = 0;           // of the buffer, in the region
  uint32_t slot = 0;  // of puts into a pool; where it is kArrived's, the arrival is posted behind them
  std::shared_ptr<SendTurns> turns;
};

// Sends within poll(), as much as the network takes at once, so that the thread that waits for a transfer is the one that
// sends and receives: a thread of its own for sending meets it at the worker's lock, and on two cores both ends of a stream
// and that thread share them. `epoch` is read when it starts. Throws kAborted, kNetwork.
std::unique_ptr<CopyTask> makeSendTask(NetworkSend send, NoticeBoard& board, RunControl& control,
                                       const uint64_t& epoch);

// Takes chunks out of this rank's bounce buffer into its pool, as they come.
class NetworkDrain {
 public:
  NetworkDrain(uint32_t peer, std::unique_ptr<Bounce> bounce) : peer_(peer), bounce_(std::move(bounce)) {}

  void begin(uint64_t epoch) {
    epoch_ = epoch;
    next_ = 0;
    isRunning_ = false;
  }
  // A chunk has come that is not in the pool yet.
  bool hasChunk(const NoticeBoard& board) const {
    return !isEnded() && board.has(Notice::kChunk, peer_, chunkNumber(epoch_, next_));
  }
  // Goes as far as it can now; true where it came further.
  bool advance(NoticeBoard& board);
  bool isEnded() const { return next_ == bounce_->plan.chunks.size(); }
  void drain() noexcept {
    if (isRunning_) bounce_->copies->drain();
    isRunning_ = false;
  }

 private:
  const uint32_t peer_;
  std::unique_ptr<Bounce> bounce_;
  uint64_t epoch_ = 0;
  uint32_t next_ = 0;
  bool isRunning_ = false;
};

}  // namespace railrunner
