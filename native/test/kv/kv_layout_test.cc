#include <map>
#include <vector>

#include "device/device.h"
#include "kv/block_layout.h"
#include "kv/copy_plan.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

// The golden geometry: 2 layers, K and V apart, 4 tokens, 8 elements of 2 bytes.
LayoutShape golden(LayoutKind kind, BlockDim blockDim = BlockDim::kFirst, uint64_t alignment = 1) {
  return uniform(kind, blockDim, 2, 2, 4, 8, 2, alignment);
}

constexpr auto kFull = LayoutKind::kFullyContiguous;
constexpr auto kSeparate = LayoutKind::kLayerSeparate;

CopyPlan planOf(const LayoutShape& from, const LayoutShape& to, std::vector<uint32_t> source,
                std::vector<uint32_t> target, CopyPlanOptions options) {
  const auto device = openDevice(DeviceKind::kHost, 0);
  BlockPool sourcePool(*device, Tier::kDevice, from, {8}, "", 1);
  BlockPool targetPool(*device, Tier::kHost, to, {8}, "", 1);
  return compileCopyPlan({&sourcePool, &targetPool, std::move(source), std::move(target), 0, 2}, options);
}

}  // namespace

TEST("fullyContiguous has the golden strides and addresses") {
  const BlockLayout layout = makeLayout(golden(kFull), {4}, 1);
  expectEqual(layout.groups[0].outers[0].regionBytes, 64U, "region");
  expectEqual(layout.groups[0].layerStride, 128U, "layer stride");
  expectEqual(layout.strips[0].extentBytes, 256U, "natural block");
  expectEqual(layout.offset(1, 0, 1, 1), 448U, "block 1 layer 1 outer 1");
  expectEqual(layout.totalBytes, 1024U, "pool");
}

TEST("layerSeparate has the golden addresses in both block orders") {
  const BlockLayout first = makeLayout(golden(kSeparate, BlockDim::kFirst), {4}, 1);
  expectEqual(first.offset(3, 0, 0, 1), 3U * 128 + 64, "block first");
  expectEqual(first.strips[0].extentBytes, 128U, "extent of block first");
  const BlockLayout second = makeLayout(golden(kSeparate, BlockDim::kSecond), {2}, 1);
  expectEqual(second.offset(1, 0, 0, 1), 128U + 64, "block second: outer * 128 + block * 64");
  expectEqual(second.strips[0].extentBytes, 64U, "extent of block second");
  expectEqual(second.groups[0].layerStride % kBufferAlignmentBytes, 0U, "layers start at 512 bytes");
}

TEST("alignment pads extents and never the regions in them") {
  const BlockLayout full = makeLayout(golden(kFull, BlockDim::kFirst, 512), {3}, 1);
  expectEqual(full.strips[0].stride, 512U, "block stride");
  expectEqual(full.offset(2, 0, 1, 1), 2U * 512 + 192, "address");
  const BlockLayout disk = makeLayout(golden(kSeparate, BlockDim::kSecond), {3}, kDiskBlockBytes);
  expectEqual(disk.strips[0].stride, 4096U, "disk pads each region");
  expectEqual(disk.strips.back().gapBytes, 0U, "no gap between layers on disk");
}

TEST("one-byte types and odd sizes are legal") {
  const BlockLayout layout = makeLayout(uniform(kFull, BlockDim::kFirst, 61, 1, 1, 576, 1, 1), {5}, 1);
  expectEqual(layout.strips[0].extentBytes, 61U * 576, "MLA block in fp8");
}

