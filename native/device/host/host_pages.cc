#include "device/host/host_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/error.h"
#include "core/threads.h"
#include "device/host/memory_limit.h"
#include "device/host/numa.h"

namespace railrunner {

namespace {

bool places(int numaNode) { return numaNode >= 0 && numaNodes().size() > 1; }

// The kernel clears pages by the thread that touches them, 5 to 10 GB/s each: a few threads share large memory.
constexpr uint64_t kShareBytes = 32ULL << 20;
constexpr uint32_t kMostThreads = 8;

void populateShare(std::byte* address, uint64_t bytes) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(address, bytes, MADV_POPULATE_WRITE) == 0) return;
#endif
  for (uint64_t offset = 0; offset < bytes; offset += 4096)
    *reinterpret_cast<volatile std::byte*>(address + offset) = std::byte{0};
}

// Page tables filled now, so that no measured copy pays for a first touch.
void populate(void* address, uint64_t bytes) {
  const uint64_t numShares = (bytes + kShareBytes - 1) / kShareBytes;
  std::atomic<uint64_t> next{0};
  const auto work = [&] {
    for (uint64_t share = next++; share < numShares; share = next++) {
      const uint64_t begin = share * kShareBytes;
      populateShare(static_cast<std::byte*>(address) + begin, std::min(kShareBytes, bytes - begin));
    }
  };
  const uint64_t most = std::min<uint64_t>({kMostThreads, std::thread::hardware_concurrency(), numShares});
  ThreadGroup helpers("threads that touch memory", [&] { next = numShares; });
  try {
    for (uint64_t i = 1; i < most; ++i) helpers.start(work);
  } catch (const Error&) {
    // Those that run, and this one, do it as well.
  }
  work();
  helpers.join();
}

}  // namespace

void requireMemory(uint64_t bytes, int numaNode, const std::string& what) {
  const MemoryRoom room = availableMemory();
  if (bytes > room.bytes) {
    throw Error(ErrorCode::kAllocation, what + ": " + std::to_string(bytes) + " bytes were asked for, " +
                                            std::to_string(room.bytes) + " are available (" + room.limit +
                                            "). Use smaller pools or fewer ranks on this host.");
  }
  requireRoomOnNode(bytes, numaNode, what);
}

void placePagesToCome(void* mapping, uint64_t bytes, int numaNode, const std::string& what) {
  madvise(mapping, bytes, MADV_HUGEPAGE);
  // Before the pages exist: the policy decides where they come from.
  if (places(numaNode)) placeOnNode(mapping, bytes, numaNode, NumaPolicy::kPreferred, what);
}

void touchAndBindPages(void* mapping, uint64_t bytes, int numaNode, const std::string& what) {
  populate(mapping, bytes);
  if (places(numaNode)) placeOnNode(mapping, bytes, numaNode, NumaPolicy::kBound, what);
}

}  // namespace railrunner
