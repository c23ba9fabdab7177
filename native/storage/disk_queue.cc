#include "storage/disk_queue.h"

#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "storage/disk_threads.h"

namespace railrunner {

namespace {

constexpr long kCollectWaitNs = 50'000'000;

uint64_t bufferBytes(uint32_t depth, uint32_t requestBytes) {
  if (depth == 0 || depth > 4096 || requestBytes == 0 || requestBytes % DiskFile::kIoAlignmentBytes != 0) {
    throw Error(ErrorCode::kArgument,
                "disk queue: expected a depth of 1 to 4096 and requests of a multiple of 4096 "
                "bytes, received depth " +
                    std::to_string(depth) + ", " + std::to_string(requestBytes) + " bytes");
  }
  return static_cast<uint64_t>(depth) * requestBytes;
}

}  // namespace

int transferRest(int descriptor, const DiskOperation& operation, uint32_t done) {
  while (done < operation.bytes) {
    uint32_t skip = done;
    uint32_t index = 0;
    while (skip >= operation.vectors[index].iov_len)
      skip -= static_cast<uint32_t>(operation.vectors[index++].iov_len);
    iovec part[16];
    uint32_t parts = 0;
    for (; parts < 16 && index < operation.numVectors; ++parts, ++index) {
      part[parts] = {static_cast<char*>(operation.vectors[index].iov_base) + skip,
                     operation.vectors[index].iov_len - skip};
      skip = 0;
    }
    const auto offset = static_cast<off_t>(operation.offset + done);
    const auto count = static_cast<int>(parts);
    const ssize_t moved =
        operation.write ? pwritev(descriptor, part, count, offset) : preadv(descriptor, part, count, offset);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return errno;
    if (moved == 0) return operation.write ? ENOSPC : EIO;
    done += static_cast<uint32_t>(moved);
  }
  return 0;
}

DiskQueue::DiskQueue(const DiskFile& file, uint32_t depth, uint32_t requestBytes, DiskEngine engine)
    : file_(file),
      depth_(depth),
      requestBytes_(requestBytes),
      buffers_(bufferBytes(depth, requestBytes)),
      operations_(depth),
      slotVectors_(depth) {
  // Touched now: no measured request pays for the first fault of a buffer.
  std::memset(buffers_.data(), 0, buffers_.bytes());
  if (engine != DiskEngine::kThreads && openRing()) return;
  if (engine == DiskEngine::kUring)
    throw Error(ErrorCode::kUnsupportedHere, "io_uring is refused on this machine");
  threads_ = std::make_unique<DiskThreads>(file_.descriptor(), depth_);
}

DiskQueue::~DiskQueue() {
  if (ring_) io_uring_queue_exit(ring_.get());
}

bool DiskQueue::openRing() {
  auto ring = std::make_unique<io_uring>();
  io_uring_params params{};
  params.flags = IORING_SETUP_CLAMP;
  if (io_uring_queue_init_params(depth_, ring.get(), &params) != 0) return false;
  const int descriptor = file_.descriptor();
  if (io_uring_register_files(ring.get(), &descriptor, 1) != 0) {
    io_uring_queue_exit(ring.get());
    return false;
  }
  std::vector<iovec> slots(depth_);
  for (uint32_t slot = 0; slot < depth_; ++slot) slots[slot] = {slotBuffer(slot), requestBytes_};
  // Refused where the locked-memory limit is small: requests then pin their pages one by one.
  buffersRegistered_ = io_uring_register_buffers(ring.get(), slots.data(), depth_) == 0;
  ring_ = std::move(ring);
  return true;
}

std::string DiskQueue::describe() const {
  return std::string(ring_ ? "io_uring" : "threads") + (file_.direct() ? "+O_DIRECT" : " buffered") +
         " qd=" + std::to_string(depth_);
}

void DiskQueue::start(uint32_t slot, const DiskOperation& operation) {
  operations_[slot] = operation;
  DiskOperation& own = operations_[slot];
  if (own.vectors == nullptr) {
    slotVectors_[slot] = {slotBuffer(slot), own.bytes};
    own.vectors = &slotVectors_[slot];
    own.numVectors = 1;
  }
  ++underWay_;
  if (ring_) {
    startOnRing(slot);
  } else {
    threads_->start(slot, own);
  }
}

void DiskQueue::startOnRing(uint32_t slot) {
  const DiskOperation& operation = operations_[slot];
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  if (entry == nullptr) {  // the ring was clamped below depth: hand over what it holds and go on
    io_uring_submit(ring_.get());
    entry = io_uring_get_sqe(ring_.get());
  }
  const bool ownBuffer = operation.vectors == &slotVectors_[slot];
  if (ownBuffer && buffersRegistered_) {
    if (operation.write) {
      io_uring_prep_write_fixed(entry, 0, slotBuffer(slot), operation.bytes, operation.offset,
                                static_cast<int>(slot));
    } else {
      io_uring_prep_read_fixed(entry, 0, slotBuffer(slot), operation.bytes, operation.offset,
                               static_cast<int>(slot));
    }
  } else if (operation.numVectors == 1) {
    void* base = operation.vectors[0].iov_base;
    if (operation.write) {
      io_uring_prep_write(entry, 0, base, operation.bytes, operation.offset);
    } else {
      io_uring_prep_read(entry, 0, base, operation.bytes, operation.offset);
    }
  } else if (operation.write) {
    io_uring_prep_writev(entry, 0, operation.vectors, operation.numVectors, operation.offset);
  } else {
    io_uring_prep_readv(entry, 0, operation.vectors, operation.numVectors, operation.offset);
  }
  io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(entry, slot);
}

uint32_t DiskQueue::reapRing(DiskCompletion* completions) {
  uint32_t count = 0;
  io_uring_cqe* entry = nullptr;
  while (count < depth_ && io_uring_peek_cqe(ring_.get(), &entry) == 0) {
    const auto slot = static_cast<uint32_t>(io_uring_cqe_get_data64(entry));
    const int result = entry->res;
    io_uring_cqe_seen(ring_.get(), entry);
    int error = result < 0 ? -result : 0;
    const bool retry = error == EAGAIN || error == EINTR;
    if (retry || (error == 0 && static_cast<uint32_t>(result) < operations_[slot].bytes)) {
      error = transferRest(file_.descriptor(), operations_[slot], retry ? 0 : static_cast<uint32_t>(result));
    }
    completions[count++] = {slot, error};
  }
  return count;
}

uint32_t DiskQueue::poll(DiskCompletion* completions) {
  uint32_t count = 0;
  if (ring_) {
    if (io_uring_sq_ready(ring_.get()) > 0) io_uring_submit(ring_.get());
    count = reapRing(completions);
  } else {
    count = threads_->collect(completions, 0);
  }
  underWay_ -= count;
  return count;
}

uint32_t DiskQueue::collect(DiskCompletion* completions) {
  if (underWay_ == 0) return 0;
  uint32_t count = 0;
  if (ring_) {
    io_uring_cqe* entry = nullptr;
    __kernel_timespec wait{0, kCollectWaitNs};
    io_uring_submit_and_wait_timeout(ring_.get(), &entry, 1, &wait, nullptr);
    count = reapRing(completions);
  } else {
    count = threads_->collect(completions, kCollectWaitNs);
  }
  underWay_ -= count;
  return count;
}

}  // namespace railrunner
