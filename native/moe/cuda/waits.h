#pragma once

#include <string>

#include "moe/cuda/low_latency/kernels.h"

namespace railrunner::moe::cuda {

// What the wait that a kernel gave up was for, as the rest of a sentence: "rank 1: the row of its token 3 did
// not arrive". The control has failed.
std::string describeWait(const WaitControl& control, uint32_t rank, uint32_t numLocalExperts);

// What came and was refused, as a clause: "rank 1 sent for its token 3 a copy of 9, expected one below 8".
std::string describeRefusal(const WaitControl& control, const Shape& shape);

}  // namespace railrunner::moe::cuda
