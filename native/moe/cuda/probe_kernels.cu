#include <algorithm>

#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/cuda/probe_kernels.h"

namespace railrunner::moe::cuda {

namespace {

constexpr uint32_t kFillThreads = 256;
constexpr uint32_t kFillBlocks = 512;
constexpr uint32_t kCheckBlocks = 64;  // a source

// A warp per piece: into shared memory, then to the peer. The end waits until every byte has been written, or
// the time would be that of issuing them.
__global__ void __launch_bounds__(32 * kMostPieceWarps)
    peerPiecesKernel(const __grid_constant__ PeerPieces p) {
  extern __shared__ __align__(128) std::byte memory[];
  __shared__ uint64_t barriers[kMostPieceWarps];
  const uint32_t warp = threadIdx.x / 32;
  std::byte* own = memory + static_cast<uint64_t>(warp) * p.pieceBytes;
  RowCopies copies(barriers + warp, threadIdx.x % 32);
  copies.prepare();
  __syncwarp();
  const uint32_t stride = gridDim.x * (blockDim.x / 32);
  for (uint32_t unit = blockIdx.x + gridDim.x * warp; unit < p.numUnits; unit += stride) {
    const Piece piece = pieceOf(p, unit);
    if (piece.bytes == 0) continue;
    copies.finishReading();  // of the piece before
    copies.startLoad(own, piece.from, piece.bytes);
    copies.finishLoad();
    copies.startStore(piece.to, own, piece.bytes);
    copies.commit();
  }
  copies.finishStores();
}

__global__ void fillPiecesKernel(uint32_t* words, uint64_t count, uint32_t salt, uint32_t rank) {
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    words[i] = pieceWord(salt, rank, i);
  }
}

// Blocks: x strides over a share, y is the source.
__global__ void countWrongKernel(const __grid_constant__ ArrivedShares a) {
  const uint32_t source = blockIdx.y;
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  uint32_t wrong = 0;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < a.words[source];
       i += stride) {
    wrong += a.share[source][i] != pieceWord(a.salt, source, i) ? 1 : 0;
  }
  if (wrong != 0) atomicAdd(a.wrong + source, static_cast<unsigned long long>(wrong));
}

}  // namespace

void prepareProbeKernels() {
  allowShared(reinterpret_cast<const void*>(peerPiecesKernel));
  allowCarveout(reinterpret_cast<const void*>(fillPiecesKernel));
  allowCarveout(reinterpret_cast<const void*>(countWrongKernel));
}

void launchPeerPieces(const PeerPieces& pieces, uint32_t processors, cudaStream_t stream) {
  if (pieces.numUnits == 0) return;
  const uint32_t blocks = pieceBlocks(pieces, processors);
  const uint32_t most = std::min(kMostPieceWarps, kPieceMemory / pieces.pieceBytes);
  const uint32_t warps = std::min(most, (pieces.numUnits + blocks - 1) / blocks);
  peerPiecesKernel<<<blocks, 32 * warps, warps * pieces.pieceBytes, stream>>>(pieces);
  requireLaunched("peerPieces");
}

void launchFillPieces(uint32_t* words, uint64_t count, uint32_t salt, uint32_t rank, cudaStream_t stream) {
  fillPiecesKernel<<<kFillBlocks, kFillThreads, 0, stream>>>(words, count, salt, rank);
  requireLaunched("fillPieces");
}

void launchCountWrong(const ArrivedShares& arrived, cudaStream_t stream) {
  countWrongKernel<<<dim3(kCheckBlocks, arrived.worldSize), kFillThreads, 0, stream>>>(arrived);
  requireLaunched("countWrong");
}

}  // namespace railrunner::moe::cuda
