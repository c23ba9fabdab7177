#pragma once

#include <cuda_runtime_api.h>

#include "moe/cuda/low_latency/kernels.h"

// What the kernels' files share about launches: sizes of blocks and of their shared memory, and checks.
namespace railrunner::moe::cuda {

constexpr uint32_t kThreads = 512;
constexpr uint32_t kWarps = kThreads / 32;
constexpr uint32_t kReceivingWarps = 6;  // of a dispatch block, with a row of shared memory each
constexpr uint32_t kMaxCombineGroups = 8;
constexpr uint32_t kMaxDispatchGroups = 2;

// Slices begin at multiples of four scale blocks, so that their scales begin at 16 bytes.
RAILRUNNER_HOST_DEVICE inline uint32_t firstBlockOf(const Shape& s, uint32_t slices, uint32_t slice) {
  const uint32_t quads = (s.numScales() + 3) / 4;
  const uint32_t first = 4 * (quads * slice / slices);
  return first < s.numScales() ? first : s.numScales();
}
RAILRUNNER_HOST_DEVICE inline uint32_t blocksOfSlice(const Shape& s, uint32_t slices) {
  const uint32_t quads = (s.numScales() + 3) / 4;
  return 4 * ((quads + slices - 1) / slices);
}
RAILRUNNER_HOST_DEVICE inline uint32_t dispatchScaleBytes(const Shape& s, uint32_t slices) {
  return s.payload == DispatchDtype::kFp8E4m3 ? (4 * blocksOfSlice(s, slices) + 127) / 128 * 128 : 0;
}
// Shared memory of one slice: its channels, then its scales.
RAILRUNNER_HOST_DEVICE inline uint32_t dispatchSliceBytes(const Shape& s, uint32_t slices) {
  const uint32_t elementBytes = s.payload == DispatchDtype::kFp8E4m3 ? 1 : 2;
  return blocksOfSlice(s, slices) * kScaleBlock * elementBytes + dispatchScaleBytes(s, slices);
}
// Of a group that sends: the slice, and with fp8 the bf16 channels that it is made of.
RAILRUNNER_HOST_DEVICE inline uint32_t dispatchSendBytes(const Shape& s, uint32_t slices) {
  const bool fp8 = s.payload == DispatchDtype::kFp8E4m3;
  return dispatchSliceBytes(s, slices) + (fp8 ? blocksOfSlice(s, slices) * kScaleBlock * 2 : 0);
}
// What a block that receives takes is enough for kMaxDispatchGroups that send, three times an fp8 slice each.
static_assert(3 * kMaxDispatchGroups <= kReceivingWarps);
RAILRUNNER_HOST_DEVICE inline uint32_t dispatchSharedBytes(const Shape& s, uint32_t slices) {
  return kReceivingWarps * dispatchSliceBytes(s, slices);
}
RAILRUNNER_HOST_DEVICE inline uint32_t combineSliceBytes(const Shape& s, uint32_t slices) {
  return blocksOfSlice(s, slices) * kScaleBlock * 2;
}
RAILRUNNER_HOST_DEVICE inline uint32_t combineSharedBytes(const Shape& s, uint32_t slices) {
  return kMaxCombineGroups * combineSliceBytes(s, slices);
}

// Parts of a row, by the shape alone: all ranks must agree.
uint32_t slicesOf(const Shape& shape);

// Throw kCuda naming the kernel.
void requireLaunched(const char* kernel);
// Its blocks may take their places while the kernel before it on the stream ends; awaitPredecessor() holds
// them until that one is over and its stores are seen. Back to back this hides 0.5 us of each launch. Not where groups
// have more than one unit each: blocks that take places early then lie next to others that still work (a graph of
// 4096 tokens 1100 us instead of 826, of 512 tokens 32.7 instead of 28.2).
void launchOverlapped(void (*kernel)(KernelArguments), const char* name, const KernelArguments& arguments,
                      uint32_t blocks, uint32_t sharedBytes, cudaStream_t stream, bool overlaps = true);
// All of a processor's memory that is not cache, whatever the launch asks for.
void allowCarveout(const void* kernel);
// As much dynamic shared memory as the device leaves alongside the kernel's own; throws kCuda.
void allowShared(const void* kernel);
uint32_t blocksPerProcessor(const void* kernel, uint32_t threads, uint32_t sharedBytes);

void prepareDispatch();
void prepareCombine();
uint32_t dispatchBlocksPerProcessor(bool fp8, uint32_t sharedBytes);
uint32_t combineBlocksPerProcessor(uint32_t sharedBytes);

}  // namespace railrunner::moe::cuda
