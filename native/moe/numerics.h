#pragma once

#include "moe/shape.h"

// Conversions and sums in the one order that every device and the oracle keep. Shared by host code and CUDA
// kernels.
//
// Products and sums are rounded one by one (no fused multiply-add), so that a result is the same bits on
// every machine: host code of this module is compiled with -ffp-contract=off, kernels use the _rn intrinsics.
namespace railrunner::moe {

RAILRUNNER_HOST_DEVICE inline float floatFromBits(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}
RAILRUNNER_HOST_DEVICE inline uint32_t bitsOfFloat(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  return __builtin_bit_cast(uint32_t, value);
#endif
}

RAILRUNNER_HOST_DEVICE inline float multiplyRounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
RAILRUNNER_HOST_DEVICE inline float addRounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}
RAILRUNNER_HOST_DEVICE inline float divideRounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

RAILRUNNER_HOST_DEVICE inline float bf16ToFloat(uint16_t bits) {
  return floatFromBits(static_cast<uint32_t>(bits) << 16);
}

// Round to nearest even; NaN stays NaN.
RAILRUNNER_HOST_DEVICE inline uint16_t floatToBf16(float value) {
  const uint32_t bits = bitsOfFloat(value);
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const bool isNan = (bits & 0x7fffffffU) > 0x7f800000U;
  return static_cast<uint16_t>(isNan ? (bits >> 16) | 0x40U : rounded);
}

constexpr float kFp8Max = 448.0F;     // largest finite e4m3
constexpr float kFp8MinAmax = 1e-4F;  // keeps the scale of a block of zeros finite

// e4m3 (bias 7, no infinity), round to nearest even, saturating. `value` is finite.
RAILRUNNER_HOST_DEVICE inline uint8_t floatToE4m3(float value) {
  const uint32_t bits = bitsOfFloat(value);
  const uint32_t sign = (bits >> 24) & 0x80U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  // Normal: keep 3 of 23 mantissa bits, move the bias from 127 to 7.
  const uint32_t normal = ((magnitude + 0x7ffffU + ((magnitude >> 20) & 1U)) >> 20) - ((127U - 7U) << 3);
  // Below 2^-6: steps of 2^-9. Adding 2^14 leaves exactly those steps in a float's mantissa, rounded to even.
  const uint32_t subnormal =
      bitsOfFloat(addRounded(floatFromBits(magnitude), 16384.0F)) - bitsOfFloat(16384.0F);
  uint32_t code = magnitude < 0x3c800000U ? subnormal : normal;
  code = magnitude >= 0x43e00000U ? 0x7eU : code;  // 448 and above
  return static_cast<uint8_t>(sign | code);
}

RAILRUNNER_HOST_DEVICE inline float e4m3ToFloat(uint8_t code) {
  const uint32_t magnitude = code & 0x7fU;
  const float sign = (code & 0x80U) != 0 ? -1.0F : 1.0F;
  if (magnitude == 0x7fU) return floatFromBits(0x7fc00000U);
  if (magnitude < 8) return sign * static_cast<float>(magnitude) * (1.0F / 512.0F);
  return sign * floatFromBits((magnitude << 20) + ((127U - 7U) << 23));
}

// How one block of 128 channels is quantised: q = e4m3(x * multiplier), x' = q * scale.
struct BlockScale {
  float multiplier;
  float scale;  // what travels
};

// amax: largest |x| of the block. Power-of-two scales are rounded up, so that nothing saturates.
RAILRUNNER_HOST_DEVICE inline BlockScale blockScale(float amax, bool roundScale) {
  const float bounded = amax > kFp8MinAmax ? amax : kFp8MinAmax;
  if (!roundScale) return {divideRounded(kFp8Max, bounded), divideRounded(bounded, kFp8Max)};
  const uint32_t exact = bitsOfFloat(divideRounded(bounded, kFp8Max));
  const uint32_t exponent = (exact >> 23) + ((exact & 0x7fffffU) != 0 ? 1U : 0U);
  return {floatFromBits((254U - exponent) << 23), floatFromBits(exponent << 23)};
}

}  // namespace railrunner::moe
