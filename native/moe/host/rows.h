#pragma once

#include <cstdint>

#include "moe/shape.h"

// The loops over one row's elements. Compiled for several instruction sets, chosen when the program is
// loaded; all give the same bits, because products and sums are rounded one by one.
namespace railrunner::moe::host {

// out[c] = bf16(sum over j of weights[j] * rows[j][c]), in fp32, j ascending, from zero. weights null: all 1,
// plain sum. numColumns is a multiple of kScaleBlock. count 0 gives zeros.
void sumRows(uint16_t* out, const uint16_t* const* rows, const float* weights, uint32_t count,
             uint32_t numColumns);

// Rows in groups: those of group g are rows[ends[g - 1]] up to rows[ends[g]]. A token's combined row is a sum of groups,
// each of them one rank's experts, or the sum that such a rank has sent.
struct RowGroups {
  const uint16_t* rows[kMaxTopk];
  float weights[kMaxTopk];
  uint32_t ends[kMaxTopk];
  uint32_t numRows = 0;
  uint32_t numGroups = 0;

  void add(const uint16_t* row, float weight) {
    rows[numRows] = row;
    weights[numRows++] = weight;
  }
  void endGroup() { ends[numGroups++] = numRows; }
};

// out[c] = bf16(sum over groups of bf16(sum over the group's rows of weight * row)), both in fp32, in order, from zero:
// the bits of sumRows for each group and then over these, without their rows in between.
void sumGroups(uint16_t* out, const RowGroups& groups, uint32_t numColumns);

// One token to e4m3: codes[numColumns] and one scale a kScaleBlock channels.
void quantizeRow(uint8_t* codes, float* scales, const uint16_t* row, uint32_t numColumns, bool roundScale);

// bf16(code * scale * factor); factor is a power of two with a sign, so it rounds once.
void dequantizeRow(uint16_t* out, const uint8_t* codes, const float* scales, uint32_t numColumns,
                   float factor);

// bf16 row times a power of two with a sign: exact.
void scaleRow(uint16_t* out, const uint16_t* row, uint32_t numColumns, float factor);

// Copies bytes (a multiple of 16, both 16-byte aligned) past the caches: the target is not read again soon.
void copyStreaming(void* target, const void* source, uint64_t bytes);
// Orders streaming copies before what follows.
void finishStreaming();

}  // namespace railrunner::moe::host
