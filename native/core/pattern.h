#pragma once

#include <cstdint>

// Shared by host code and CUDA kernels: the bytes that verification writes and expects.
#if defined(__CUDACC__)
#define RAILRUNNER_HOST_DEVICE __host__ __device__
#else
#define RAILRUNNER_HOST_DEVICE
#endif

namespace railrunner {

// Finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection, so different inputs never collide.
RAILRUNNER_HOST_DEVICE inline uint64_t mix64(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return x;
}

// What a region holds: who owns the data (rank, or replica group 0 in replicated mode), the block's identity,
// and the region's place in the block: group, place of the layer in the group, outer index. Any two regions
// differ in every word, so swapped, shifted or stale ones show.
struct RegionIdentity {
  uint64_t seed;
  uint32_t owner;
  uint32_t block;
  uint32_t group;
  uint32_t layer;
  uint32_t outer;
};

RAILRUNNER_HOST_DEVICE inline uint64_t regionBase(const RegionIdentity& id) {
  const uint64_t a = mix64(id.seed + 0x9e3779b97f4a7c15ULL);
  const uint64_t b = mix64(a ^ ((static_cast<uint64_t>(id.owner) << 32) | id.block));
  return mix64(b ^
               ((static_cast<uint64_t>(id.layer) << 32) | (static_cast<uint64_t>(id.group) << 8) | id.outer));
}

// The 8-byte word at index `word` of a region; a last partial word holds the low bytes of it.
RAILRUNNER_HOST_DEVICE inline uint64_t patternWord(uint64_t base, uint64_t word) {
  return mix64(base + word * 0x9e3779b97f4a7c15ULL);
}

// What unwritten memory holds. Depends only on the salt: every word of a pool is checked without an
// identity.
RAILRUNNER_HOST_DEVICE inline uint64_t poisonWord(uint64_t salt) {
  return mix64(salt ^ 0xa5a5a5a5a5a5a5a5ULL);
}

}  // namespace railrunner
