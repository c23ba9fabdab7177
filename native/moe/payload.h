#pragma once

#include "moe/shape.h"

// What tokens hold and what the simulated experts make of them. Shared by host code and CUDA kernels; the
// oracle computes the same from docs/moe.md.
namespace railrunner::moe {

// Finalizer of MurmurHash3 (32 bits): a bijection.
RAILRUNNER_HOST_DEVICE inline uint32_t mix32(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6bU;
  x ^= x >> 13;
  x *= 0xc2b2ae35U;
  x ^= x >> 16;
  return x;
}

// Every token of every rank and call has its own sequence. `salt` is the number of the call, so that what an
// earlier call left is never right.
RAILRUNNER_HOST_DEVICE inline uint32_t tokenBase(uint32_t seed, uint32_t salt, uint32_t rank,
                                                 uint32_t token) {
  return mix32(mix32(mix32(seed ^ mix32(salt + 0x9e3779b9U)) + rank) + token);
}

// Columns 2 * pair (low half) and 2 * pair + 1 (high half) of a token, as two bf16: any sign and mantissa,
// magnitudes from 2^-5 to 2^3, so that all sums stay finite and no value is like its neighbours.
RAILRUNNER_HOST_DEVICE inline uint32_t payloadPair(uint32_t base, uint32_t pair) {
  const uint32_t word = mix32(base + pair * 0x9e3779b9U);
  constexpr uint32_t kKept = 0x83ff83ffU;    // sign, 3 low bits of the exponent, mantissa
  constexpr uint32_t kExponent = 122U << 7;  // 2^-5
  return (word & kKept) + (kExponent << 16 | kExponent);
}

// Expert e returns its input times this: a power of two with a sign, exact in bf16, so that swapped experts
// show.
RAILRUNNER_HOST_DEVICE inline float expertFactor(uint32_t expert) {
  const uint32_t word = mix32(expert + 1);
  const float magnitude = 0.5F * static_cast<float>(1U << (word & 3U));  // 0.5, 1, 2, 4
  return (word & 4U) != 0 ? -magnitude : magnitude;
}

// Every byte of outputs before the last sample: NaN in e4m3, a huge number in bf16.
constexpr uint8_t kPoisonByte = 0x7f;

}  // namespace railrunner::moe
