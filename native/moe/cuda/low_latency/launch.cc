#include "moe/cuda/low_latency/launch.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"

namespace railrunner::moe::cuda {

namespace {

void require(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kCuda, what + ": " + cudaGetErrorString(status));
}

int attribute(cudaDeviceAttr which) {
  int ordinal = 0;
  int value = 0;
  require(cudaGetDevice(&ordinal), "reading the current device");
  require(cudaDeviceGetAttribute(&value, which, ordinal), "reading a device attribute");
  return value;
}

constexpr uint32_t kDispatchGroups = 2;
static_assert(kDispatchGroups <= kMaxDispatchGroups);
constexpr uint32_t kCombineGroups = 4;
constexpr uint32_t kMaxSliceBytes = 16384;  // longer rows are cut: a block holds eight in shared memory

}  // namespace

void requireLaunched(const char* kernel) {
  require(cudaGetLastError(), std::string("launching the kernel ") + kernel);
}

void launchOverlapped(void (*kernel)(KernelArguments), const char* name, const KernelArguments& arguments,
                      uint32_t blocks, uint32_t sharedBytes, cudaStream_t stream, bool overlaps) {
  // Code for GPUs before sm_90 has no awaitPredecessor(), and would not wait.
  static const bool waits = [kernel] {
    cudaFuncAttributes code{};
    require(cudaFuncGetAttributes(&code, reinterpret_cast<const void*>(kernel)),
            "asking for a kernel's code");
    return code.ptxVersion >= 90;
  }();
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = sharedBytes;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = waits && overlaps ? 1 : 0;
  KernelArguments copy = arguments;
  void* parameters[] = {&copy};
  require(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), parameters),
          std::string("launching the kernel ") + name);
}

void allowCarveout(const void* kernel) {
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared),
          "asking for shared memory instead of cache");
}

void allowShared(const void* kernel) {
  // What the kernel declares itself comes off the block's limit, and changes with its code.
  cudaFuncAttributes code{};
  require(cudaFuncGetAttributes(&code, kernel), "asking for a kernel's own shared memory");
  const int most =
      attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) - static_cast<int>(code.sharedSizeBytes);
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most),
          "raising a kernel's shared memory");
  allowCarveout(kernel);
}

uint32_t blocksPerProcessor(const void* kernel, uint32_t threads, uint32_t sharedBytes) {
  int blocks = 0;
  require(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, static_cast<int>(threads), sharedBytes),
      "asking for a kernel's occupancy");
  return static_cast<uint32_t>(blocks);
}

void prepareKernels() {
  prepareDispatch();
  prepareCombine();
}

uint32_t slicesOf(const Shape& shape) {
  return (combineSliceBytes(shape, 1) + kMaxSliceBytes - 1) / kMaxSliceBytes;
}

LaunchShape launchShape(const Shape& shape) {
  const auto processors = static_cast<uint32_t>(attribute(cudaDevAttrMultiProcessorCount));
  const bool fp8 = shape.payload == DispatchDtype::kFp8E4m3;
  const uint32_t slices = slicesOf(shape);
  const uint32_t dispatches = dispatchBlocksPerProcessor(fp8, dispatchSharedBytes(shape, slices));
  const uint32_t combines = combineBlocksPerProcessor(combineSharedBytes(shape, slices));
  if (dispatches == 0 || combines == 0) {
    throw Error(ErrorCode::kUnsupportedHere, "dispatch and combine: rows of " +
                                                 std::to_string(combineSliceBytes(shape, slices)) +
                                                 " bytes do not fit in this device's shared memory");
  }
  // Work is dealt out to blocks source by source: numbers without a common divisor spread every source over
  // all.
  const auto coprime = [&](uint32_t most) {
    while (most > 1 && std::gcd(most, shape.worldSize) != 1) --most;
    return most;
  };
  // One is left for the block that listens to the network.
  const uint32_t receiving = coprime((dispatches > 1 ? processors : processors - processors / 3) - 1);
  const uint32_t sending = dispatches > 1 ? processors : processors / 3;
  const uint32_t combining = coprime(processors - 1);
  return {slices, sending + receiving, sending, kDispatchGroups, combining, combining, kCombineGroups};
}

}  // namespace railrunner::moe::cuda
