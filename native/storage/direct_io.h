#pragma once

#include <cstdint>
#include <string>

namespace railrunner {

// What becomes of O_DIRECT on a file that was opened with it. A successful open says little: since Linux 6.6
// tmpfs accepts the flag and ignores it, and so does ext4 with data=journal.
enum class DirectIo {
  kDirect,       // the file system says so (statx, STATX_DIOALIGN)
  kUnconfirmed,  // it accepted the flag and says nothing: btrfs, network file systems, Linux before 6.1
  kBuffered,     // requests go through the page cache, or the file is memory
};

struct DirectIoFacts {
  DirectIo kind = DirectIo::kBuffered;
  // Of addresses and lengths in memory, and of offsets in the file. 1 where nothing is direct.
  uint32_t alignmentBytes = 1;
  std::string reason;  // why not kDirect; "" for kDirect
};

// Largest alignment that the layout of disk tiers keeps; a device that needs more is used buffered.
constexpr uint32_t kMaxDirectAlignmentBytes = 4096;

// What statx said about direct I/O: whether the fields are there, and their values.
struct DirectIoAlignment {
  bool known = false;
  uint32_t memoryBytes = 0;  // 0: no direct I/O for this file
  uint32_t offsetBytes = 0;
};

// Only the judgement. `fileSystemMagic` as statfs gives it; `kernelTells`: this kernel has STATX_DIOALIGN
// (6.1), so that silence means something.
DirectIoFacts judgeDirectIo(const DirectIoAlignment& alignment, uint64_t fileSystemMagic, bool kernelTells);

// Of a file that was opened with O_DIRECT.
DirectIoFacts directIoOf(int descriptor);

}  // namespace railrunner
