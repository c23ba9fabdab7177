#pragma once

#include <memory>

#include "kv/lane_copier.h"

namespace railrunner {

// Copies that touch memory of a cuda device, see makeLaneCopier.
std::unique_ptr<LaneCopier> makeCudaLaneCopier(Device& device, BlockPool& source, BlockPool& target,
                                               uint32_t queueIndex, const TransferOptions& options);

}  // namespace railrunner
