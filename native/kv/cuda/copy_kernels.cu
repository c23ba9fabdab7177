#include "kv/cuda/copy_kernels.h"
#include "kv/cuda/load_once.cuh"

namespace railrunner::cuda {

namespace {

constexpr uint32_t kWarpLanes = 32;
// Loads in flight before the first store: four of 16 bytes per lane, 2 KiB a warp, cover the latency of PCIe.
constexpr uint32_t kUnroll = 4;

template <class Word>
__device__ __forceinline__ void copyWords(const CopyPiece& piece, uint32_t firstByte, uint32_t lane) {
  const Word* source = reinterpret_cast<const Word*>(piece.source + firstByte);
  Word* target = reinterpret_cast<Word*>(piece.target + firstByte);
  const uint32_t words = (piece.bytes - firstByte) / sizeof(Word);
  uint32_t i = lane;
  for (; i + kWarpLanes * (kUnroll - 1) < words; i += kWarpLanes * kUnroll) {
    Word held[kUnroll];
#pragma unroll
    for (uint32_t u = 0; u < kUnroll; ++u) held[u] = loadOnce(source + i + kWarpLanes * u);
#pragma unroll
    for (uint32_t u = 0; u < kUnroll; ++u) target[i + kWarpLanes * u] = held[u];
  }
  for (; i < words; i += kWarpLanes) target[i] = loadOnce(source + i);
}

// The widest access that both addresses allow, then what is left of the piece byte by byte.
__global__ void copyPiecesKernel(const CopyPiece* pieces, uint32_t count, CopyBases bases) {
  const uint32_t warp = (blockIdx.x * blockDim.x + threadIdx.x) / kWarpLanes;
  const uint32_t warps = gridDim.x * blockDim.x / kWarpLanes;
  const uint32_t lane = threadIdx.x % kWarpLanes;
  for (uint32_t i = warp; i < count; i += warps) {
    CopyPiece piece = pieces[i];
    piece.source += bases.source;
    piece.target += bases.target;
    const uint32_t misalignment = static_cast<uint32_t>(piece.source | piece.target) & 15U;
    uint32_t width = 1;
    if (misalignment == 0) {
      width = 16;
      copyWords<uint4>(piece, 0, lane);
    } else if ((misalignment & 7U) == 0) {
      width = 8;
      copyWords<uint2>(piece, 0, lane);
    } else if ((misalignment & 3U) == 0) {
      width = 4;
      copyWords<uint32_t>(piece, 0, lane);
    }
    const uint32_t tail = width == 1 ? 0 : piece.bytes / width * width;
    if (tail < piece.bytes) copyWords<uint8_t>(piece, tail, lane);
  }
}

}  // namespace

cudaError_t launchCopyPieces(const CopyPiece* pieces, uint32_t count, CopyBases bases, CopyGrid grid,
                             cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  const uint32_t warpsPerBlock = grid.threads / kWarpLanes;
  const uint32_t needed = (count + warpsPerBlock - 1) / warpsPerBlock;
  const uint32_t blocks = needed < grid.blocks ? needed : grid.blocks;
  copyPiecesKernel<<<blocks, grid.threads, 0, stream>>>(pieces, count, bases);
  return cudaGetLastError();
}

cudaError_t preloadCopyKernels() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, copyPiecesKernel);
}

}  // namespace railrunner::cuda
