#pragma once

#include <memory>
#include <vector>

#include "kv/transfer.h"

namespace railrunner {

// Transfers that touch memory of a cuda device: between device and host tier by DeviceCopy, timed by the
// host's clock and by events; between device and disk tier through pinned buffers, by the disk loop of storage.
// Lanes are validated. Throws kUnsupportedHere for a strategy that this device or driver lacks.
std::unique_ptr<Transfer> compileCudaTransfer(Device& device, std::vector<LaneRequest> lanes,
                                              const TransferOptions& options);

}  // namespace railrunner
