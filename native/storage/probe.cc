#include "storage/probe.h"

#include "storage/disk_queue.h"

namespace railrunner {

StorageProbe probeStorage(const std::string& folder, uint32_t queueDepth) {
  const DiskFile file(folder, DiskFile::kIoAlignmentBytes);
  const DiskQueue queue(file, queueDepth, DiskFile::kIoAlignmentBytes, DiskEngine::kAuto);
  return {file.directIo(), queue.ringRefusal(), queue.describe()};
}

}  // namespace railrunner
