#pragma once

#include <cuda_bf16.h>

#include "moe/cuda/device_memory.cuh"

// Sums of bf16 rows in fp32, each product and sum rounded to nearest.
namespace railrunner::moe::cuda::high_throughput {

__device__ inline void addScaled(float (&sum)[8], uint4 row, float weight) {
  const uint32_t words[4] = {row.x, row.y, row.z, row.w};
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    sum[2 * i] = __fadd_rn(sum[2 * i], __fmul_rn(weight, __uint_as_float(words[i] << 16)));
    sum[2 * i + 1] = __fadd_rn(sum[2 * i + 1], __fmul_rn(weight, __uint_as_float(words[i] & 0xffff0000U)));
  }
}

__device__ inline void addRow(float (&sum)[8], uint4 row) {
  const uint32_t words[4] = {row.x, row.y, row.z, row.w};
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    sum[2 * i] = __fadd_rn(sum[2 * i], __uint_as_float(words[i] << 16));
    sum[2 * i + 1] = __fadd_rn(sum[2 * i + 1], __uint_as_float(words[i] & 0xffff0000U));
  }
}

__device__ inline uint4 rounded(const float (&sum)[8]) {
  uint32_t words[4];
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(sum[2 * i], sum[2 * i + 1]);
    words[i] = *reinterpret_cast<const uint32_t*>(&pair);
  }
  return uint4{words[0], words[1], words[2], words[3]};
}

}  // namespace railrunner::moe::cuda::high_throughput
