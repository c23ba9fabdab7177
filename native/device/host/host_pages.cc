#include "device/host/host_pages.h"

#include <sys/mman.h>

#include "core/error.h"
#include "device/host/memory_limit.h"
#include "device/host/numa.h"

namespace railrunner {

namespace {

bool places(int numaNode) { return numaNode >= 0 && numaNodes().size() > 1; }

// Page tables filled now, so that no measured copy pays for a first touch.
void populate(void* address, uint64_t bytes) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(address, bytes, MADV_POPULATE_WRITE) == 0) return;
#endif
  auto* page = static_cast<volatile char*>(address);
  for (uint64_t offset = 0; offset < bytes; offset += 4096) page[offset] = 0;
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
