#pragma once

#include <cstdint>

namespace railrunner::cuda {

struct AddressRange {
  uint64_t base = 0;
  uint64_t bytes = 0;
};

// The allocation that a device pointer lies in, from the driver (cuMemGetAddressRange). cudaMalloc cuts small
// requests out of a larger allocation, and an IPC handle always denotes the whole of it.
AddressRange addressRange(const void* data);

}  // namespace railrunner::cuda
