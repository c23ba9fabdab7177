#include "storage/direct_io.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace railrunner {

namespace {

// STATX_DIOALIGN and its two fields, by number: headers older than Linux 6.1 have no names for them, and the
// program may run on a newer kernel than it was built on.
constexpr unsigned kStatxDioAlign = 0x2000;
constexpr size_t kDioMemAlignAt = 152;
constexpr size_t kDioOffsetAlignAt = 156;
static_assert(sizeof(struct statx) >= kDioOffsetAlignAt + sizeof(uint32_t));

constexpr uint64_t kHugetlbfsMagic = 0x958458f6;

bool kernelKnowsDioAlign() {
  utsname name{};
  int major = 0, minor = 0;
  if (uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 1);
}

}  // namespace

DirectIoFacts judgeDirectIo(const DirectIoAlignment& alignment, uint64_t fileSystemMagic, bool kernelTells) {
  if (alignment.known) {
    const uint32_t larger = std::max(alignment.memoryBytes, alignment.offsetBytes);
    if (alignment.memoryBytes == 0 || alignment.offsetBytes == 0) {
      return {DirectIo::kBuffered, 1, "the file system has no direct I/O for this file"};
    }
    if (larger > kMaxDirectAlignmentBytes) {
      return {DirectIo::kBuffered, 1,
              "direct I/O needs an alignment of " + std::to_string(larger) + " bytes, disk tiers keep 4096"};
    }
    return {DirectIo::kDirect, larger, ""};
  }
  if (fileSystemMagic == TMPFS_MAGIC || fileSystemMagic == RAMFS_MAGIC || fileSystemMagic == kHugetlbfsMagic)
    return {DirectIo::kBuffered, 1, "the file system lies in memory"};
  // An overlay answers for the file system below it.
  if (fileSystemMagic == OVERLAYFS_SUPER_MAGIC && kernelTells)
    return {DirectIo::kBuffered, 1, "the file system below the overlay has no direct I/O"};
  return {DirectIo::kUnconfirmed, kMaxDirectAlignmentBytes,
          kernelTells ? "the file system accepts O_DIRECT and does not say what it does with it"
                      : "this kernel (before Linux 6.1) cannot say whether O_DIRECT is direct"};
}

DirectIoFacts directIoOf(int descriptor) {
  DirectIoAlignment alignment;
  struct statx status {};
  if (statx(descriptor, "", AT_EMPTY_PATH, kStatxDioAlign, &status) == 0) {
    alignment.known = (status.stx_mask & kStatxDioAlign) != 0;
    const char* bytes = reinterpret_cast<const char*>(&status);
    std::memcpy(&alignment.memoryBytes, bytes + kDioMemAlignAt, sizeof(uint32_t));
    std::memcpy(&alignment.offsetBytes, bytes + kDioOffsetAlignAt, sizeof(uint32_t));
  }
  struct statfs system {};
  const uint64_t magic = fstatfs(descriptor, &system) == 0 ? static_cast<uint64_t>(system.f_type) : 0;
  return judgeDirectIo(alignment, magic & 0xffffffffU, kernelKnowsDioAlign());
}

}  // namespace railrunner
