#include "moe/cuda/content.h"
#include "moe/cuda/device_memory.cuh"
#include "moe/cuda/low_latency/launch.h"
#include "moe/numerics.h"
#include "moe/payload.h"

namespace railrunner::moe::cuda {

namespace {

constexpr uint32_t kContentThreads = 256;

__global__ void fillTokensKernel(Shape shape, uint32_t seed, uint32_t salt, uint32_t rank, uint16_t* x) {
  const uint32_t base = tokenBase(seed, salt, rank, blockIdx.x);
  const uint32_t columns = shape.paddedHidden();
  auto* row = reinterpret_cast<uint32_t*>(x + static_cast<uint64_t>(blockIdx.x) * columns);
  for (uint32_t pair = threadIdx.x; pair < columns / 2; pair += blockDim.x) {
    uint32_t two = 2 * pair < shape.hidden ? payloadPair(base, pair) : 0;
    if (2 * pair + 1 >= shape.hidden) two &= 0xffffU;
    row[pair] = two;
  }
}

__device__ float elementOf(const Shape& shape, const DispatchResult& result, uint64_t row, uint32_t column) {
  const uint64_t index = row * shape.paddedHidden() + column;
  if (shape.payload == DispatchDtype::kBf16) {
    return bf16ToFloat(reinterpret_cast<const uint16_t*>(result.x)[index]);
  }
  const float scale = result.scales[row * shape.numScales() + column / kScaleBlock];
  return multiplyRounded(e4m3ToFloat(result.x[index]), scale);
}

// Blocks: y strides over rows of a group, x is the group (expertMajor: local expert, rankMajor: source).
__global__ void expertsKernel(Shape shape, uint32_t rank, DispatchResult result, uint16_t* y) {
  const bool rankMajor = shape.outputLayout == OutputLayout::kRankMajor;
  const uint32_t group = blockIdx.x;
  const uint32_t columns = shape.paddedHidden();
  const uint32_t firstExpert = rank * shape.numLocalExperts();
  const uint64_t first =
      static_cast<uint64_t>(group) * (rankMajor ? shape.maxDispatchTokensPerRank : shape.maxReceivedTokens());
  for (int32_t i = static_cast<int32_t>(blockIdx.y); i < result.count[group];
       i += static_cast<int32_t>(gridDim.y)) {
    const uint64_t row = first + static_cast<uint32_t>(i);
    for (uint32_t column = threadIdx.x; column < columns; column += blockDim.x) {
      const float x = elementOf(shape, result, row, column);
      float value = 0.0F;
      if (!rankMajor) {
        value = multiplyRounded(x, expertFactor(firstExpert + group));
      } else {
        // All local experts of the token together, weighted, in the order of k; each returns bf16.
        const float single = bf16ToFloat(floatToBf16(x));
        for (uint32_t k = 0; k < shape.numTopk; ++k) {
          const int32_t expert = result.messageRow[row * shape.numTopk + k];
          if (expert < 0) continue;
          const float weight = multiplyRounded(result.messageWeight[row * shape.numTopk + k],
                                               expertFactor(firstExpert + static_cast<uint32_t>(expert)));
          value = addRounded(value, multiplyRounded(weight, single));
        }
      }
      y[row * columns + column] = floatToBf16(value);
    }
  }
}

__global__ void barrierKernel(const __grid_constant__ BarrierArguments a, uint32_t generation) {
  const uint32_t peer = threadIdx.x;
  if (peer >= a.worldSize || a.theirs[peer] == nullptr) return;
  storeRelease(a.theirs[peer], generation);
  for (uint32_t polls = 1; loadAcquire(a.mine + peer) < generation; ++polls) {
    if ((polls & 1023U) == 0 && isWaitOver(*a.control, Missing::kBarrier, peer, 0, generation)) return;
  }
}

template <class Kernel>
void load(Kernel kernel) {
  // As the measured kernels: a change of the split between cache and shared memory would be timed.
  allowCarveout(reinterpret_cast<const void*>(kernel));
}

}  // namespace

void launchFillTokens(const Shape& shape, uint32_t seed, uint32_t salt, uint32_t rank, uint32_t numTokens,
                      uint16_t* x, cudaStream_t stream) {
  if (numTokens == 0) return;
  fillTokensKernel<<<numTokens, kContentThreads, 0, stream>>>(shape, seed, salt, rank, x);
  requireLaunched("fillTokens");
}

void launchExperts(const Shape& shape, uint32_t rank, const DispatchResult& result, uint16_t* y,
                   cudaStream_t stream) {
  const uint32_t groups =
      shape.outputLayout == OutputLayout::kRankMajor ? shape.worldSize : shape.numLocalExperts();
  expertsKernel<<<dim3(groups, 16), kContentThreads, 0, stream>>>(shape, rank, result, y);
  requireLaunched("experts");
}

void launchBarrier(const BarrierArguments& arguments, uint32_t generation, cudaStream_t stream) {
  barrierKernel<<<1, kMaxRanks, 0, stream>>>(arguments, generation);
  requireLaunched("barrier");
}

void prepareContent() {
  load(fillTokensKernel);
  load(expertsKernel);
  load(barrierKernel);
}

}  // namespace railrunner::moe::cuda
