#include "moe/host/rows.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "moe/numerics.h"

// ThreadSanitizer instruments the resolvers of target_clones before it is initialised; it gets the plain
// loops.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define RAILRUNNER_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RAILRUNNER_CLONES
#endif

namespace railrunner::moe::host {

namespace {

// 32 columns at once, in the compiler's own vectors: each instruction set makes of them what it has. A word
// holds two columns, each of which is a float after one shift or mask; widening 16-bit lanes instead costs
// two shuffles for every 16 columns. The sums of two such vectors stay in registers while all rows pass.
constexpr uint32_t kWords = 16;
constexpr uint32_t kVectors = 2;
static_assert(kScaleBlock % (2 * kWords * kVectors) == 0);
typedef float FloatLanes __attribute__((vector_size(4 * kWords)));
typedef uint32_t WordLanes __attribute__((vector_size(4 * kWords)));

constexpr uint32_t kHighHalf = 0xffff0000U;
static_assert(std::endian::native == std::endian::little);  // an even column is its word's lower half

struct ColumnSums {
  FloatLanes even;
  FloatLanes odd;
};

// A cast between vectors of one size keeps the bits.
__attribute__((always_inline)) inline void addScaled(ColumnSums& sums, const uint16_t* row, float weight) {
  WordLanes words;
  std::memcpy(&words, row, sizeof(words));
  const FloatLanes even = (FloatLanes)(words << 16) * weight;
  const FloatLanes odd = (FloatLanes)(words & kHighHalf) * weight;
  sums.even = sums.even + even;
  sums.odd = sums.odd + odd;
}

// As floatToBf16, in the upper halves; the lower ones hold what is left over.
__attribute__((always_inline)) inline void roundToBf16(WordLanes& out, const FloatLanes& sum) {
  const WordLanes bits = (WordLanes)sum;
  const WordLanes rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  out = (bits & 0x7fffffffU) > 0x7f800000U ? bits | 0x400000U : rounded;
}

__attribute__((always_inline)) inline void addRounded(ColumnSums& whole, const ColumnSums& sums) {
  WordLanes even, odd;
  roundToBf16(even, sums.even);
  roundToBf16(odd, sums.odd);
  whole.even = whole.even + (FloatLanes)(even & kHighHalf);
  whole.odd = whole.odd + (FloatLanes)(odd & kHighHalf);
}

__attribute__((always_inline)) inline void storeBf16(uint16_t* out, const ColumnSums& sums) {
  WordLanes even, odd;
  roundToBf16(even, sums.even);
  roundToBf16(odd, sums.odd);
  const WordLanes words = (even >> 16) | (odd & kHighHalf);
  std::memcpy(out, &words, sizeof(words));
}

}  // namespace

RAILRUNNER_CLONES
void sumRows(uint16_t* out, const uint16_t* const* rows, const float* weights, uint32_t count,
             uint32_t numColumns) {
  for (uint32_t begin = 0; begin < numColumns; begin += 2 * kWords * kVectors) {
    ColumnSums sums[kVectors] = {};
    for (uint32_t j = 0; j < count; ++j) {
      const uint16_t* row = rows[j] + begin;
      const float weight = weights != nullptr ? weights[j] : 1.0F;
      for (uint32_t v = 0; v < kVectors; ++v) addScaled(sums[v], row + 2 * kWords * v, weight);
    }
    for (uint32_t v = 0; v < kVectors; ++v) storeBf16(out + begin + 2 * kWords * v, sums[v]);
  }
}

RAILRUNNER_CLONES
void sumGroups(uint16_t* out, const RowGroups& groups, uint32_t numColumns) {
  for (uint32_t begin = 0; begin < numColumns; begin += 2 * kWords * kVectors) {
    ColumnSums whole[kVectors] = {};
    uint32_t j = 0;
    for (uint32_t group = 0; group < groups.numGroups; ++group) {
      if (groups.ends[group] == j + 1 && groups.weights[j] == 1.0F) {
        // A row by itself is rounded already.
        for (uint32_t v = 0; v < kVectors; ++v)
          addScaled(whole[v], groups.rows[j] + begin + 2 * kWords * v, 1.0F);
        ++j;
        continue;
      }
      ColumnSums sums[kVectors] = {};
      for (; j < groups.ends[group]; ++j) {
        for (uint32_t v = 0; v < kVectors; ++v)
          addScaled(sums[v], groups.rows[j] + begin + 2 * kWords * v, groups.weights[j]);
      }
      for (uint32_t v = 0; v < kVectors; ++v) addRounded(whole[v], sums[v]);
    }
    for (uint32_t v = 0; v < kVectors; ++v) storeBf16(out + begin + 2 * kWords * v, whole[v]);
  }
}

RAILRUNNER_CLONES
void quantizeRow(uint8_t* codes, float* scales, const uint16_t* row, uint32_t numColumns, bool roundScale) {
  for (uint32_t block = 0; block < numColumns / kScaleBlock; ++block) {
    const uint16_t* source = row + block * kScaleBlock;
    // Magnitudes of finite bf16 values are ordered as their bits are.
    uint16_t largest = 0;
    for (uint32_t c = 0; c < kScaleBlock; ++c) {
      const uint16_t magnitude = source[c] & 0x7fffU;
      largest = magnitude > largest ? magnitude : largest;
    }
    const BlockScale scale = blockScale(bf16ToFloat(largest), roundScale);
    scales[block] = scale.scale;
    for (uint32_t c = 0; c < kScaleBlock; ++c) {
      codes[block * kScaleBlock + c] = floatToE4m3(multiplyRounded(bf16ToFloat(source[c]), scale.multiplier));
    }
  }
}

namespace {

// Every e4m3 code as a float; index by the code.
struct E4m3Table {
  float value[256];
  E4m3Table() {
    for (uint32_t code = 0; code < 256; ++code) value[code] = e4m3ToFloat(static_cast<uint8_t>(code));
  }
};

}  // namespace

void dequantizeRow(uint16_t* out, const uint8_t* codes, const float* scales, uint32_t numColumns,
                   float factor) {
  static const E4m3Table table;
  for (uint32_t c = 0; c < numColumns; ++c) {
    out[c] =
        floatToBf16(multiplyRounded(multiplyRounded(table.value[codes[c]], scales[c / kScaleBlock]), factor));
  }
}

RAILRUNNER_CLONES
void scaleRow(uint16_t* out, const uint16_t* row, uint32_t numColumns, float factor) {
  for (uint32_t c = 0; c < numColumns; ++c)
    out[c] = floatToBf16(multiplyRounded(bf16ToFloat(row[c]), factor));
}

void copyStreaming(void* target, const void* source, uint64_t bytes) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  auto* to = static_cast<__m128i*>(target);
  const auto* from = static_cast<const __m128i*>(source);
  for (uint64_t i = 0; i < bytes / 16; ++i) _mm_stream_si128(to + i, _mm_load_si128(from + i));
#else
  std::memcpy(target, source, bytes);
#endif
}

void finishStreaming() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace railrunner::moe::host
