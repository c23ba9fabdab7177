#pragma once

#include "moe/cuda/high_throughput/arguments.h"

// What surrounds a measured call of high throughput on the device: quantised tokens and simulated experts.
namespace railrunner::moe::cuda::high_throughput {

// x bf16 [numTokens, paddedHidden] to e4m3 codes [numTokens, paddedHidden] and scales [numTokens, scaleBytes / 4].
void launchQuantize(const Shape& shape, uint32_t numTokens, uint32_t scaleBytes, const uint16_t* x,
                    uint8_t* codes, float* scales, cudaStream_t stream);

// What the experts of this rank make of the last dispatch: expert-major one bf16 row for each expert row into
// arguments.y; rank-major one for each received token, its experts' sum, where combine reads it.
void launchExperts(const CallArguments& arguments, cudaStream_t stream);

// Loads the kernels, so that a first launch does not load a module while another kernel spins.
void prepareContent();

}  // namespace railrunner::moe::cuda::high_throughput
