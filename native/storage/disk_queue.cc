#include "storage/disk_queue.h"

#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "storage/disk_threads.h"

namespace railrunner {

namespace {

constexpr long kCollectWaitNs = 50'000'000;
constexpr uint64_t kMaxRegisteredBytes = 1ULL << 30;  // of one buffer: a limit of io_uring

uint64_t bufferBytes(uint32_t depth, uint32_t requestBytes) {
  if (depth == 0 || depth > 4096 || requestBytes == 0 || requestBytes % DiskFile::kIoAlignmentBytes != 0) {
    throw Error(ErrorCode::kArgument,
                "disk queue: expected a depth of 1 to 4096 and requests of a multiple of 4096 "
                "bytes, received depth " +
                    std::to_string(depth) + ", " + std::to_string(requestBytes) + " bytes");
  }
  return static_cast<uint64_t>(depth) * requestBytes;
}

std::string lockedMemoryLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / 1024) + " KiB";
}

// Seen on Linux 6.18: an ordinary user whose locked-memory limit is too small gets ENOMEM, root does not.
// EPERM is kernel.io_uring_disabled or a seccomp filter, ENOSYS a kernel without io_uring or such a filter.
std::string ringRefusalText(const std::string& what, int error) {
  std::string text = what + ": errno " + std::to_string(error) + " (" + std::strerror(error) + ")";
  if (error == ENOMEM) text += ", the locked-memory limit (ulimit -l) is " + lockedMemoryLimit();
  if (error == EPERM) text += ", kernel.io_uring_disabled or a seccomp filter forbids it";
  if (error == ENOSYS) text += ", the kernel or a seccomp filter offers none";
  return text;
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
      slotVectors_(depth),
      occupied_(depth),
      drained_(depth) {
  // Touched now: no measured request pays for the first fault of a buffer.
  std::memset(buffers_.data(), 0, buffers_.bytes());
  if (engine != DiskEngine::kThreads && openRing()) return;
  if (engine == DiskEngine::kUring)
    throw Error(ErrorCode::kUnsupportedHere, "io_uring is refused on this machine: " + ringRefusal_);
  threads_ = std::make_unique<DiskThreads>(file_.descriptor(), depth_);
}

DiskQueue::~DiskQueue() {
  if (ring_) io_uring_queue_exit(ring_.get());
}

bool DiskQueue::openRing() {
  auto ring = std::make_unique<io_uring>();
  io_uring_params params{};
  params.flags = IORING_SETUP_CLAMP;
  int result = io_uring_queue_init_params(depth_, ring.get(), &params);
  if (result != 0) {
    ringRefusal_ = ringRefusalText("a ring of " + std::to_string(depth_) + " requests", -result);
    return false;
  }
  const int descriptor = file_.descriptor();
  result = io_uring_register_files(ring.get(), &descriptor, 1);
  if (result != 0) {
    ringRefusal_ = ringRefusalText("registering the file", -result);
    io_uring_queue_exit(ring.get());
    return false;
  }
  ring_ = std::move(ring);
  registerBuffers(nullptr, 0);
  return true;
}

// The slots' buffers, then `bytes` at base; without the latter where they are refused together. Refused
// altogether where the locked-memory limit is small: requests then pin their pages one by one.
void DiskQueue::registerBuffers(std::byte* base, uint64_t bytes) {
  if (buffersRegistered_) io_uring_unregister_buffers(ring_.get());
  std::vector<iovec> buffers;
  for (uint32_t slot = 0; slot < depth_; ++slot) buffers.push_back({slotBuffer(slot), requestBytes_});
  for (uint64_t done = 0; done < bytes; done += kMaxRegisteredBytes) {
    buffers.push_back({base + done, std::min(kMaxRegisteredBytes, bytes - done)});
  }
  const auto count = static_cast<unsigned>(buffers.size());
  buffersRegistered_ = io_uring_register_buffers(ring_.get(), buffers.data(), count) == 0;
  memory_ = buffersRegistered_ ? base : nullptr;
  memoryBytes_ = buffersRegistered_ ? bytes : 0;
  if (!buffersRegistered_ && bytes > 0) registerBuffers(nullptr, 0);
}

void DiskQueue::useMemory(std::byte* base, uint64_t bytes) {
  if (!ring_) return;
  if (memoryUsers_ == 0) registerBuffers(base, bytes);
  if (memory_ == base) ++memoryUsers_;
}

void DiskQueue::releaseMemory(const std::byte* base) {
  if (memoryUsers_ == 0 || base != memory_) return;
  if (--memoryUsers_ == 0) registerBuffers(nullptr, 0);
}

DiskMemoryUse::DiskMemoryUse(DiskQueue& queue, std::byte* base, uint64_t bytes)
    : queue_(queue.weak_from_this()), base_(base) {
  queue.useMemory(base, bytes);
}

DiskMemoryUse::~DiskMemoryUse() {
  if (const auto queue = queue_.lock()) queue->releaseMemory(base_);
}

// Of the registered buffer that holds all of the operation's bytes; -1 where there is none.
int DiskQueue::registeredIndex(uint32_t slot, const DiskOperation& operation) const {
  if (!buffersRegistered_ || operation.numVectors != 1) return -1;
  if (operation.vectors == &slotVectors_[slot]) return static_cast<int>(slot);
  const auto address = reinterpret_cast<uintptr_t>(operation.vectors[0].iov_base);
  const auto first = reinterpret_cast<uintptr_t>(memory_);
  if (address < first || address - first + operation.bytes > memoryBytes_) return -1;
  const uint64_t part = (address - first) / kMaxRegisteredBytes;
  if ((address - first + operation.bytes - 1) / kMaxRegisteredBytes != part) return -1;
  return static_cast<int>(depth_ + part);
}

std::string DiskQueue::describe() const {
  const DirectIo direct = file_.directIo().kind;
  const char* path = direct == DirectIo::kDirect        ? "+O_DIRECT"
                     : direct == DirectIo::kUnconfirmed ? "+O_DIRECT (unconfirmed)"
                                                        : " buffered";
  return std::string(ring_ ? "io_uring" : "threads") + path + " qd=" + std::to_string(depth_);
}

void DiskQueue::start(uint32_t slot, const DiskOperation& operation) {
  // The completion of an older request would be taken for this one's, and its memory be read too early.
  if (slot >= depth_ || occupied_[slot] != 0) {
    throw Error(ErrorCode::kState, "disk queue: slot " + std::to_string(slot) + " of " +
                                       std::to_string(depth_) +
                                       (slot >= depth_ ? " is not there" : " has a request in flight"));
  }
  operations_[slot] = operation;
  DiskOperation& own = operations_[slot];
  if (own.vectors == nullptr) {
    slotVectors_[slot] = {slotBuffer(slot), own.bytes};
    own.vectors = &slotVectors_[slot];
    own.numVectors = 1;
  }
  if (ring_) {
    startOnRing(slot);
  } else {
    threads_->start(slot, own);
  }
  occupied_[slot] = 1;
  ++underWay_;
}

void DiskQueue::startOnRing(uint32_t slot) {
  const DiskOperation& operation = operations_[slot];
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  if (entry == nullptr) {  // the ring was clamped below depth: hand over what it holds and go on
    io_uring_submit(ring_.get());
    entry = io_uring_get_sqe(ring_.get());
    if (entry == nullptr) throw errnoError(ErrorCode::kIo, "submit to io_uring for " + file_.path(), EBUSY);
  }
  const int registered = registeredIndex(slot, operation);
  if (registered >= 0) {
    void* base = operation.vectors[0].iov_base;
    if (operation.write) {
      io_uring_prep_write_fixed(entry, 0, base, operation.bytes, operation.offset, registered);
    } else {
      io_uring_prep_read_fixed(entry, 0, base, operation.bytes, operation.offset, registered);
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

uint32_t DiskQueue::handOut(const DiskCompletion* completions, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) occupied_[completions[i].slot] = 0;
  underWay_ -= count;
  return count;
}

void DiskQueue::drain() noexcept {
  while (underWay_ > 0) collect(drained_.data());
}

void DiskQueue::submit() {
  if (ring_ && io_uring_sq_ready(ring_.get()) > 0) io_uring_submit(ring_.get());
}

uint32_t DiskQueue::poll(DiskCompletion* completions) {
  uint32_t count = 0;
  if (ring_) {
    submit();
    count = reapRing(completions);
  } else {
    count = threads_->collect(completions, 0);
  }
  return handOut(completions, count);
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
  return handOut(completions, count);
}

}  // namespace railrunner
