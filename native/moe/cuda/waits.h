#pragma once

#include <string>

#include "moe/cuda/kernels.h"

namespace railrunner::moe::cuda {

// What the wait that a kernel gave up was for, as the rest of a sentence: "rank 1: the row of its token 3 did
// not arrive". The control has failed.
std::string describeWait(const WaitControl& control, uint32_t rank, uint32_t numLocalExperts);

}  // namespace railrunner::moe::cuda
