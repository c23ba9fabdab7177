#include "moe/host/rows.h"

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

constexpr uint32_t kColumns = 512;  // of one pass: the accumulators stay in the first-level cache

}  // namespace

RAILRUNNER_CLONES
void sumRows(uint16_t* out, const uint16_t* const* rows, const float* weights, uint32_t count,
             uint32_t numColumns) {
  float sum[kColumns];
  for (uint32_t begin = 0; begin < numColumns; begin += kColumns) {
    const uint32_t columns = numColumns - begin < kColumns ? numColumns - begin : kColumns;
    for (uint32_t c = 0; c < columns; ++c) sum[c] = 0.0F;
    for (uint32_t j = 0; j < count; ++j) {
      const uint16_t* row = rows[j] + begin;
      const float weight = weights != nullptr ? weights[j] : 1.0F;
      for (uint32_t c = 0; c < columns; ++c)
        sum[c] = addRounded(sum[c], multiplyRounded(weight, bf16ToFloat(row[c])));
    }
    for (uint32_t c = 0; c < columns; ++c) out[begin + c] = floatToBf16(sum[c]);
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
