#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "moe/high_throughput/received_rows.h"

// The kernels of high-throughput dispatch and combine, and what host code passes to them.
//
// Every rank waits until a source is ready, reads the source's ids and computes the positions of all rows by itself.
// Rank-major rows are stored by their sources into slots of the ranks that need them, by token, meanwhile; expert-major
// ones are read from the source, or from slots that copy engines fill. Combine reads rank-major outputs where they are;
// hosts store their sums of expert-major ones into slots of the tokens' owners.
namespace railrunner::moe::cuda {
struct WaitControl;
}

namespace railrunner::moe::cuda::high_throughput {

using moe::high_throughput::Capacity;
using moe::high_throughput::ReceivedRows;
using moe::high_throughput::ReceiveNeed;
using moe::high_throughput::Strategy;

constexpr uint32_t kMaxPeers = 32;           // a lane of a warp each
constexpr uint32_t kMostPieceBytes = 16384;  // of a row that moves at once
constexpr uint32_t kGroupTokens = 32;        // tokens of a source are dealt out in groups: a lane each
constexpr uint32_t kMostBlocks = 256;

constexpr uint32_t kMoveThreads = 1024;
constexpr uint32_t kTeams = 3;  // of combine: a token each
constexpr uint32_t kTeamWarps = 4;
constexpr uint32_t kConsumerWarps = kTeams * kTeamWarps;
constexpr uint32_t kCombineThreads = 32 * (kConsumerWarps + kTeams);  // a loading warp for each team

// Offsets in the symmetric buffer of a rank, in bytes.
struct SymmetricMap {
  uint64_t ready = 0;    // [worldSize] words: epoch of the source's last call << 32 | its tokens
  uint64_t layouts = 0;  // [worldSize] words: epoch of the dispatch whose layout the source uses
  uint64_t partials =
      0;  // [worldSize, kMostBlocks] words: the epoch in which a host's block has made its sums
  uint64_t gathered = 0;  // [worldSize] words: the epoch in which all tokens of the source are here
  // [worldSize, kMostBlocks] words with the epoch, per source: which of its blocks have stored their rows here, or which
  // pieces copy engines have
  uint64_t pushed = 0;
  uint64_t barrier = 0;  // [worldSize] words
  uint64_t ids = 0;      // int32 [maxDispatchTokensPerRank, numTopk]
  uint64_t weights = 0;  // fp32 [maxDispatchTokensPerRank, numTopk]
  uint64_t x =
      0;  // [slots, maxDispatchTokensPerRank, payloadRowBytes]; with allGather a row behind them that nobody writes
  uint64_t scales = 0;  // [slots, maxDispatchTokensPerRank, scaleBytes]
  // bf16 [capacity.tokens, bf16RowBytes]: what the owners of the tokens read; where sums are pushed, at the owner
  // [worldSize, maxDispatchTokensPerRank, bf16RowBytes], by host
  uint64_t y = 0;
  uint64_t totalBytes = 0;
  uint32_t scaleBytes = 0;  // of one row, a multiple of 16; 0 without fp8
  uint32_t slots =
      1;  // 1, or where rows are stored by their sources one for each rank, its own tokens in its own

