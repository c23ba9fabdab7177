#pragma once

#include <cstdint>
#include <string>

namespace railrunner {

enum class ByteLock {
  kHeld,
  kTaken,        // another process holds it
  kUnsupported,  // the file system has no locks
};

// Locks one byte of a file, which is made where it is missing, until this process ends: however it ends, the kernel gives
// the lock back, so that none is ever stale. On NFS 4 and on Lustre mounted with `flock` it holds between hosts.
// Throws kIo where the file cannot be opened.
ByteLock lockByte(const std::string& path, uint64_t offset);

}  // namespace railrunner
