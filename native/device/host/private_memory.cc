#include "device/host/private_memory.h"

#include <sys/mman.h>

#include <cerrno>

#include "core/checked.h"
#include "core/error.h"
#include "device/host/host_pages.h"

namespace railrunner {

namespace {

constexpr uint64_t kHugePageBytes = 2ULL << 20;

}  // namespace

std::unique_ptr<PrivateMemory> PrivateMemory::create(uint64_t bytes, int numaNode, const std::string& what) {
  if (bytes == 0)
    throw Error(ErrorCode::kArgument, what + ": memory of 0 bytes was asked for; expected at least 1");
  const uint64_t neededBytes = alignUp(bytes, 4096);
  requireMemory(neededBytes, numaNode, what);
  // Addresses for one huge page more: the data begins at a boundary of 2 MiB. What is never touched takes no memory.
  const uint64_t mappingBytes = checkedAdd(neededBytes, kHugePageBytes, "memory size");
  void* mapping =
      mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    throw errnoError(ErrorCode::kAllocation, what + ": mmap of " + std::to_string(mappingBytes) + " bytes",
                     errno);
  }
  std::unique_ptr<PrivateMemory> memory(new PrivateMemory());
  memory->mapping_ = mapping;
  memory->mappingBytes_ = mappingBytes;
  memory->data_ = reinterpret_cast<void*>(alignUp(reinterpret_cast<uint64_t>(mapping), kHugePageBytes));
  memory->bytes_ = bytes;
  givePages(memory->data_, neededBytes, numaNode, what, [] {});
  return memory;
}

ShareHandle PrivateMemory::share(uint64_t, uint64_t) const {
  throw Error(ErrorCode::kState,
              "memory of one process was to be shared with peers; allocate it for sharing");
}

void PrivateMemory::close() {
  if (mapping_ != nullptr) munmap(mapping_, mappingBytes_);
  mapping_ = nullptr;
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace railrunner