  RAILRUNNER_HOST_DEVICE uint64_t xOffset(const Shape& s, uint32_t slot) const {
    return x + static_cast<uint64_t>(slot) * s.maxDispatchTokensPerRank * s.payloadRowBytes();
  }
  RAILRUNNER_HOST_DEVICE uint64_t scalesOffset(const Shape& s, uint32_t slot) const {
    return scales + static_cast<uint64_t>(slot) * s.maxDispatchTokensPerRank * scaleBytes;
  }
};

// What a rank stores into its peers' slots instead of letting them read it.
struct Pushed {
  bool rows = false;  // dispatch: tokens' rows, as copy engines do with allGather
  bool sums = false;  // combine of expert-major outputs: partial sums
};

SymmetricMap symmetricMap(const Shape& shape, const Capacity& capacity, Strategy strategy,
                          Pushed pushed = {});

// Received tokens of one source that one block places and moves: a range of their numbers.
struct ChunkRange {
  uint32_t first;
  uint32_t count;
};

// Private device memory of the kernels; the handle of a layout is part of it.
struct Workspace {
  uint32_t* meeting;       // [2] arrivals and generation of the blocks' meeting
  uint32_t* blockCounts;   // [blocks, worldSize sources, numLocalExperts + worldSize]
  uint32_t* expertTotals;  // [blocks, numExperts]
  ChunkRange* chunks;      // handle: [blocks, worldSize sources]
  int32_t*
      tokenPlace;  // handle: [maxDispatchTokensPerRank, worldSize] received token at each rank, -1 = not there
  uint32_t* tokenHosts;  // handle: [maxDispatchTokensPerRank] bit r: it is at rank r
};

// What every rank gets, in pinned host memory.
struct NeedReport {
  uint32_t tokens[kMaxPeers];
  uint32_t rows[kMaxPeers];
  uint32_t epoch;  // stored last
};

// Parts of a call.
constexpr uint32_t kAnnounce = 1;  // tells the peers that this rank is ready
constexpr uint32_t kLayout = 2;    // dispatch: counts and places
constexpr uint32_t kMove = 4;      // dispatch: rows
constexpr uint32_t kPartials = 8;  // combine of expert-major outputs: one sum for each received token
constexpr uint32_t kPull = 16;     // combine: rows of the hosts to the tokens' sums

// Tokens of each piece but the last.
RAILRUNNER_HOST_DEVICE inline uint32_t tokensOfPiece(uint32_t numTokens, uint32_t pieces) {
  const uint32_t tokens = (numTokens + pieces - 1) / pieces;
  return tokens == 0 ? 1 : tokens;
}

// Faults that tests plant.
struct Seam {
  uint32_t relaxed = 0;  // sums are published before they are made
  uint32_t silent = 0;   // nothing is announced
  uint32_t allArrive =
      0;  // no fault: every thread says for itself that it has read, which racecheck can follow
};

struct CallArguments {
  Shape shape;
  Capacity capacity;
  SymmetricMap map;
  Workspace work;
  ReceivedRows result;
  uint32_t expertAlignment;
  uint32_t weighted;
  uint32_t gathered;    // x of every source is in this rank's own slots already
  uint32_t pushedSums;  // hosts store their sums into the owners' slots
  uint32_t
      gatherPieces;  // of each source's tokens, which arrive in slots while dispatch moves rows; 0: rows are there before
  uint32_t agreeOnRoom;  // counts all ranks' needs; refuses where one has no room, and reports
  uint32_t rank;
  uint32_t numTokens;
  uint32_t phases;
  uint32_t epoch;  // of the call, or what is added to *epochBase where that is given (replayed graphs)
  const uint32_t* epochBase;
  uint32_t layout;  // epoch of the dispatch that made the layout in use; 0: this one
  WaitControl* control;
  NeedReport* report;
  Seam seam;
  const uint16_t* y;  // expert-major: the experts' rows [capacity.rows]; private
  uint16_t* out;      // combine: bf16 [maxDispatchTokensPerRank, paddedHidden]
  std::byte* base[kMaxPeers];
  uint32_t staged;           // bit r: rank r is reached over the network, base is its mirror here
  Capacity room[kMaxPeers];  // receive memory of every rank, where they agree on it
};

// How sources push: each warp through a ring of kPushStages pieces in shared memory, kPushAhead of which are being loaded
// while the others are being stored. As measured best: more warps with pieces of half a row store faster than fewer with
// whole rows or deeper rings.
constexpr uint32_t kMostPushWarps = 32;
constexpr uint32_t kPushStages = 2;
constexpr uint32_t kPushAhead = 1;
constexpr uint32_t kMostPushedPiece = 8192;  // bytes

struct PushPlan {
  uint32_t blocks = 0;
  uint32_t warps = 0;   // of a block
  uint32_t pieces = 0;  // of a row
  uint32_t pieceBytes = 0;
  uint32_t slotBytes = 0;
  uint32_t sharedBytes = 0;
};

// Throws kUnsupportedHere if rows do not fit. pieces: at least as many, for tests.
PushPlan pushPlan(const Shape& shape, uint32_t blocks, uint32_t pieces = 0);

// How a shape runs on the current device.
struct LaunchPlan {
  uint32_t blocks = 0;       // one per processor
  uint32_t layoutWarps = 0;  // of a block that count and place
  uint32_t moveWarps = 0;    // of a block that move rows, a piece of shared memory each
  uint32_t pullSlots = 0;    // pieces of shared memory of each team of a combine block
  uint32_t dispatchBytes = 0;
  uint32_t combineBytes = 0;
  PushPlan
      push;  // additional blocks of the same dispatch launch that push rank-major rows; none if its blocks are 0
};

// Throws kUnsupportedHere where the device cannot. processors: 0 = as many as saturate the links.
LaunchPlan launchPlan(const Shape& shape, uint32_t processors);
// The same processors for a dispatch that pushes: some compute positions, the others push.
LaunchPlan pushingPlan(const Shape& shape, const LaunchPlan& all);

// Bytes of the parts of a workspace, and where they begin in one allocation.
struct WorkspaceMap {
  uint64_t meeting, blockCounts, expertTotals, chunks, tokenPlace, tokenHosts, totalBytes;
};
WorkspaceMap workspaceMap(const Shape& shape, uint32_t blocks);
Workspace workspaceAt(std::byte* memory, const WorkspaceMap& map);

// Throw kCuda. Asynchronous on the stream, capturable.
void launchDispatch(const CallArguments& arguments, const LaunchPlan& plan, cudaStream_t stream);
void launchCombine(const CallArguments& arguments, const LaunchPlan& plan, cudaStream_t stream);
// kAnnounce, then all of this rank's rows into its slots at every peer by copy engines: in arguments.gatherPieces pieces, each
// followed by a word, or if that is 0 as one; then the stream waits for the peers' rows.
void queueGather(const CallArguments& arguments, cudaStream_t stream);
// Once per device, before a launch.
void prepareKernels();

}  // namespace railrunner::moe::cuda::high_throughput
