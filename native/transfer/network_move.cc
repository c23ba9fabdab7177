#include "transfer/network_move.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner {

namespace {

// Puts of one poll: as much as the peer's progress brings in one, so that a rank that sends and receives alternates between both.
constexpr uint64_t kSliceBytes = 256U << 10;

class SendTask final : public CopyTask {
 public:
  SendTask(NetworkSend send, NoticeBoard& board, RunControl& control, const uint64_t& epoch)
      : send_(std::move(send)), board_(board), control_(control), epochOfRank_(epoch) {}
  ~SendTask() override { drain(); }

  void start(uint32_t) override {
    epoch_ = epochOfRank_;
    state_ = State::kAwaitsTurn;
    chunk_ = span_ = 0;
    isFilled_ = isOpen_ = false;
  }

  bool poll() override {
    came_ = false;
    if (state_ == State::kAwaitsTurn) {
      if (!send_.turns->take()) return false;
      state_ = State::kSends;
      if (send_.fill) send_.fill->copies->start(0);
    }
    if (state_ == State::kEnded) return true;
    if (control_.abort.load(std::memory_order_relaxed) != 0)
      throw Error(ErrorCode::kAborted, "stopped while sending blocks");
    left_ = kSliceBytes;
    const BouncePlan* cut = cutOf();
    if (cut == nullptr) {
      if (!putSpans(static_cast<uint32_t>(send_.plan->spans.size()))) return false;
    } else {
      while (chunk_ < cut->chunks.size()) {
        if (!sendChunk(*cut)) return false;
      }
    }
    if (!send_.landing) endArrival();
    end();
    return true;
  }
  bool cameFurther() const override { return came_; }

  void drain() noexcept override {
    if (send_.fill) send_.fill->copies->drain();
    end();
  }

 private:
  enum class State : uint32_t { kAwaitsTurn, kSends, kEnded };

  const BouncePlan* cutOf() const { return send_.fill ? &send_.fill->plan : send_.landing.get(); }

  // False: not to its end yet.
  bool sendChunk(const BouncePlan& cut) {
    const BounceChunk& chunk = cut.chunks[chunk_];
    if (!isOpen_) {
      if (!isFilled_ && send_.fill && !send_.fill->copies->poll()) return false;
      isFilled_ = true;
      if (send_.landing && chunk_ >= kBounceGroups &&
          !board_.has(Notice::kCredit, send_.peer, chunkNumber(epoch_, chunk_ - kBounceGroups)))
        return false;
      // Its group was put when the chunk before this one went, and a put has taken its bytes when it returns.
      if (send_.fill && chunk_ + 1 < cut.chunks.size()) send_.fill->copies->start(chunk_ + 1);
      isOpen_ = true;
      span_ = chunk.firstSpan;
    }
    if (send_.fill && send_.landing) {
      if (!hasRoom()) return false;
      const uint64_t at = cut.offsets[chunk.firstSpan];
      put(send_.fill->base + at, send_.landingOffset + at, chunk.bytes, chunkNumber(epoch_, chunk_));
    } else if (!putSpans(chunk.endSpan)) {
      return false;
    }
    if (send_.landing) board_.post(Notice::kChunk, send_.peer, chunkNumber(epoch_, chunk_));
    ++chunk_;
    isFilled_ = isOpen_ = false;
    return true;
  }

  bool putSpans(uint32_t end) {
    for (; span_ < end; ++span_) {
      const CopySpan& span = send_.plan->spans[span_];
      if (span.bytes == 0) continue;
      if (!hasRoom()) return false;
      const std::byte* from =
          send_.fill ? send_.fill->base + send_.fill->plan.offsets[span_] : send_.source + span.sourceOffset;
      if (send_.landing) {
        put(from, send_.landingOffset + send_.landing->offsets[span_], span.bytes,
            chunkNumber(epoch_, chunk_));
      } else {
        put(from, span.targetOffset, span.bytes, epoch_);
      }
    }
    return true;
  }

  bool hasRoom() { return left_ > 0 && board_.network()->hasRoom(send_.peer, slot()); }
  uint32_t slot() const { return send_.landing ? NoticeBoard::slotOf(Notice::kChunk) : send_.slot; }

  void put(const std::byte* from, uint64_t offset, uint64_t bytes, uint64_t number) {
    NetworkPut put;
    put.peer = send_.peer;
    put.slot = slot();
    put.epoch = number;
    put.region = send_.region;
    put.offset = offset;
    put.data = from;
    put.bytes = bytes;
    put.stays = !send_.fill;  // the pool: as it is until the peer has said that all of it arrived
    board_.network()->put(put);
    left_ -= std::min(left_, bytes);
    came_ = true;
  }

  void endArrival() {
    if (send_.slot == NoticeBoard::slotOf(Notice::kArrived)) {
      board_.post(Notice::kArrived, send_.peer, epoch_);
    } else {
      board_.network()->push(send_.peer);
    }
  }

  void end() noexcept {
    if (state_ == State::kSends) send_.turns->giveBack();
    state_ = State::kEnded;
  }

  NetworkSend send_;
  NoticeBoard& board_;
  RunControl& control_;
  const uint64_t& epochOfRank_;
  uint64_t epoch_ = 0;
  State state_ = State::kEnded;
  uint32_t chunk_ = 0;
  uint32_t span_ = 0;
  uint64_t left_ = 0;      // of the slice
  bool isFilled_ = false;  // the chunk is in its group
  bool isOpen_ = false;    // and may land
  bool came_ = false;
};

}  // namespace

std::unique_ptr<CopyTask> makeSendTask(NetworkSend send, NoticeBoard& board, RunControl& control,
                                       const uint64_t& epoch) {
  return std::make_unique<SendTask>(std::move(send), board, control, epoch);
}

bool NetworkDrain::advance(NoticeBoard& board) {
  if (isRunning_) {
    if (!bounce_->copies->poll()) return false;
    isRunning_ = false;
    // Only where the sender waits for it: one that nobody waits for may still be in flight when the next transfer's comes.
    if (next_ + kBounceGroups < bounce_->plan.chunks.size())
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
