#include "core/pattern.h"
#include "kv/cuda/pattern_kernels.h"

namespace railrunner::cuda {

namespace {

constexpr uint32_t kLanes = 32;
constexpr uint32_t kThreads = 256;
constexpr uint32_t kMaxBlocks = 2048;
// What a warp takes at a time. A multiple of 16, so that parts of an aligned span are aligned.
constexpr uint64_t kPartBytes = 16384;

// One part of one span, and what it holds.
struct Part {
  uint8_t* at;
  uint32_t bytes;
  uint32_t firstWord;
  uint64_t span;  // as PatternResult counts them
  uint64_t base;
  bool poison;
  const PatternBlock* pages;  // where the span's words belong to pages; else null
  uint32_t layer;
  uint32_t outer;
};

__device__ __forceinline__ Part partAt(const PatternView& view, const PatternBlock* blocks, uint64_t index,
                                       uint32_t partsPerSpan) {
  const uint64_t span = index / partsPerSpan;
  const uint32_t part = static_cast<uint32_t>(index - span * partsPerSpan);
  const uint32_t spansPerBlock = view.numLayers * view.numOuters;
  const uint32_t listed = static_cast<uint32_t>(span / spansPerBlock);
  const uint32_t inBlock = static_cast<uint32_t>(span - uint64_t{listed} * spansPerBlock);
  const uint32_t layer = inBlock / view.numOuters;
  const uint32_t outer = inBlock - layer * view.numOuters;
  const PatternBlock* pages = blocks + uint64_t{listed} * view.pagesPerBlock;
  const PatternBlock block = *pages;
  const uint64_t skip = part * kPartBytes;
  Part result;
  result.at =
      reinterpret_cast<uint8_t*>(view.base + block.place * view.blockStride + layer * view.layerStride +
                                 outer * view.outerStride + view.skip + skip);
  result.bytes = static_cast<uint32_t>(view.bytes - skip < kPartBytes ? view.bytes - skip : kPartBytes);
  result.firstWord = static_cast<uint32_t>(skip / 8);
  result.span = span;
  result.poison = view.poisonOnly != 0 || layer < block.layerBegin || layer >= block.layerEnd;
  result.base =
      result.poison
          ? view.poison
          : regionBase({block.seed, block.owner, block.block, view.group, layer, view.firstOuter + outer});
  result.pages = view.poisonOnly == 0 && view.rowWords != 0 ? pages : nullptr;
  result.layer = layer;
  result.outer = view.firstOuter + outer;
  return result;
}

__device__ __noinline__ uint64_t wordOfPage(const PatternView& view, const Part& part, uint64_t word) {
  const uint64_t row = word / view.rowWords;
  const uint64_t inner = row % view.innerRows;
  const uint64_t rows = row / view.innerRows;
  const PatternBlock page = part.pages[rows % view.pagesPerBlock];
  if (part.layer < page.layerBegin || part.layer >= page.layerEnd) return view.poison;
  const uint64_t base = regionBase({page.seed, page.owner, page.block, view.group, part.layer, part.outer});
  return patternWord(base, view.firstWord + rows / view.pagesPerBlock * view.outerStep +
                               inner * view.innerStep + (word - row * view.rowWords));
}

__device__ __forceinline__ uint64_t expectedWord(const PatternView& view, const Part& part, uint32_t word) {
  if (part.pages != nullptr) return wordOfPage(view, part, uint64_t{part.firstWord} + word);
  return part.poison ? part.base : patternWord(part.base, part.firstWord + word);
}

// Calls visitPair(word, address) for aligned pairs of words and visitBytes(word, address, count) for the
// rest.
template <class VisitPair, class VisitBytes>
__device__ __forceinline__ void visitWords(const Part& part, uint32_t lane, VisitPair visitPair,
                                           VisitBytes visitBytes) {
  uint32_t firstSingle = 0;
  if ((reinterpret_cast<uint64_t>(part.at) & 15U) == 0) {
    const uint32_t pairs = part.bytes / 16;
#pragma unroll 4
    for (uint32_t i = lane; i < pairs; i += kLanes)
      visitPair(2 * i, reinterpret_cast<ulonglong2*>(part.at) + i);
    firstSingle = 2 * pairs;
  }
  const uint32_t words = (part.bytes + 7) / 8;
  for (uint32_t word = firstSingle + lane; word < words; word += kLanes) {
    const uint32_t left = part.bytes - 8 * word;
    visitBytes(word, part.at + 8 * word, left < 8 ? left : 8);
  }
}

__global__ void fillKernel(PatternView view, const PatternBlock* blocks, uint64_t parts,
                           uint32_t partsPerSpan) {
  const uint32_t lane = threadIdx.x % kLanes;
  const uint32_t warps = gridDim.x * kThreads / kLanes;
  for (uint64_t i = (blockIdx.x * kThreads + threadIdx.x) / kLanes; i < parts; i += warps) {
    const Part part = partAt(view, blocks, i, partsPerSpan);
    visitWords(
        part, lane,
        [&](uint32_t word, ulonglong2* place) {
          *place = make_ulonglong2(expectedWord(view, part, word), expectedWord(view, part, word + 1));
        },
        [&](uint32_t word, uint8_t* place, uint32_t bytes) {
          const uint64_t value = expectedWord(view, part, word);
          for (uint32_t b = 0; b < bytes; ++b) place[b] = static_cast<uint8_t>(value >> (8 * b));
        });
  }
}

__global__ void checkKernel(PatternView view, const PatternBlock* blocks, uint64_t parts,
                            uint32_t partsPerSpan, PatternResult* result) {
  const uint32_t lane = threadIdx.x % kLanes;
  const uint32_t warps = gridDim.x * kThreads / kLanes;
  uint64_t wrong = 0;
  uint64_t first = PatternResult::kNoPlace;
  for (uint64_t i = (blockIdx.x * kThreads + threadIdx.x) / kLanes; i < parts; i += warps) {
    const Part part = partAt(view, blocks, i, partsPerSpan);
    const auto note = [&](uint32_t word) {
      ++wrong;
      const uint64_t place = part.span << 32 | (part.firstWord + word);
      first = place < first ? place : first;
    };
    visitWords(
        part, lane,
        [&](uint32_t word, const ulonglong2* place) {
          const ulonglong2 found = *place;
          if (found.x != expectedWord(view, part, word)) note(word);
          if (found.y != expectedWord(view, part, word + 1)) note(word + 1);
        },
        [&](uint32_t word, const uint8_t* place, uint32_t bytes) {
          uint64_t found = 0;
          for (uint32_t b = 0; b < bytes; ++b) found |= static_cast<uint64_t>(place[b]) << (8 * b);
          const uint64_t mask = bytes == 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
          if (found != (expectedWord(view, part, word) & mask)) note(word);
        });
  }
  // Right data is the usual case, so the atomics cost nothing there.
  if (wrong != 0) {
    atomicAdd(reinterpret_cast<unsigned long long*>(&result->wrong), static_cast<unsigned long long>(wrong));
    atomicMin(reinterpret_cast<unsigned long long*>(&result->firstPlace),
              static_cast<unsigned long long>(first));
  }
}

struct Launch {
  uint64_t parts;
  uint32_t partsPerSpan;
  uint32_t blocks;
};

Launch launchFor(const PatternView& view, uint32_t numBlocks) {
  Launch launch;
  launch.partsPerSpan = static_cast<uint32_t>((view.bytes + kPartBytes - 1) / kPartBytes);
  launch.parts = uint64_t{numBlocks} * view.numLayers * view.numOuters * launch.partsPerSpan;
  const uint64_t needed = (launch.parts + kThreads / kLanes - 1) / (kThreads / kLanes);
  launch.blocks = static_cast<uint32_t>(needed < kMaxBlocks ? needed : kMaxBlocks);
  return launch;
}

}  // namespace

cudaError_t launchFill(const PatternView& view, const PatternBlock* blocks, uint32_t numBlocks,
                       cudaStream_t stream) {
  const Launch launch = launchFor(view, numBlocks);
  if (launch.parts == 0) return cudaSuccess;
  fillKernel<<<launch.blocks, kThreads, 0, stream>>>(view, blocks, launch.parts, launch.partsPerSpan);
  return cudaGetLastError();
}

cudaError_t launchCheck(const PatternView& view, const PatternBlock* blocks, uint32_t numBlocks,
                        PatternResult* result, cudaStream_t stream) {
  const Launch launch = launchFor(view, numBlocks);
  if (launch.parts == 0) return cudaSuccess;
  checkKernel<<<launch.blocks, kThreads, 0, stream>>>(view, blocks, launch.parts, launch.partsPerSpan,
                                                      result);
  return cudaGetLastError();
}

cudaError_t preloadPatternKernels() {
  cudaFuncAttributes attributes;
  const cudaError_t status = cudaFuncGetAttributes(&attributes, fillKernel);
  return status != cudaSuccess ? status : cudaFuncGetAttributes(&attributes, checkKernel);
}

}  // namespace railrunner::cuda
