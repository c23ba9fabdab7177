#pragma once

#include <cuda_runtime_api.h>

#include "moe/cuda/probe_pieces.h"

// The probe's kernels. All throw kCuda and are asynchronous on the stream.
namespace railrunner::moe::cuda {

// Once per device, before a launch: raises the limit of shared memory and loads the kernels.
void prepareProbeKernels();

// Capturable. Stores every piece, by `processors` blocks at most; ends when all bytes have been written.
// Without units nothing is launched.
void launchPeerPieces(const PeerPieces& pieces, uint32_t processors, cudaStream_t stream);

// words [count]: what pieceWord() says.
void launchFillPieces(uint32_t* words, uint64_t count, uint32_t salt, uint32_t rank, cudaStream_t stream);

// By source: what has come from there.
struct ArrivedShares {
  uint32_t salt;
  uint32_t worldSize;
  unsigned long long* wrong;  // [worldSize]: words that are not what the source holds are added
  const uint32_t* share[kMaxRanks];
  uint64_t words[kMaxRanks];
};
void launchCountWrong(const ArrivedShares& arrived, cudaStream_t stream);

}  // namespace railrunner::moe::cuda
