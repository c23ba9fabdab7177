#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "moe/cuda/low_latency/buffer_map.h"
#include "moe/payload.h"

// What the probe's kernel stores where: the bytes to every peer, cut into pieces of one size. Shared by host
// code and kernels, and known to tests without a GPU.
namespace railrunner::moe::cuda {

constexpr uint32_t kPieceAlignment = 16;  // of bulk copies
constexpr uint32_t kPieceGrain = 128;     // pieces and shares are multiples
constexpr uint32_t kMostPieceBytes = 16384;
constexpr uint32_t kPieceMemory = 65536;  // shared memory of a block: a piece for each of its warps
constexpr uint32_t kMostPieceWarps = 16;

struct PieceTarget {
  std::byte* share;     // this rank's, in the peer's memory
  uint64_t bytes;       // multiple of kPieceAlignment
  uint32_t firstPiece;  // of the source, for the target's first piece
};

struct PeerPieces {
  const std::byte* source;  // read round and round
  uint32_t sourcePieces;
  uint32_t sharePieces;  // a share is written round and round
  uint32_t pieceBytes;
  uint32_t numTargets;
  uint32_t numUnits;  // one for each target and round; those beyond a target's bytes are empty
  PieceTarget targets[kMaxRanks];
};

struct Piece {
  const std::byte* from;
  std::byte* to;
  uint32_t bytes;  // 0: nothing
};

// Neighbouring units go to different targets.
RAILRUNNER_HOST_DEVICE inline Piece pieceOf(const PeerPieces& p, uint32_t unit) {
  const uint32_t round = unit / p.numTargets;
  const PieceTarget& target = p.targets[unit - round * p.numTargets];
  const uint64_t begin = static_cast<uint64_t>(round) * p.pieceBytes;
  if (begin >= target.bytes) return {nullptr, nullptr, 0};
  const uint64_t left = target.bytes - begin;
  const uint64_t from = static_cast<uint64_t>((target.firstPiece + round) % p.sourcePieces) * p.pieceBytes;
  const uint64_t to = static_cast<uint64_t>(round % p.sharePieces) * p.pieceBytes;
  return {p.source + from, target.share + to,
          left < p.pieceBytes ? static_cast<uint32_t>(left) : p.pieceBytes};
}

RAILRUNNER_HOST_DEVICE inline uint64_t alignPiece(uint64_t bytes) {
  return (bytes + kPieceAlignment - 1) / kPieceAlignment * kPieceAlignment;
}

// Of a source that pieces of up to kMostPieceBytes are read from.
inline uint64_t pieceSourceBytes(uint64_t bytes) {
  return (bytes + kMostPieceBytes - 1) / kMostPieceBytes * kMostPieceBytes;
}

// Shorter where a share is. Both multiples of kPieceGrain.
inline uint32_t pieceBytesFor(uint32_t wanted, uint64_t shareBytes) {
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, shareBytes));
}

// How much of a share those bytes fill: all of it where they go round.
inline uint64_t arrivedBytes(uint64_t bytes, uint64_t shareBytes, uint32_t pieceBytes) {
  return std::min<uint64_t>(alignPiece(bytes), shareBytes / pieceBytes * pieceBytes);
}

// One target of the pieces: its share and the bytes that go there.
struct ShareBytes {
  std::byte* share;
  uint64_t bytes;
};

// sourceBytes: of pieceSourceBytes(); shareBytes: a multiple of kPieceGrain. At most kMaxRanks targets.
inline PeerPieces peerPieces(const std::byte* source, uint64_t sourceBytes, uint64_t shareBytes,
                             uint32_t wantedPieceBytes, const std::vector<ShareBytes>& targets) {
  PeerPieces p{};
  p.source = source;
  p.pieceBytes = pieceBytesFor(wantedPieceBytes, shareBytes);
  p.sourcePieces = static_cast<uint32_t>(sourceBytes / p.pieceBytes);
  p.sharePieces = static_cast<uint32_t>(shareBytes / p.pieceBytes);
  uint32_t rounds = 0;
  uint32_t read = 0;
  for (const ShareBytes& target : targets) {
    if (target.bytes == 0) continue;
    const uint64_t bytes = alignPiece(target.bytes);
    const auto pieces = static_cast<uint32_t>((bytes + p.pieceBytes - 1) / p.pieceBytes);
    p.targets[p.numTargets++] = {target.share, bytes, read % p.sourcePieces};
    read += pieces;
    rounds = std::max(rounds, pieces);
  }
  p.numUnits = rounds * p.numTargets;
  return p;
}

// Blocks that deal the units out in turn: without a common divisor with the targets each serves all of them,
// also where one gets more than the others.
inline uint32_t pieceBlocks(const PeerPieces& p, uint32_t processors) {
  uint32_t blocks = std::min(processors, p.numUnits);
  while (blocks > 1 && std::gcd(blocks, p.numTargets) != 1) --blocks;
  return blocks;
}

// What a source holds: words that differ by probe and rank, with a period that divides every piece, so that a
// share holds the same however often it was gone round.
RAILRUNNER_HOST_DEVICE inline uint32_t pieceWord(uint32_t salt, uint32_t rank, uint64_t index) {
  constexpr uint32_t kPeriod = kPieceGrain / sizeof(uint32_t);
  return mix32(mix32(mix32(salt) + rank) + static_cast<uint32_t>(index % kPeriod));
}

}  // namespace railrunner::moe::cuda
