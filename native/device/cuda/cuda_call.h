#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <source_location>

#include "core/error.h"

namespace railrunner::cuda {

// True where the CUDA context is lost: every later call of this process returns the same code.
bool isSticky(cudaError_t status);

// Throws kCudaSticky, kAllocation (cudaErrorMemoryAllocation) or kCuda unless status is cudaSuccess. The message says call, place, device, what CUDA
// answered.
void check(cudaError_t status, const char* call,
           const std::source_location& place = std::source_location::current());

// Makes a device the calling thread's current one. CUDA keeps this per thread, and handles are used from the
// work thread, from copy threads and from tests, so every entry point of a handle says it again; it costs
// nanoseconds.
inline void makeCurrent(int ordinal) { check(cudaSetDevice(ordinal), "cudaSetDevice"); }

// Bytes of ordinary host memory to the current device, there when it returns. cudaMemcpy alone may return once they are
// staged (CUDA's API synchronization behavior, "pageable host memory to device memory"), and a kernel on a
// non-blocking stream, which does not wait for the legacy one, would read what was there before.
void copyToDevice(void* target, const void* source, size_t bytes, const char* call = "cudaMemcpy",
                  const std::source_location& place = std::source_location::current());

}  // namespace railrunner::cuda
