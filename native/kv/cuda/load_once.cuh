#pragma once

#include <cstdint>

namespace railrunner::cuda {

// Source bytes that are read once and not by anyone else meanwhile: no line of L1 is spent on them.
__device__ __forceinline__ uint4 loadOnce(const uint4* source) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(source));
  return v;
}
__device__ __forceinline__ uint2 loadOnce(const uint2* source) { return __ldcs(source); }
__device__ __forceinline__ uint32_t loadOnce(const uint32_t* source) { return __ldcs(source); }
__device__ __forceinline__ uint8_t loadOnce(const uint8_t* source) { return __ldcs(source); }

}  // namespace railrunner::cuda
