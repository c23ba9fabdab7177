#pragma once

#include <functional>

#include "replicated/transfer.h"

namespace railrunner {

// Collective: the ranks check the blocks that the request names and do `also` (where it is not empty), which must not
// call the others; then they compare all that must be the same on every rank. Before anything is sent: ranks that
// differ would end in different operations, and hang or mix up blocks. Throws on all ranks where one fails or differs.
void agreeOnBlocks(Exchange& exchange, const ReplicatedRequest& request, DeviceKind kind, int64_t deadlineNs,
                   const std::function<void()>& also = {});

}  // namespace railrunner
