#pragma once

#include <memory>

#include "replicated/transfer.h"

namespace railrunner::cuda {

// openReplicated() for a cuda device, after the blocks were compared. Collective.
std::unique_ptr<ReplicatedTransfer> openCudaReplicated(Exchange& exchange, RunControl& control,
                                                       Device& device, const ReplicatedRequest& request,
                                                       int64_t deadlineNs);

}  // namespace railrunner::cuda
