#pragma once

#include <cstdint>
#include <string>

#include "storage/direct_io.h"

namespace railrunner {

// How a disk tier in this folder would be driven, found out by opening one: a file of 4096 bytes and a queue.
struct StorageProbe {
  DirectIoFacts direct;
  std::string ringRefusal;  // "" where io_uring does the work; else what the kernel answered
  std::string diskIo;       // as the disk_io column says it
};

// Throws kIo where no file can be made there, kAllocation for lack of memory.
StorageProbe probeStorage(const std::string& folder, uint32_t queueDepth);

}  // namespace railrunner
