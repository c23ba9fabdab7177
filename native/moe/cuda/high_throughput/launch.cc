#include "moe/cuda/high_throughput/launch.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "moe/cuda/high_throughput/layout_memory.h"

namespace railrunner::moe::cuda::high_throughput {

namespace {

// One block per processor; eight keep the links of a Hopper GPU full. Expert-major dispatch writes a row for each
// choice and its combine reads as many, which takes more of them.
constexpr uint32_t kRankMajorProcessors = 16;
constexpr uint32_t kExpertMajorProcessors = 64;
constexpr uint32_t kLayoutWarps = kMoveThreads / 32;
constexpr uint32_t kMostPullSlots = 20;  // of a team

void require(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kCuda, what + ": " + cudaGetErrorString(status));
}

uint32_t attribute(cudaDeviceAttr which) {
  int ordinal = 0;
  int value = 0;
  require(cudaGetDevice(&ordinal), "reading the current device");
  require(cudaDeviceGetAttribute(&value, which, ordinal), "reading a device attribute");
  return static_cast<uint32_t>(value);
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kUnsupportedHere, "high throughput on cuda: " + what);
}

uint64_t aligned(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

void launchKernel(const void* kernel, const char* name, const Grid& grid, void** parameters,
                  cudaStream_t stream, bool overlaps) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(grid.blocks, grid.rows);
  config.blockDim = dim3(grid.threads);
  config.dynamicSmemBytes = grid.sharedBytes;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = overlaps ? 1 : 0;
  require(cudaLaunchKernelExC(&config, kernel, parameters), std::string("launching the kernel ") + name);
}

uint32_t sharedLimit(const void* kernel) {
  cudaFuncAttributes code{};
  require(cudaFuncGetAttributes(&code, kernel), "asking for a kernel's own shared memory");
  return attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) - static_cast<uint32_t>(code.sharedSizeBytes);
}

void allowShared(const void* kernel) {
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(sharedLimit(kernel))),
          "raising a kernel's shared memory");
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared),
          "asking for shared memory instead of cache");
}

void prepareKernels() {
  prepareDispatch();
  prepareGather();
  prepareCombine();
}

LaunchPlan launchPlan(const Shape& shape, uint32_t processors) {
  if (attribute(cudaDevAttrComputeCapabilityMajor) < 9) {
    refuse("needs bulk copies between GPUs, compute capability 9.0 or later. Use algorithm lowLatency");
  }
  const uint32_t present = std::min(attribute(cudaDevAttrMultiProcessorCount), kMostBlocks);
  if (processors > present) {
    refuse("expected smCount of at most " + std::to_string(present) + ", received " +
           std::to_string(processors));
  }
  const uint32_t chosen =
      shape.outputLayout == OutputLayout::kRankMajor ? kRankMajorProcessors : kExpertMajorProcessors;
  LaunchPlan plan;
  plan.blocks = processors != 0 ? processors : std::min(chosen, present);
  const uint32_t limit = dispatchSharedLimit();
  plan.layoutWarps = kLayoutWarps;
  while (plan.layoutWarps > 1 && layoutMemory(shape, plan.layoutWarps).totalBytes > limit)
    plan.layoutWarps /= 2;
  const uint32_t layoutBytes = layoutMemory(shape, plan.layoutWarps).totalBytes;
  if (layoutBytes > limit) {
    refuse(std::to_string(shape.numLocalExperts()) +
           " experts of a rank do not fit in a processor's shared memory");
  }
  const uint32_t slotBytes = moveSlotBytes(shape, scaleBytesOf(shape));
  plan.moveWarps = std::min(limit / slotBytes, kMoveThreads / 32);
  const uint32_t pullLimit = combineSharedLimit();
  const uint32_t stageBytes =
      shape.outputLayout == OutputLayout::kExpertMajor ? kTeams * pullSlotBytes(shape) : 0;
  const uint32_t ringLimit = pullLimit > stageBytes + 128 ? pullLimit - stageBytes - 128 : 0;
  plan.pullSlots = std::min(ringLimit / kTeams / (pullSlotBytes(shape) + 16), kMostPullSlots);
  if (plan.moveWarps == 0 || plan.pullSlots < 2) refuse("rows do not fit in a processor's shared memory");
  plan.dispatchBytes = std::max(layoutBytes, plan.moveWarps * slotBytes);
  plan.combineBytes = ringBytes(plan.pullSlots, pullSlotBytes(shape)) + stageBytes;
  return plan;
}

