#include "kv/cuda/load_once.cuh"
#include "transfer/cuda/row_kernels.h"

namespace railrunner::cuda {

namespace {

constexpr uint32_t kWarpLanes = 32;
// Of a block: four such blocks hold enough loads in flight to saturate the link.
constexpr uint32_t kThreads = 1024;
// As copyPiecesKernel: 2 KiB of a warp in flight before its first store.
constexpr uint32_t kUnroll = 4;

constexpr uint32_t kNoShift = 32;

// By which a row's words are counted, where they are a power of two.
__device__ __forceinline__ uint32_t shiftOf(uint32_t words) {
  return (words & (words - 1)) == 0 ? 31U - static_cast<uint32_t>(__clz(static_cast<int>(words))) : kNoShift;
}

// Where word i of a piece lies, counted over its rows.
template <class Word>
struct RowWords {
  const char* source;
  char* target;
  uint32_t sourceStride, targetStride;
  uint32_t wordsPerRow;
  uint32_t shift;

  __device__ explicit RowWords(const RowPiece& piece)
      : source(reinterpret_cast<const char*>(piece.source)),
        target(reinterpret_cast<char*>(piece.target)),
        sourceStride(piece.sourceStride),
        targetStride(piece.targetStride),
        wordsPerRow(piece.rowBytes / sizeof(Word)),
        shift(shiftOf(wordsPerRow)) {}

  struct At {
    uint32_t row, column;
  };
  __device__ __forceinline__ At at(uint32_t i) const {
    const uint32_t row = shift == kNoShift ? i / wordsPerRow : i >> shift;
    return {row, i - row * wordsPerRow};
  }
  __device__ __forceinline__ Word load(At at) const {
    return loadOnce(reinterpret_cast<const Word*>(source + uint64_t{at.row} * sourceStride) + at.column);
  }
  __device__ __forceinline__ void store(At at, Word word) const {
    reinterpret_cast<Word*>(target + uint64_t{at.row} * targetStride)[at.column] = word;
  }
};

template <class Word>
__device__ __forceinline__ void copyRows(const RowPiece& piece, uint32_t lane) {
  const RowWords<Word> rows(piece);
  const uint32_t words = rows.wordsPerRow * piece.numRows;
  uint32_t i = lane;
  for (; i + kWarpLanes * (kUnroll - 1) < words; i += kWarpLanes * kUnroll) {
    typename RowWords<Word>::At at[kUnroll];
    Word held[kUnroll];
#pragma unroll
    for (uint32_t u = 0; u < kUnroll; ++u) {
      at[u] = rows.at(i + kWarpLanes * u);
      held[u] = rows.load(at[u]);
    }
#pragma unroll
    for (uint32_t u = 0; u < kUnroll; ++u) rows.store(at[u], held[u]);
  }
  for (; i < words; i += kWarpLanes) rows.store(rows.at(i), rows.load(rows.at(i)));
}

__device__ __forceinline__ void tell(const TellWord& to) {
  if (to.word == nullptr) return;
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(to.word), "l"(to.value) : "memory");
}

// The last thread block of a part to end tells: its fence is behind the writes of all others, which they fenced before they
// counted.
__device__ void tellWhenLast(const RowPart& part) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence_system();
  if (atomicAdd(part.finished, 1U) + 1 != part.numBlocks) return;
  *part.finished = 0;
  __threadfence_system();
  tell(part.arrival);
  tell(part.done);
}

// The widest access that all rows allow.
__device__ __forceinline__ void copyPiece(const RowPiece& piece, uint32_t lane) {
  const uint32_t misalignment = (static_cast<uint32_t>(piece.source | piece.target) | piece.rowBytes |
                                 piece.sourceStride | piece.targetStride) &
                                15U;
  if (misalignment == 0) {
    copyRows<uint4>(piece, lane);
  } else if ((misalignment & 7U) == 0) {
    copyRows<uint2>(piece, lane);
  } else if ((misalignment & 3U) == 0) {
    copyRows<uint32_t>(piece, lane);
  } else {
    copyRows<uint8_t>(piece, lane);
  }
}

// Thread blocks in the order of the parts.
__global__ void __launch_bounds__(kThreads) copyRowsKernel(const __grid_constant__ RowLaunch launch) {
  uint32_t block = blockIdx.x;
  uint32_t p = 0;
  while (block >= launch.parts[p].numBlocks) block -= launch.parts[p++].numBlocks;
  const RowPart& part = launch.parts[p];
  const uint32_t warp = (block * blockDim.x + threadIdx.x) / kWarpLanes;
  const uint32_t warps = part.numBlocks * blockDim.x / kWarpLanes;
  const uint32_t lane = threadIdx.x % kWarpLanes;
  for (uint32_t i = warp; i < part.count; i += warps) copyPiece(part.pieces[i], lane);
  tellWhenLast(part);
}

}  // namespace

uint32_t rowBlocks(uint32_t count, uint32_t most) {
  const uint32_t needed = (count + kThreads / kWarpLanes - 1) / (kThreads / kWarpLanes);
  return needed == 0 ? 1 : needed < most ? needed : most;
}

cudaError_t launchCopyRows(const RowLaunch& launch, cudaStream_t stream) {
  uint32_t blocks = 0;
  for (uint32_t p = 0; p < launch.numParts; ++p) blocks += launch.parts[p].numBlocks;
  if (blocks == 0) return cudaSuccess;
  copyRowsKernel<<<blocks, kThreads, 0, stream>>>(launch);
  return cudaGetLastError();
}

cudaError_t preloadRowKernels() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, copyRowsKernel);
}

}  // namespace railrunner::cuda
