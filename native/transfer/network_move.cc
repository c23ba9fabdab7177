#include "transfer/network_move.h"

#include "core/error.h"
#include "core/wait.h"

namespace railrunner {

namespace {

class Sending {
 public:
  Sending(NetworkSend& send, NoticeBoard& board, RunControl& control, uint64_t epoch)
      : send_(send), board_(board), control_(control), epoch_(epoch) {}

  void run() {
    const BouncePlan* cut = send_.fill ? &send_.fill->plan : send_.landing.get();
    if (cut == nullptr) {
      putSpans(0, static_cast<uint32_t>(send_.plan->spans.size()), 0);
      return;
    }
    if (send_.fill) send_.fill->copies->start(0);
    for (uint32_t i = 0; i < cut->chunks.size(); ++i) sendChunk(*cut, i);
  }

 private:
  void sendChunk(const BouncePlan& cut, uint32_t i) {
    const BounceChunk& chunk = cut.chunks[i];
    if (send_.fill) {
      waitUntil([this] { return send_.fill->copies->poll(); }, control_, 0, "a bounce buffer to fill");
      // Its group was put when the chunk before this one went, and a put has taken its bytes when it returns.
      if (i + 1 < cut.chunks.size()) send_.fill->copies->start(i + 1);
    }
    if (send_.landing && i >= kBounceGroups) awaitCredit(i - kBounceGroups);
    if (send_.fill && send_.landing) {
      const uint64_t at = cut.offsets[chunk.firstSpan];
      put(send_.fill->base + at, send_.landingOffset + at, chunk.bytes, chunkNumber(epoch_, i));
    } else {
      putSpans(chunk.firstSpan, chunk.endSpan, i);
    }
    if (send_.landing) board_.post(Notice::kChunk, send_.peer, chunkNumber(epoch_, i));
  }

  void awaitCredit(uint32_t chunk) {
    const uint64_t number = chunkNumber(epoch_, chunk);
    waitUntil(
        [&] {
          board_.progress();
          if (board_.has(Notice::kCredit, send_.peer, number)) return true;
          board_.requireAll(epoch_);
          return false;
        },
        control_, 0, ("rank " + std::to_string(send_.peer) + " to empty its bounce buffer").c_str());
  }

  void putSpans(uint32_t first, uint32_t end, uint32_t chunk) {
    for (uint32_t i = first; i < end; ++i) {
      const CopySpan& span = send_.plan->spans[i];
      if (span.bytes == 0) continue;
      const std::byte* from =
          send_.fill ? send_.fill->base + send_.fill->plan.offsets[i] : send_.source + span.sourceOffset;
      if (send_.landing) {
        put(from, send_.landingOffset + send_.landing->offsets[i], span.bytes, chunkNumber(epoch_, chunk));
      } else {
        put(from, span.targetOffset, span.bytes, epoch_);
      }
    }
  }

  void put(const std::byte* from, uint64_t offset, uint64_t bytes, uint64_t number) {
    if (control_.abort.load(std::memory_order_relaxed) != 0)
      throw Error(ErrorCode::kAborted, "stopped while sending blocks");
    NetworkPut put;
    put.peer = send_.peer;
    put.slot = send_.landing ? NoticeBoard::slotOf(Notice::kChunk) : send_.slot;
    put.epoch = number;
    put.region = send_.region;
    put.offset = offset;
    put.data = from;
    put.bytes = bytes;
    board_.network()->put(put);
  }

  NetworkSend& send_;
  NoticeBoard& board_;
  RunControl& control_;
  const uint64_t epoch_;
};

}  // namespace

void sendOverNetwork(NetworkSend& send, NoticeBoard& board, RunControl& control, uint64_t epoch) {
  try {
    Sending(send, board, control, epoch).run();
  } catch (...) {
    if (send.fill) send.fill->copies->drain();
    throw;
  }
}

bool NetworkDrain::advance(NoticeBoard& board) {
  if (isRunning_) {
    if (!bounce_->copies->poll()) return false;
    isRunning_ = false;
    board.post(Notice::kCredit, peer_, chunkNumber(epoch_, next_));
    ++next_;
    return true;
  }
  if (!hasChunk(board)) return false;
  bounce_->copies->start(next_);
  isRunning_ = true;
  return true;
}

}  // namespace railrunner
