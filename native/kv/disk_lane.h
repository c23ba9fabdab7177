#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/run_control.h"
#include "kv/disk_plan.h"
#include "kv/pool_content.h"
#include "kv/transfer.h"
#include "storage/disk_queue.h"

namespace railrunner {

// How bytes get between a slot's buffer and the memory pool where a request cannot go straight to it. A Hop
// offers
//   void gather(uint32_t slot, std::byte* buffer, const DiskPiece* pieces, uint32_t count)   pool -> buffer
//   void scatter(uint32_t slot, const std::byte* buffer, const DiskPiece* pieces, uint32_t count)
//   bool finished(uint32_t slot)   polled until true; a hop that copies at once is always finished
//   static constexpr bool kCrossesHostLink    true where the pool is on the other side of a GPU's link
//   static constexpr bool kCopiesAtOnce       true where gather and scatter return when the bytes are there
//   void waitAll() noexcept        returns when no hop is in flight any more; called before an error is
//                                  reported, so its own errors have nowhere to go
class CpuHop {
 public:
  static constexpr bool kCrossesHostLink = false;
  static constexpr bool kCopiesAtOnce = true;
  explicit CpuHop(std::byte* memory) : memory_(memory) {}
  void gather(uint32_t, std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      std::memcpy(buffer + pieces[i].requestOffset, memory_ + pieces[i].memoryOffset, pieces[i].bytes);
    }
  }
  void scatter(uint32_t, const std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      std::memcpy(memory_ + pieces[i].memoryOffset, buffer + pieces[i].requestOffset, pieces[i].bytes);
    }
  }
  bool finished(uint32_t) const { return true; }
  void waitAll() noexcept {}

 private:
  std::byte* memory_;
};

// A bare loop of the same requests: same offsets, lengths and depth, from and to the same memory where they
// go straight to it, else the slots' buffers; no batches, no gathering.
class DiskProbe {
 public:
  // `vectors`: the memory of each piece of the plan.
  DiskProbe(DiskQueue& queue, const DiskPlan& plan, const iovec* vectors, bool write);
  void beforeSample(uint32_t, bool) {}
  double run();
  uint64_t bytes() const { return bytes_; }

 private:
  void loop();
  DiskQueue& queue_;
  const DiskPlan& plan_;
  const iovec* vectors_;
  bool write_;
  uint64_t bytes_ = 0;
  std::vector<DiskCompletion> completions_;
  std::vector<uint32_t> freeSlots_;
};

// The operation of a request; `vectors` as for DiskProbe.
inline DiskOperation diskOperation(const DiskRequest& request, const iovec* vectors, bool write) {
  if (!request.direct) return {write, request.fileOffset, request.bytes, nullptr, 0};
  return {write, request.fileOffset, request.bytes, vectors + request.pieceBegin,
          request.pieceEnd - request.pieceBegin};
}

Error diskError(const DiskQueue& queue, bool write, const DiskRequest& request, int error);

// One direction between a memory pool and a file: requests of a plan in order, up to the queue's depth and up
// to maxConcurrentTransfers batches in flight. The same loop for every device; only the hop differs.
template <class Hop>
class DiskLane {
 public:
  using Probe = DiskProbe;

  DiskLane(LaneRequest request, DiskPlan plan, DiskQueue& queue, uint32_t maxConcurrentTransfers, Hop hop,
           uint64_t poisonSalt, Strategy strategyUsed)
      : request_(std::move(request)),
        plan_(std::move(plan)),
        queue_(queue),
        maxConcurrentTransfers_(maxConcurrentTransfers),
        hop_(std::move(hop)),
        poisonSalt_(poisonSalt),
        strategyUsed_(strategyUsed),
        write_(request_.target->tier() == Tier::kDisk),
        slots_(queue.depth()),
        completions_(queue.depth()),
        requestsLeft_(plan_.batchEnds.size()) {
    freeSlots_.reserve(slots_.size());
    hopping_.reserve(slots_.size());
    std::byte* memory = (write_ ? request_.source : request_.target)->memory();
    vectors_.reserve(plan_.pieces.size());
    for (const DiskPiece& piece : plan_.pieces)
      vectors_.push_back({memory + piece.memoryOffset, piece.bytes});
    const auto isDirect = [](const DiskRequest& each) { return each.direct; };
    if (std::any_of(plan_.requests.begin(), plan_.requests.end(), isDirect)) {
      const BlockPool& pool = write_ ? *request_.source : *request_.target;
      memoryUse_ = std::make_unique<DiskMemoryUse>(queue_, memory, pool.layout().totalBytes);
    }
  }

