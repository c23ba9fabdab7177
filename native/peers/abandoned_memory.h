#pragma once

#include <memory>

#include "core/exchange.h"
#include "device/device.h"

namespace railrunner {

// Memory of this process that its owner is done with while a peer may still have it mapped: freeing it then leaves two
// memories behind one address (CUDA 13: cudaFree of an exported allocation succeeds, and the importer goes on reading
// the old one). It is kept here until every rank says that it has nothing of anybody mapped. So a point that fails
// without an orderly end costs its memory until the next one opens, and not for the rest of the run.
class AbandonedMemory {
 public:
  static void keep(std::unique_ptr<DeviceMemory> memory);
  // Collective: at the opening of a buffer, before it is allocated.
  static void freeWhereAllLetGo(Exchange& exchange, int64_t deadlineNs);

  // Of this process, over all symmetric buffers.
  static void countImport();
  static void uncountImport();
};

}  // namespace railrunner
