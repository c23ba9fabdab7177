#pragma once

#include "transfer/arrival_watch.h"

namespace railrunner::cuda {

std::unique_ptr<ArrivalWatch> openArrivalWatch(Exchange& exchange, Device& device,
                                               const std::vector<uint8_t>& sharesMemory, int64_t deadlineNs);

}  // namespace railrunner::cuda
