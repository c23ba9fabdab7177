#include "moe/cuda/high_throughput/call.cuh"
#include "moe/cuda/high_throughput/content.h"
#include "moe/cuda/high_throughput/launch.h"
#include "moe/numerics.h"
#include "moe/payload.h"

namespace railrunner::moe::cuda::high_throughput {

namespace {

constexpr uint32_t kContentThreads = 256;
constexpr uint32_t kExpertBlocks = 16;   // of each expert
constexpr uint32_t kTokenBlocks = 1024;  // of all received tokens

// Blocks: a token each; a warp quantises every eighth scale block.
__global__ void quantizeKernel(Shape shape, uint32_t scaleBytes, const uint16_t* x, uint8_t* codes,
                               float* scales) {
  const uint32_t lane = threadIdx.x % 32;
  const uint64_t first = static_cast<uint64_t>(blockIdx.x) * shape.paddedHidden();
  float* to = scales + static_cast<uint64_t>(blockIdx.x) * scaleBytes / 4;
  for (uint32_t block = threadIdx.x / 32; block < shape.numScales(); block += blockDim.x / 32) {
    constexpr uint32_t kEach = kScaleBlock / 32;
    const uint64_t at = first + block * kScaleBlock + lane * kEach;
    float values[kEach];
    float amax = 0;
    for (uint32_t i = 0; i < kEach; ++i) {
      values[i] = bf16ToFloat(x[at + i]);
      amax = fmaxf(amax, fabsf(values[i]));
    }
    for (uint32_t step = 16; step > 0; step /= 2) amax = fmaxf(amax, __shfl_xor_sync(kAll, amax, step));
    const BlockScale scale = blockScale(amax, shape.roundScale);
    for (uint32_t i = 0; i < kEach; ++i)
      codes[at + i] = floatToE4m3(multiplyRounded(values[i], scale.multiplier));
    if (lane == 0) to[block] = scale.scale;
  }
}

struct XRow {
  const std::byte* elements;
  const float* scales;
};

__device__ float elementOf(const Shape& shape, const XRow& row, uint32_t column) {
  if (shape.payload == DispatchDtype::kBf16) {
    return bf16ToFloat(reinterpret_cast<const uint16_t*>(row.elements)[column]);
  }
  const auto code = reinterpret_cast<const uint8_t*>(row.elements)[column];
  return multiplyRounded(e4m3ToFloat(code), row.scales[column / kScaleBlock]);
}

// A row of the result's own x.
__device__ XRow resultRow(const CallArguments& a, uint64_t row) {
  return {reinterpret_cast<const std::byte*>(a.result.x) + row * a.shape.payloadRowBytes(),
          a.result.scales + row * a.shape.numScales()};
}

// Blocks: x an expert, y strides over its rows.
__global__ void expertRowsKernel(const __grid_constant__ CallArguments a) {
  const uint32_t expert = blockIdx.x;
  const uint32_t columns = a.shape.paddedHidden();
  const float factor = expertFactor(a.rank * a.shape.numLocalExperts() + expert);
  auto* y = const_cast<uint16_t*>(a.y);
  for (int32_t i = static_cast<int32_t>(blockIdx.y); i < a.result.count[expert];
       i += static_cast<int32_t>(gridDim.y)) {
    const auto row = static_cast<uint64_t>(a.result.expertBegin[expert] + i);
    const XRow from = resultRow(a, row);
    for (uint32_t column = threadIdx.x; column < columns; column += blockDim.x) {
      y[row * columns + column] = floatToBf16(multiplyRounded(elementOf(a.shape, from, column), factor));
    }
  }
}

// Blocks: stride over received tokens. All local experts of a token together, weighted, in the order of choices.
__global__ void reducedRowsKernel(const __grid_constant__ CallArguments a) {
  const Call call(a);
  const uint32_t columns = a.shape.paddedHidden();
  auto* y = reinterpret_cast<uint16_t*>(a.base[a.rank] + a.map.y);
  for (uint32_t source = 0; source < a.shape.worldSize; ++source) {
    for (int32_t received = a.result.sourceBegin[source] + static_cast<int32_t>(blockIdx.x);
         received < a.result.sourceBegin[source + 1]; received += static_cast<int32_t>(gridDim.x)) {
      XRow from = resultRow(a, static_cast<uint64_t>(received));
      if (a.gathered != 0) {
        const auto token = static_cast<uint32_t>(a.result.sourceToken[received]);
        from = {call.rowAt(source, token), reinterpret_cast<const float*>(call.scalesAt(source, token))};
      }
      for (uint32_t column = threadIdx.x; column < columns; column += blockDim.x) {
        const float single = bf16ToFloat(floatToBf16(elementOf(a.shape, from, column)));
        float sum = 0.0F;
        for (uint32_t k = 0; k < a.shape.numTopk; ++k) {
          const uint64_t choice = static_cast<uint64_t>(received) * a.shape.numTopk + k;
          const int32_t expert = a.result.tokenExpert[choice];
          if (expert < 0) continue;
          const float factor =
              expertFactor(a.rank * a.shape.numLocalExperts() + static_cast<uint32_t>(expert));
          const float weight = multiplyRounded(a.weighted != 0 ? a.result.tokenWeight[choice] : 1.0F, factor);
          sum = addRounded(sum, multiplyRounded(weight, single));
        }
        y[static_cast<uint64_t>(received) * columns + column] = floatToBf16(sum);
      }
    }
  }
}

}  // namespace

void launchQuantize(const Shape& shape, uint32_t numTokens, uint32_t scaleBytes, const uint16_t* x,
                    uint8_t* codes, float* scales, cudaStream_t stream) {
  if (numTokens == 0) return;
  launchPlain(quantizeKernel, "quantize", {numTokens, kContentThreads, 0}, stream, shape, scaleBytes, x,
              codes, scales);
}

void launchExperts(const CallArguments& arguments, cudaStream_t stream) {
  if (arguments.shape.outputLayout == OutputLayout::kRankMajor) {
    launchPlain(reducedRowsKernel, "reducedRows", {kTokenBlocks, kContentThreads, 0}, stream, arguments);
    return;
  }
  const Grid grid{arguments.shape.numLocalExperts(), kContentThreads, 0, kExpertBlocks};
  launchPlain(expertRowsKernel, "expertRows", grid, stream, arguments);
}

void prepareContent() {
  allowShared(reinterpret_cast<const void*>(quantizeKernel));
  allowShared(reinterpret_cast<const void*>(expertRowsKernel));
  allowShared(reinterpret_cast<const void*>(reducedRowsKernel));
}

}  // namespace railrunner::moe::cuda::high_throughput