  void tune(RunControl&) {}
  void poisonTargets(const RunControl& control) { request_.target->poison(request_.targetIds, control); }
  // Blocks that were reserved and never written are read without the disk, and their first write costs the file system
  // more than later ones, of which a transfer consists.
  std::unique_ptr<Probe> makeProbe(const RunControl& control) const {
    if (write_) {
      request_.target->writeUnknown(request_.targetIds, control);
    } else {
      request_.source->writeUnknown(request_.sourceIds, control);
    }
    return std::make_unique<Probe>(queue_, plan_, vectors_.data(), write_);
  }

  LaneFacts facts() const {
    LaneFacts facts;
    facts.from = request_.source->tier();
    facts.to = request_.target->tier();
    facts.bytes.payload = plan_.payloadBytes;
    facts.numRegions = plan_.numRegions;
    facts.numCopies = plan_.requests.size();
    facts.bytes.disk = plan_.diskBytes;
    facts.strategyUsed = strategyUsed_;
    facts.bytes.pcie = Hop::kCrossesHostLink ? plan_.payloadBytes : 0;
    facts.diskIo = queue_.describe();
    return facts;
  }

  // Nothing is in flight when it returns or throws, whatever was thrown: a late request would land in the next
  // point, and its completion be taken for one of that point's.
  void execute(RunControl& control) {
    try {
      run(control);
    } catch (...) {
      drain();
      throw;
    }
  }

 private:
  enum class Step : uint8_t { kReadFirst, kGather, kWrite, kRead, kScatter };
  struct Slot {
    uint32_t request = 0;
    uint32_t batch = 0;
    Step step = Step::kRead;
  };

  void run(RunControl& control) {
    restart();
    const auto count = static_cast<uint32_t>(plan_.requests.size());
    while (finished_ < count && firstError_ == 0) {
      if (control.abort.load(std::memory_order_relaxed) != 0)
        throw Error(ErrorCode::kAborted, "stopped during disk requests");
      while (canBegin()) begin();
      advanceHops();
      const uint32_t done = hopping_.empty() && queue_.inFlight() > 0 ? queue_.collect(completions_.data())
                                                                      : queue_.poll(completions_.data());
      for (uint32_t i = 0; i < done; ++i) completed(completions_[i]);
    }
    if (firstError_ != 0)
      throw diskError(queue_, write_ && !failedReading_, plan_.requests[failedRequest_], firstError_);
    if (issuedBytes_ != plan_.diskBytes) {
      throw Error(ErrorCode::kState, "disk requests of " + std::to_string(issuedBytes_) +
                                         " bytes were issued, the plan says " +
                                         std::to_string(plan_.diskBytes));
    }
  }

  void restart() {
    freeSlots_.clear();
    for (uint32_t slot = queue_.depth(); slot-- > 0;) freeSlots_.push_back(slot);
    hopping_.clear();
    uint32_t begin = 0;
    for (size_t batch = 0; batch < plan_.batchEnds.size(); ++batch) {
      requestsLeft_[batch] = plan_.batchEnds[batch] - begin;
      begin = plan_.batchEnds[batch];
    }
    next_ = finished_ = batchOf_ = batchesDone_ = 0;
    issuedBytes_ = 0;
    firstError_ = 0;
  }

  bool canBegin() const {
    return next_ < plan_.requests.size() && !freeSlots_.empty() && firstError_ == 0 &&
           batchOf_ < batchesDone_ + maxConcurrentTransfers_;
  }

  void begin() {
    const uint32_t slot = freeSlots_.back();
    freeSlots_.pop_back();
    slots_[slot] = {next_, batchOf_, Step::kRead};
    const DiskRequest& request = plan_.requests[next_++];
    while (batchOf_ < plan_.batchEnds.size() && next_ == plan_.batchEnds[batchOf_]) ++batchOf_;
    if (!write_) {
      startDisk(slot, Step::kRead);
    } else if (request.readFirst) {
      startDisk(slot, Step::kReadFirst);
    } else if (request.direct) {
      startDisk(slot, Step::kWrite);
    } else {
      startGather(slot);
    }
  }

