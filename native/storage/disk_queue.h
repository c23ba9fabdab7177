#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/disk_file.h"

struct io_uring;

namespace railrunner {

class DiskThreads;

enum class DiskEngine { kAuto, kUring, kThreads };

// One read or write of a file range. `vectors` null: between the file and the slot's own buffer.
struct DiskOperation {
  bool write = false;
  uint64_t offset = 0;
  uint32_t bytes = 0;
  const iovec* vectors = nullptr;
  uint32_t numVectors = 0;
};

struct DiskCompletion {
  uint32_t slot;
  int error;  // 0, or an errno
};

// Up to `depth` requests of one file in flight at a time, each in a slot with a buffer of `requestBytes`. By
// io_uring with the file and the slots' buffers registered where that is allowed; by threads with preadv and
// pwritev where io_uring is refused (seccomp of containers, kernel.io_uring_disabled). Used by one thread.
class DiskQueue : public std::enable_shared_from_this<DiskQueue> {
 public:
  DiskQueue(const DiskFile& file, uint32_t depth, uint32_t requestBytes, DiskEngine engine);
  ~DiskQueue();
  DiskQueue(const DiskQueue&) = delete;
  DiskQueue& operator=(const DiskQueue&) = delete;

  uint32_t depth() const { return depth_; }
  uint32_t requestBytes() const { return requestBytes_; }
  const DiskFile& file() const { return file_; }
  std::byte* slotBuffer(uint32_t slot) const {
    return buffers_.data() + static_cast<uint64_t>(slot) * requestBytes_;
  }
  // For the disk_io column: "io_uring+O_DIRECT qd=32", "threads buffered qd=32", and "O_DIRECT (unconfirmed)"
  // where the file system does not say whether it does what it was asked.
  std::string describe() const;
  // Why threads do the work though io_uring was wanted, with what the kernel answered; "" otherwise.
  const std::string& ringRefusal() const { return ringRefusal_; }

  // Starts a request in a slot that has none; a slot with one is refused (kState). It may wait for the next
  // collect() to reach the kernel.
  void start(uint32_t slot, const DiskOperation& operation);
  // Hands over what was started, and returns at once.
  void submit();
  // Hands over what was started and waits up to 50 ms for at least one completion; returns how many were
  // written to `completions` (at least depth entries). Short transfers are finished before they are reported.
  uint32_t collect(DiskCompletion* completions);
  // As collect, but returns at once.
  uint32_t poll(DiskCompletion* completions);
  uint32_t inFlight() const { return underWay_; }
  // Returns when nothing is in flight; what was is neither reported nor, where it failed, told.
  void drain() noexcept;

 private:
  bool openRing();
  uint32_t handOut(const DiskCompletion* completions, uint32_t count);
  friend class DiskMemoryUse;
  void useMemory(std::byte* base, uint64_t bytes);
  void releaseMemory(const std::byte* base);
  void registerBuffers(std::byte* base, uint64_t bytes);
  int registeredIndex(uint32_t slot, const DiskOperation& operation) const;
  void startOnRing(uint32_t slot);
  uint32_t reapRing(DiskCompletion* completions);

  const DiskFile& file_;
  uint32_t depth_;
  uint32_t requestBytes_;
  AlignedBuffer buffers_;
  std::vector<DiskOperation> operations_;  // by slot
  std::vector<iovec> slotVectors_;         // by slot: its whole buffer, cut to the operation's length
  std::vector<uint8_t> occupied_;          // by slot: from start() until its completion is handed out
  std::vector<DiskCompletion> drained_;
  std::unique_ptr<io_uring> ring_;
  std::string ringRefusal_;
  bool buffersRegistered_ = false;
  std::byte* memory_ = nullptr;  // registered behind the slots' buffers, in parts
  uint64_t memoryBytes_ = 0;
  uint32_t memoryUsers_ = 0;
  std::unique_ptr<DiskThreads> threads_;
  uint32_t underWay_ = 0;
};

// While it lives, requests of the queue with one vector inside this memory need not pin its pages each time:
// they are pinned once (on a virtual disk reads of 1 MiB are 1.16 times faster for it). A queue knows one
// such memory at a time; another one, or one that the kernel refuses (locked-memory limit), is used all the
// same and pinned request by request. Made and ended while no request is in flight; may outlive the queue.
class DiskMemoryUse {
 public:
  DiskMemoryUse(DiskQueue& queue, std::byte* base, uint64_t bytes);
  ~DiskMemoryUse();
  DiskMemoryUse(const DiskMemoryUse&) = delete;
  DiskMemoryUse& operator=(const DiskMemoryUse&) = delete;

 private:
  std::weak_ptr<DiskQueue> queue_;
  const std::byte* base_;
};

// Transfers the rest of a range of iovecs from byte `done` on, synchronously; 0 or an errno.
int transferRest(int descriptor, const DiskOperation& operation, uint32_t done);

}  // namespace railrunner
