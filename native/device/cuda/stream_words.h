#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

// Words that streams write and wait for, by the driver's stream memory operations: no kernel runs, no multiprocessor is
// taken. A word is device memory, a peer's mapped device memory, or registered host memory at its own address.
namespace railrunner::cuda {

// True where this driver has the operations.
bool streamWordsAvailable();

// Once everything before it on the stream is visible to all GPUs and CPUs of the host.
void writeWord(cudaStream_t stream, uint32_t* word, uint32_t value);

// What follows on the stream begins once the word is `value` or at most 2^31 - 1 above it, modulo 2^32.
void awaitWord(cudaStream_t stream, const uint32_t* word, uint32_t value);

}  // namespace railrunner::cuda
