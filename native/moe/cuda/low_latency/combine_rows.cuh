#pragma once

#include <cuda_bf16.h>

#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/numerics.h"

// Sums of bf16 rows in fp32, each product and sum rounded to nearest.
namespace railrunner::moe::cuda {

constexpr uint32_t kReduceUnits = 7;  // 16-byte units of a thread at a time: hidden 7168 takes one pass

struct RowSlice {
  uint32_t position;  // of the message among those of its source; in the second part, the token
  uint32_t index;
  uint32_t firstUnit;  // of 8 bf16 channels
  uint32_t numUnits;

  __device__ RowSlice(const KernelArguments& a, uint32_t unit) {
    position = unit / a.slices;
    index = unit - position * a.slices;
    const uint32_t first = firstBlockOf(a.shape, a.slices, index);
    firstUnit = first * (kScaleBlock / 8);
    numUnits = (firstBlockOf(a.shape, a.slices, index + 1) - first) * (kScaleBlock / 8);
  }

  // Part `part` of `parts`, in units; may be empty.
  __device__ RowSlice cut(uint32_t part, uint32_t parts) const {
    RowSlice cut = *this;
    const uint32_t first = numUnits * part / parts;
    cut.firstUnit += first;
    cut.numUnits = numUnits * (part + 1) / parts - first;
    return cut;
  }
};

__device__ inline void addScaled(float (&sum)[8], uint4 row, float weight) {
  const uint32_t words[4] = {row.x, row.y, row.z, row.w};
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    sum[2 * i] = __fadd_rn(sum[2 * i], __fmul_rn(weight, __uint_as_float(words[i] << 16)));
    sum[2 * i + 1] = __fadd_rn(sum[2 * i + 1], __fmul_rn(weight, __uint_as_float(words[i] & 0xffff0000U)));
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

}  // namespace railrunner::moe::cuda
