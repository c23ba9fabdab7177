#include "storage/byte_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"

namespace railrunner {

namespace {

// The process that ends a run removes the file while others may wait for it: a lock on a file without a name keeps nobody out.
bool isStillNamed(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

ByteLock lockByte(const std::string& path, uint64_t offset) {
  for (;;) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw errnoError(ErrorCode::kIo, "open " + path, errno);
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(offset);
    range.l_len = 1;
    // Bound to what was opened, not to the process: closing another descriptor of the file does not lose it.
    if (fcntl(fd, F_OFD_SETLK, &range) != 0) {
      const int refusal = errno;
      close(fd);
      return refusal == EAGAIN || refusal == EACCES ? ByteLock::kTaken : ByteLock::kUnsupported;
    }
    // Left open: the lock lasts as long as the process.
    if (isStillNamed(fd, path)) return ByteLock::kHeld;
    close(fd);
  }
}

}  // namespace railrunner
