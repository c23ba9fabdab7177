#pragma once

#include <cuda_runtime_api.h>

#include "moe/cuda/low_latency/kernels.h"

// What surrounds a measured call on the device: tokens, simulated experts, and the barrier before it.
namespace railrunner::moe::cuda {

// x [numTokens, paddedHidden]: this rank's tokens of the call `salt`; padding zero.
void launchFillTokens(const Shape& shape, uint32_t seed, uint32_t salt, uint32_t rank, uint32_t numTokens,
                      uint16_t* x, cudaStream_t stream);

// y: what the experts of `rank` make of the result; one bf16 row for each of its rows.
void launchExperts(const Shape& shape, uint32_t rank, const DispatchResult& result, uint16_t* y,
                   cudaStream_t stream);

// Returns once the stream of every rank that shares memory has reached its barrier of this `generation` (1,
// 2, ...), or `control` aborts. Ranks behind the network have met at the gate alone.
void launchBarrier(const BarrierArguments& arguments, uint32_t generation, cudaStream_t stream);

// Loads the kernels, so that a first launch does not load a module while another kernel spins.
void prepareContent();

}  // namespace railrunner::moe::cuda