TEST("illegal and overflowing geometry is refused by name") {
  throws(ErrorCode::kArgument, "outerDim",
         [] { makeLayout(uniform(kFull, BlockDim::kFirst, 1, 3, 1, 1, 2, 1), {1}, 1); });
  throws(ErrorCode::kArgument, "alignment",
         [] { makeLayout(uniform(kFull, BlockDim::kFirst, 1, 1, 1, 1, 2, 3), {1}, 1); });
  throws(ErrorCode::kArgument, "numBlocks", [] { makeLayout(golden(kFull), {0}, 1); });
  throws(ErrorCode::kArgument, "overflows", [] {
    makeLayout(uniform(kFull, BlockDim::kFirst, 65536, 2, UINT32_MAX, 1U << 20, 1, 1), {UINT32_MAX}, 1);
  });
  throws(ErrorCode::kArgument, "overflows", [] {
    makeLayout(uniform(kSeparate, BlockDim::kSecond, 65536, 2, UINT32_MAX, 1, 8, 1), {UINT32_MAX}, 1);
  });
}

TEST("extents tile every layout by address") {
  for (const LayoutShape& shape :
       {golden(kFull), golden(kSeparate, BlockDim::kFirst), golden(kSeparate, BlockDim::kSecond)}) {
    const BlockLayout layout = makeLayout(shape, {3}, kDiskBlockBytes);
    for (uint64_t index = 0; index < layout.numExtents; ++index) {
      expectEqual(extentAt(layout, index).offset, index * layout.strips[0].stride,
                  "extent " + std::to_string(index));
    }
    expectEqual(layout.totalBytes, layout.numExtents * layout.strips[0].stride, "total");
  }
}

TEST("runs are joined exactly where both sides are contiguous") {
  const CopyPlanOptions joined{true, 16, 0};
  expectEqual(planOf(golden(kFull), golden(kFull), {2, 3, 4}, {5, 6, 7}, joined).spans.size(), 1U,
              "three neighbours");
  expectEqual(planOf(golden(kFull), golden(kFull), {2, 3, 5}, {5, 6, 7}, joined).spans.size(), 2U,
              "gap in the source");
  expectEqual(
      planOf(golden(kFull), golden(kFull, BlockDim::kFirst, 512), {2, 3}, {5, 6}, joined).spans.size(), 2U,
      "padding in the target");
  expectEqual(planOf(golden(kFull), golden(kSeparate), {2, 3}, {5, 6}, joined).spans.size(), 4U,
              "one per layer and block");
  const auto second = golden(kSeparate, BlockDim::kSecond);
  expectEqual(planOf(second, second, {2, 3}, {5, 6}, joined).spans.size(), 4U, "one per layer and outer");
  expectEqual(planOf(second, second, {3, 2}, {5, 6}, joined).spans.size(), 8U, "descending ids join nothing");
}

TEST("memcpy plans hold one copy per region, and batches cut both kinds") {
  const CopyPlan plan = planOf(golden(kFull), golden(kFull), {2, 3, 4}, {5, 6, 7}, {false, 2, 0});
  expectEqual(plan.spans.size(), 12U, "3 blocks x 2 layers x 2");
  expectEqual(plan.batchEnds.size(), 2U, "batches of 2 and 1");
  expectEqual(plan.batchEnds[0], 8U, "first batch");
  const CopyPlan joined = planOf(golden(kFull), golden(kFull), {2, 3, 4}, {5, 6, 7}, {true, 2, 0});
  expectEqual(joined.spans.size(), 2U, "a run ends at its batch");
}

TEST("cut and joined spans cover every byte of every region once") {
  for (const uint64_t limit : {0UL, 40UL, 64UL, 100UL}) {
    const CopyPlan plan = planOf(golden(kFull), golden(kSeparate, BlockDim::kSecond), {1, 2, 4, 0},
                                 {3, 4, 5, 6}, {true, 3, limit});
    std::map<uint64_t, uint64_t> targets;
    uint64_t bytes = 0;
    for (const CopySpan& span : plan.spans) {
      ok(limit == 0 || span.bytes <= limit, "a span is longer than its limit");
      bytes += span.bytes;
      targets[span.targetOffset] = span.bytes;
    }
    expectEqual(bytes, plan.payloadBytes, "bytes");
    uint64_t end = 0;
    for (const auto& [offset, length] : targets) {
      ok(offset >= end, "spans overlap");
      end = offset + length;
    }
  }
}

int main() { return runAll(); }
