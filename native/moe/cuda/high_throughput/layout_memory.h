#pragma once

#include "moe/cuda/high_throughput/arguments.h"

// Shared memory of a block in the layout step, in bytes. Shared by host code and kernels.
namespace railrunner::moe::cuda::high_throughput {

struct LayoutMemory {
  uint32_t warps;          // that count and place
  uint32_t perSource;      // units that a chunk of one source is cut into
  uint32_t units;          // of all sources
  uint32_t columns;        // local experts, then ranks
  uint32_t stageBytes;     // of ids, and as many of weights
  uint32_t groupsOfStage;  // that fit
  uint32_t stages;         // [warps] ids, weights
  uint32_t counts;         // [units, columns]
  uint32_t masks;          // [warps, local experts] lanes whose token chose the expert
  uint32_t totals;         // [sources, columns] of all blocks
  uint32_t before;         // [sources, columns] of the blocks before this one
  uint32_t expertBegin;    // [local experts + 1]
  uint32_t experts;        // [numExperts] rows of all ranks' experts
  uint32_t hostRows;       // [worldSize]
  uint32_t totalBytes;

  // Whether a unit of so many groups is one stage that is still there when its places are found.
  RAILRUNNER_HOST_DEVICE bool oneStage(uint32_t groups) const {
    return units <= warps && groups <= groupsOfStage;
  }
};

RAILRUNNER_HOST_DEVICE inline LayoutMemory layoutMemory(const Shape& s, uint32_t warps) {
  constexpr uint32_t kStageBytes = 2048;
  LayoutMemory m{};
  const uint32_t groupBytes = 4 * s.numTopk * kGroupTokens;
  m.warps = warps;
  m.perSource = warps > s.worldSize ? warps / s.worldSize : 1;
  m.units = m.perSource * s.worldSize;
  m.columns = s.numLocalExperts() + s.worldSize;
  m.groupsOfStage = groupBytes < kStageBytes ? kStageBytes / groupBytes : 1;
  m.stageBytes = m.groupsOfStage * groupBytes;
  uint32_t at = 0;
  const auto place = [&at](uint32_t words) {
    const uint32_t begin = at;
    at += (4 * words + 15) / 16 * 16;
    return begin;
  };
  m.stages = place(warps * 2 * m.stageBytes / 4);
  m.counts = place(m.units * m.columns);
  m.masks = place(warps * s.numLocalExperts());
  m.totals = place(s.worldSize * m.columns);
  m.before = place(s.worldSize * m.columns);
  m.expertBegin = place(s.numLocalExperts() + 1);
  m.experts = place(s.numExperts);
  m.hostRows = place(s.worldSize);
  m.totalBytes = at;
  return m;
}

// Pieces that a row is moved in, each a multiple of 16 bytes and the last the shortest.
RAILRUNNER_HOST_DEVICE inline uint32_t piecesOf(uint64_t rowBytes) {
  return static_cast<uint32_t>((rowBytes + kMostPieceBytes - 1) / kMostPieceBytes);
}
RAILRUNNER_HOST_DEVICE inline uint32_t pieceBytesOf(uint64_t rowBytes) {
  const uint32_t pieces = piecesOf(rowBytes);
  return static_cast<uint32_t>(((rowBytes + pieces - 1) / pieces + 15) / 16 * 16);
}
// Shared memory of one piece on its way: with the row's scales behind the first.
RAILRUNNER_HOST_DEVICE inline uint32_t moveSlotBytes(const Shape& s, uint32_t scaleBytes) {
  return (pieceBytesOf(s.payloadRowBytes()) + scaleBytes + 127) / 128 * 128;
}
RAILRUNNER_HOST_DEVICE inline uint32_t pullSlotBytes(const Shape& s) {
  return (pieceBytesOf(s.bf16RowBytes()) + 127) / 128 * 128;
}
// The rings of a combine block, each slot with two barriers; what is staged for bulk stores follows them.
RAILRUNNER_HOST_DEVICE inline uint32_t ringBytes(uint32_t slots, uint32_t slotBytes) {
  return (kTeams * slots * (slotBytes + 16) + 127) / 128 * 128;
}
RAILRUNNER_HOST_DEVICE inline uint32_t scaleBytesOf(const Shape& s) {
  return s.payload == DispatchDtype::kFp8E4m3 ? (4 * s.numScales() + 15) / 16 * 16 : 0;
}

}  // namespace railrunner::moe::cuda::high_throughput