PushPlan pushPlan(const Shape& shape, uint32_t blocks, uint32_t pieces) {
  const auto rowBytes = static_cast<uint32_t>(shape.payloadRowBytes());
  PushPlan plan;
  plan.blocks = blocks;
  plan.pieces = std::max(pieces, (rowBytes + kMostPushedPiece - 1) / kMostPushedPiece);
  plan.pieceBytes = ((rowBytes + plan.pieces - 1) / plan.pieces + 15) / 16 * 16;
  plan.pieces = (rowBytes + plan.pieceBytes - 1) / plan.pieceBytes;
  plan.slotBytes = (plan.pieceBytes + scaleBytesOf(shape) + 127) / 128 * 128;
  plan.warps = std::min(pushSharedLimit() / (kPushStages * plan.slotBytes), kMostPushWarps);
  if (plan.warps == 0) refuse("rows do not fit in a processor's shared memory");
  plan.sharedBytes = plan.warps * kPushStages * plan.slotBytes;
  return plan;
}

LaunchPlan pushingPlan(const Shape& shape, const LaunchPlan& all) {
  constexpr uint32_t kMostForPositions =
      4;  // these take 60 us for 2 x 4096 tokens, less than any push of them
  LaunchPlan plan = all;
  plan.blocks = std::clamp(all.blocks / 3, 1U, kMostForPositions);
  plan.push = pushPlan(shape, std::max(1U, all.blocks - plan.blocks));
  return plan;
}

SymmetricMap symmetricMap(const Shape& shape, const Capacity& capacity, Strategy strategy, Pushed pushed) {
  SymmetricMap map;
  const bool hasSlots = strategy == Strategy::kAllGather || pushed.rows;
  map.slots = hasSlots ? shape.worldSize : 1;
  map.scaleBytes = scaleBytesOf(shape);
  uint64_t at = 0;
  const auto place = [&at](uint64_t bytes) {
    const uint64_t begin = at;
    at += aligned(bytes);
    return begin;
  };
  const uint64_t tokens = (static_cast<uint64_t>(shape.maxDispatchTokensPerRank) + kGroupTokens - 1) /
                          kGroupTokens * kGroupTokens;
  map.ready = place(8ULL * shape.worldSize);
  map.layouts = place(8ULL * shape.worldSize);
  map.partials = place(8ULL * shape.worldSize * kMostBlocks);
  map.gathered = place(8ULL * shape.worldSize);
  map.pushed = place(8ULL * shape.worldSize * kMostBlocks);
  map.barrier = place(8ULL * shape.worldSize);
  map.ids = place(4ULL * tokens * shape.numTopk);
  map.weights = place(4ULL * tokens * shape.numTopk);
  const uint64_t guardRows = hasSlots ? 1 : 0;
  map.x = place((static_cast<uint64_t>(map.slots) * shape.maxDispatchTokensPerRank + guardRows) *
                shape.payloadRowBytes());
  map.scales = place(static_cast<uint64_t>(map.slots) * shape.maxDispatchTokensPerRank * map.scaleBytes);
  const uint64_t slotRows = static_cast<uint64_t>(shape.worldSize) * shape.maxDispatchTokensPerRank;
  map.y = place((pushed.sums ? slotRows : capacity.tokens) * shape.bf16RowBytes());
  map.totalBytes = at;
  return map;
}

WorkspaceMap workspaceMap(const Shape& shape, uint32_t blocks) {
  WorkspaceMap map{};
  uint64_t at = 0;
  const auto place = [&at](uint64_t bytes) {
    const uint64_t begin = at;
    at += aligned(bytes);
    return begin;
  };
  map.meeting = place(8);
  map.blockCounts = place(4ULL * blocks * shape.worldSize * (shape.numLocalExperts() + shape.worldSize));
  map.expertTotals = place(4ULL * blocks * shape.numExperts);
  map.chunks = place(sizeof(ChunkRange) * blocks * shape.worldSize);
  map.tokenPlace = place(4ULL * shape.maxDispatchTokensPerRank * shape.worldSize);
  map.tokenHosts = place(4ULL * shape.maxDispatchTokensPerRank);
  map.totalBytes = at;
  return map;
}

Workspace workspaceAt(std::byte* memory, const WorkspaceMap& map) {
  return {reinterpret_cast<uint32_t*>(memory + map.meeting),
          reinterpret_cast<uint32_t*>(memory + map.blockCounts),
          reinterpret_cast<uint32_t*>(memory + map.expertTotals),
          reinterpret_cast<ChunkRange*>(memory + map.chunks),
          reinterpret_cast<int32_t*>(memory + map.tokenPlace),
          reinterpret_cast<uint32_t*>(memory + map.tokenHosts)};
}

}  // namespace railrunner::moe::cuda::high_throughput
