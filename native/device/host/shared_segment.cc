#include "device/host/shared_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/checked.h"
#include "core/error.h"
#include "device/host/host_pages.h"

namespace railrunner {

namespace {

constexpr uint64_t kHeaderBytes = 4096;
constexpr uint64_t kHeaderMagic = 0x53474d4552524c52ULL;
constexpr uint64_t kFallocateStepBytes = 256ULL << 20;

struct SegmentHeader {
  uint64_t nonce;
  uint64_t magic;
  uint64_t bytes;
};

uint64_t randomNonce() {
  uint64_t nonce = 0;
  if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce)) {
    throw errnoError(ErrorCode::kAllocation, "getrandom for a shared segment", errno);
  }
  return nonce;
}

void reservePages(int descriptor, uint64_t bytes, const std::string& what) {
  for (uint64_t offset = 0; offset < bytes; offset += kFallocateStepBytes) {
    const uint64_t step = std::min(kFallocateStepBytes, bytes - offset);
    int result = 0;
    do {
      result = fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(step));
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
      throw errnoError(ErrorCode::kAllocation,
                       what + ": " + std::to_string(bytes) +
                           " bytes of shared memory could not be allocated, only " + std::to_string(offset) +
                           " were. Use smaller pools",
                       errno);
    }
  }
}

}  // namespace

std::unique_ptr<SharedSegment> SharedSegment::create(uint64_t bytes, int numaNode, const std::string& what) {
  if (bytes == 0)
    throw Error(ErrorCode::kArgument, what + ": a segment of 0 bytes was asked for; expected at least 1");
  const uint64_t mappingBytes = checkedAdd(alignUp(bytes, 4096), kHeaderBytes, "segment size");
  requireMemory(mappingBytes, numaNode, what);
  std::unique_ptr<SharedSegment> segment(new SharedSegment());
  segment->descriptor_ = memfd_create("railrunner", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (segment->descriptor_ < 0) throw errnoError(ErrorCode::kAllocation, what + ": memfd_create", errno);
  if (ftruncate(segment->descriptor_, static_cast<off_t>(mappingBytes)) != 0) {
    throw errnoError(ErrorCode::kAllocation,
                     what + ": ftruncate to " + std::to_string(mappingBytes) + " bytes", errno);
  }
  // Nobody can cut the file under a peer that has it mapped.
  fcntl(segment->descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  void* mapping = mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->descriptor_, 0);
  if (mapping == MAP_FAILED) {
    throw errnoError(ErrorCode::kAllocation, what + ": mmap of " + std::to_string(mappingBytes) + " bytes",
                     errno);
  }
  segment->mapping_ = mapping;
  segment->mappingBytes_ = mappingBytes;
  segment->data_ = static_cast<std::byte*>(mapping) + kHeaderBytes;
  segment->bytes_ = bytes;
  givePages(mapping, mappingBytes, numaNode, what,
            [&] { reservePages(segment->descriptor_, mappingBytes, what); });
  segment->nonce_ = randomNonce();
  *static_cast<SegmentHeader*>(mapping) = {segment->nonce_, kHeaderMagic, bytes};
  return segment;
}

std::unique_ptr<SharedSegment> SharedSegment::open(const ShareHandle& handle) {
  const std::string where = "shared segment of process " + std::to_string(handle.processId);
  if (handle.magic != ShareHandle::kMagic || handle.kind != DeviceKind::kHost || handle.processId <= 0 ||
      handle.descriptor < 0) {
    throw Error(ErrorCode::kArgument, where + ": the handle is not one of a host device");
  }
  const uint64_t rangeEnd = checkedAdd(handle.offset, handle.rangeBytes, "shared range");
  if (handle.bytes == 0 || handle.rangeBytes == 0 || rangeEnd > handle.bytes) {
    throw Error(ErrorCode::kArgument, where + ": range " + std::to_string(handle.offset) + " + " +
                                          std::to_string(handle.rangeBytes) + " is outside its " +
                                          std::to_string(handle.bytes) + " bytes");
  }
  const std::string path =
      "/proc/" + std::to_string(handle.processId) + "/fd/" + std::to_string(handle.descriptor);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) {
    throw errnoError(ErrorCode::kUnsupportedHere,
                     where + ": open " + path + " (ranks of a node must share user and process id namespace)",
                     errno);
  }
  const uint64_t mappingBytes = checkedAdd(alignUp(handle.bytes, 4096), kHeaderBytes, "segment size");
  struct stat status {};
  const bool sizeMatches =
      fstat(descriptor, &status) == 0 && static_cast<uint64_t>(status.st_size) == mappingBytes;
  void* mapping = sizeMatches ? mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                              : MAP_FAILED;
  const int mapErrno = errno;
  ::close(descriptor);
  if (!sizeMatches)
    throw Error(ErrorCode::kArgument, where + ": " + path + " is not the segment of the handle");
  if (mapping == MAP_FAILED) throw errnoError(ErrorCode::kAllocation, where + ": mmap", mapErrno);
  std::unique_ptr<SharedSegment> segment(new SharedSegment());
  segment->mapping_ = mapping;
  segment->mappingBytes_ = mappingBytes;
  segment->data_ = static_cast<std::byte*>(mapping) + kHeaderBytes + handle.offset;
  segment->bytes_ = handle.rangeBytes;
  const SegmentHeader header = *static_cast<const SegmentHeader*>(mapping);
  if (header.magic != kHeaderMagic || header.nonce != handle.nonce || header.bytes != handle.bytes) {
    throw Error(ErrorCode::kArgument,
                where + ": the header does not match the handle; the exporter has gone");
  }
  return segment;
}

ShareHandle SharedSegment::share(uint64_t offset, uint64_t rangeBytes) const {
  if (descriptor_ < 0)
    throw Error(ErrorCode::kState, "a mapping of a peer's segment, or a closed one, is not shared on");
  if (rangeBytes == 0 || checkedAdd(offset, rangeBytes, "shared range") > bytes_) {
    throw Error(ErrorCode::kArgument, "shared range " + std::to_string(offset) + " + " +
                                          std::to_string(rangeBytes) + " is outside the segment's " +
                                          std::to_string(bytes_) + " bytes");
  }
  ShareHandle handle;
  handle.magic = ShareHandle::kMagic;
  handle.kind = DeviceKind::kHost;
  handle.bytes = bytes_;
  handle.offset = offset;
  handle.rangeBytes = rangeBytes;
  handle.processId = getpid();
  handle.descriptor = descriptor_;
  handle.nonce = nonce_;
  return handle;
}

void SharedSegment::close() {
  if (mapping_ != nullptr) munmap(mapping_, mappingBytes_);
  if (descriptor_ >= 0) ::close(descriptor_);
  mapping_ = nullptr;
  data_ = nullptr;
  descriptor_ = -1;
  bytes_ = 0;
}

}  // namespace railrunner
