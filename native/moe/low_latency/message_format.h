#pragma once

#include "moe/shape.h"

// The bytes that cross between ranks. Shared by host code and CUDA kernels.
namespace railrunner::moe {

constexpr uint64_t kMessageAlignment = 16;  // what one GPU lane moves at a time

// dedup off: 16 bytes before each payload, the seed's format. Its 12 unspecified bytes carry the epoch here.
struct ExpertMessageHeader {
  uint32_t sourceToken;  // index of the token at its source rank
  uint32_t epoch;        // of the dispatch call
  uint32_t reserved[2];
};
static_assert(sizeof(ExpertMessageHeader) == 16);

// dedup on: this, then numTopk int32 expert ids (global, -1 = no choice), then numTopk fp32 weights, then
// zeros up to a multiple of 16 bytes. All choices travel, so that one staged message serves every destination
// rank.
struct RankMessageHeader {
  uint32_t sourceToken;
  uint32_t epoch;
  uint32_t numTopk;
  uint32_t reserved;
};
static_assert(sizeof(RankMessageHeader) == 16);

RAILRUNNER_HOST_DEVICE inline uint64_t alignMessage(uint64_t bytes) {
  return (bytes + kMessageAlignment - 1) / kMessageAlignment * kMessageAlignment;
}

// Offsets of the parts of one dispatch message, and its stride.
//   header 0 | ids idsOffset | weights weightsOffset | payload payloadOffset | scales scalesOffset | total
//   strideBytes
// idsOffset and weightsOffset exist with dedup alone, scales with fp8 alone (fp32 each, one for 128
// channels).
struct MessageFormat {
  uint64_t idsOffset;
  uint64_t weightsOffset;
  uint64_t payloadOffset;
  uint64_t scalesOffset;
  uint64_t strideBytes;
};

RAILRUNNER_HOST_DEVICE inline MessageFormat dispatchMessageFormat(const Shape& shape) {
  MessageFormat format{};
  format.idsOffset = sizeof(RankMessageHeader);
  format.weightsOffset = format.idsOffset + 4ULL * shape.numTopk;
  format.payloadOffset =
      shape.dedup ? alignMessage(format.weightsOffset + 4ULL * shape.numTopk) : sizeof(ExpertMessageHeader);
  format.scalesOffset = format.payloadOffset + shape.payloadRowBytes();
  const uint64_t scaleBytes = shape.payload == DispatchDtype::kFp8E4m3 ? 4ULL * shape.numScales() : 0;
  format.strideBytes = alignMessage(format.scalesOffset + scaleBytes);
  return format;
}

// A combine message is one bf16 row, without a header: its place says which token and expert (or rank) it is
// of.
RAILRUNNER_HOST_DEVICE inline uint64_t combineMessageBytes(const Shape& shape) {
  return shape.bf16RowBytes();
}

}  // namespace railrunner::moe