  void startDisk(uint32_t slot, Step step) {
    slots_[slot].step = step;
    const DiskRequest& request = plan_.requests[slots_[slot].request];
    issuedBytes_ += request.bytes;
    queue_.start(slot, diskOperation(request, vectors_.data(), step == Step::kWrite));
  }

  void startGather(uint32_t slot) {
    slots_[slot].step = Step::kGather;
    const DiskRequest& request = plan_.requests[slots_[slot].request];
    hop_.gather(slot, queue_.slotBuffer(slot), plan_.pieces.data() + request.pieceBegin,
                request.pieceEnd - request.pieceBegin);
    // Padding of an extent goes to disk with its last sector: it keeps the pool's poison. Behind readFirst
    // the buffer holds what the file held.
    if (!request.readFirst) {
      writePoison(queue_.slotBuffer(slot) + request.payloadEnd, request.bytes - request.payloadEnd,
                  poisonSalt_);
    }
    if constexpr (Hop::kCopiesAtOnce) {
      // The next copy may take as long as a request: this one goes to the disk first.
      startDisk(slot, Step::kWrite);
      queue_.submit();
    } else {
      hopping_.push_back(slot);
    }
  }

  void advanceHops() {
    for (size_t i = 0; i < hopping_.size();) {
      const uint32_t slot = hopping_[i];
      if (!hop_.finished(slot)) {
        ++i;
        continue;
      }
      hopping_[i] = hopping_.back();
      hopping_.pop_back();
      if (slots_[slot].step == Step::kGather) {
        startDisk(slot, Step::kWrite);
      } else {
        release(slot);
      }
    }
  }

  void completed(const DiskCompletion& completion) {
    Slot& slot = slots_[completion.slot];
    const DiskRequest& request = plan_.requests[slot.request];
    if (completion.error != 0) {
      if (firstError_ == 0) {
        firstError_ = completion.error;
        failedRequest_ = slot.request;
        failedReading_ = slot.step != Step::kWrite;
      }
      return;
    }
    if (slot.step == Step::kReadFirst) {
      startGather(completion.slot);
    } else if (slot.step == Step::kRead && !request.direct) {
      slot.step = Step::kScatter;
      hop_.scatter(completion.slot, queue_.slotBuffer(completion.slot),
                   plan_.pieces.data() + request.pieceBegin, request.pieceEnd - request.pieceBegin);
      if constexpr (Hop::kCopiesAtOnce) {
        // As behind a gather: the disk has its next request before the next copy begins.
        release(completion.slot);
        while (canBegin()) begin();
        queue_.submit();
      } else if (hop_.finished(completion.slot)) {
        release(completion.slot);
      } else {
        hopping_.push_back(completion.slot);
      }
    } else {
      release(completion.slot);
    }
  }

  void release(uint32_t slot) {
    freeSlots_.push_back(slot);
    ++finished_;
    --requestsLeft_[slots_[slot].batch];
    while (batchesDone_ < requestsLeft_.size() && requestsLeft_[batchesDone_] == 0) ++batchesDone_;
  }

  void drain() noexcept {
    queue_.drain();
    hop_.waitAll();
    hopping_.clear();
  }

  LaneRequest request_;
  DiskPlan plan_;
  DiskQueue& queue_;
  uint32_t maxConcurrentTransfers_;
  Hop hop_;
  uint64_t poisonSalt_;
  Strategy strategyUsed_;
  bool write_;
  std::vector<iovec> vectors_;                // by piece
  std::unique_ptr<DiskMemoryUse> memoryUse_;  // where requests go straight to the memory pool
  std::vector<Slot> slots_;
  std::vector<DiskCompletion> completions_;
  std::vector<uint32_t> requestsLeft_;  // by batch
  std::vector<uint32_t> freeSlots_;
  std::vector<uint32_t> hopping_;
  uint32_t next_ = 0;
  uint32_t finished_ = 0;
  uint32_t batchOf_ = 0;  // batch of request next_
  uint32_t batchesDone_ = 0;
  uint64_t issuedBytes_ = 0;
  int firstError_ = 0;
  uint32_t failedRequest_ = 0;
  bool failedReading_ = false;
};

}  // namespace railrunner
