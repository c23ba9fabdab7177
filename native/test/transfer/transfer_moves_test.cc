#include <cstring>

#include "device/device.h"
#include "kv/block_pool.h"
#include "test/support/named_cases.h"
#include "test/transfer/transfer_layouts.h"
#include "transfer/bounce_plan.h"
#include "transfer/page_move.h"
#include "transfer/row_plan.h"

// Plans between layouts that differ in heads, page size, order and kind: every word arrives at its owner, and planted
// faults are found.
using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint32_t kPages = 16;
constexpr uint32_t kLayers = 4;
constexpr uint64_t kSeed = 5;
constexpr uint32_t kOwner = 3;

RunControl control;

struct Side {
  Side(Device& device, LayoutHandle handle, const ShardShape& shard)
      : layout(layoutOf(handle, shapeOf(shard), {kPages / shard.pagesPerBlock})),
        pool(device, Tier::kDevice, layout->shape, layout->sectionBlocks, "", 1) {}
  void fill(bool pattern) {
    PoolContent content{kOwner, 9, std::vector<BlockHolds>(kPages)};
    for (uint32_t page = 0; page < kPages && pattern; ++page)
      content.blocks[page] = {kSeed, page, 0, layout->blocks.numLayers};
    pool.prepare(content, control);
  }
  std::shared_ptr<PhysicalLayout> layout;
  BlockPool pool;
};

PageMove moveOf(HeadSpan heads) {
  PageMove move;
  move.layerBegin = 1;
  move.layerEnd = 3;
  move.heads = {heads};
  // Scattered on both sides.
  for (uint32_t i = 0; i < kPages; i += 2) move.sourcePages.push_back((i * 5 + 3) % kPages);
  for (uint32_t i = 0; i < kPages; i += 2) move.targetPages.push_back((i * 7 + 2) % kPages);
  return move;
}

void copy(const Side& from, const Side& to, const PageMove& move, uint64_t maxSpanBytes,
          std::optional<FaultKind> fault = std::nullopt) {
  validateMove(*from.layout, *to.layout, move);
  const CopyPlan plan = compileMove(*from.layout, *to.layout, move, maxSpanBytes, fault);
  uint64_t bytes = 0;
  for (const CopySpan& span : plan.spans) {
    ok(maxSpanBytes == 0 || span.bytes <= maxSpanBytes, "a span is longer than it may be");
    std::memcpy(to.pool.memory() + span.targetOffset, from.pool.memory() + span.sourceOffset, span.bytes);
    bytes += span.bytes;
  }
  if (!fault) expectEqual(bytes, plan.payloadBytes, "bytes");
}

CheckReport checkArrived(Side& to, const PageMove& move) {
  PoolContent expected{kOwner, 9, std::vector<BlockHolds>(kPages)};
  for (size_t i = 0; i < move.targetPages.size(); ++i)
    expected.blocks[move.targetPages[i]] = {kSeed, move.sourcePages[i], move.layerBegin, move.layerEnd};
  return to.pool.check(expected, kCheckAllWords, control);
}

HeadRange shardHeads(uint32_t rank, uint32_t numRanks, uint32_t totalHeads, HeadOrder order) {
  // Fewer heads than ranks: several ranks hold the same one.
  const uint32_t numHeads = std::max(1U, totalHeads / numRanks);
  return {rank * totalHeads / numRanks, numHeads, totalHeads, order};
}

// Every target rank from every source rank that holds heads of it first.
void checkSplit(Device& device, uint32_t sources, uint32_t targets, uint32_t totalHeads, uint32_t sourcePages,
                uint32_t targetPages, HeadOrder sourceOrder, HeadOrder targetOrder) {
  for (uint32_t target = 0; target < targets; ++target) {
    Side to(device, {2, 0},
            {.pagesPerBlock = targetPages,
             .heads = shardHeads(target, targets, totalHeads, targetOrder),
             .kind = LayoutKind::kFullyContiguous});
    to.fill(false);
    uint32_t next = to.layout->blocks.groups[0].heads.firstHead;
    const uint32_t end = to.layout->blocks.groups[0].heads.endHead();
    for (uint32_t source = 0; source < sources && next < end; ++source) {
      Side from(
          device, {1, 0},
          {.pagesPerBlock = sourcePages, .heads = shardHeads(source, sources, totalHeads, sourceOrder)});
      const HeadRange held = from.layout->blocks.groups[0].heads;
      if (next < held.firstHead || next >= held.endHead()) continue;
      from.fill(true);
      const HeadSpan span{next, std::min(end, held.endHead())};
      copy(from, to, moveOf(span), sourcePages == targetPages ? 0 : 48);
      next = span.end;
    }
    expectEqual(next, end, "heads that some source holds");
    expectEqual(checkArrived(to, moveOf({})).firstBad, std::string(),
                std::to_string(sources) + " to " + std::to_string(targets) + " ranks");
  }
}

}  // namespace

TEST("all pairs of tensor-parallel sizes, with heads split, merged and held by several ranks") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const uint32_t sources : {1U, 2U, 4U, 8U}) {
    for (const uint32_t targets : {1U, 2U, 4U, 8U}) {
      for (const uint32_t heads : {8U, 2U}) {
        checkSplit(*device, sources, targets, heads, 1, 1, HeadOrder::kTokenMajor, HeadOrder::kTokenMajor);
      }
    }
  }
}

TEST(
    "pages of 16 tokens to blocks of 64 and back, in either order of heads, and from one order to the "
    "other") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const HeadOrder from : {HeadOrder::kTokenMajor, HeadOrder::kHeadMajor}) {
    for (const HeadOrder to : {HeadOrder::kTokenMajor, HeadOrder::kHeadMajor}) {
      checkSplit(*device, 2, 4, 8, 1, 4, from, to);
      checkSplit(*device, 4, 2, 8, 4, 1, from, to);
      checkSplit(*device, 2, 2, 8, 2, 8, from, to);
    }
  }
}

TEST("equal layouts move whole regions, one piece each, and neighbours as one") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  Side from(*device, {1, 0}, {}), to(*device, {2, 0}, {});
  PageMove move = moveOf({0, 8});
  const CopyPlan scattered = compileMove(*from.layout, *to.layout, move, 0);
  // K and V of a block lie side by side.
  expectEqual(scattered.spans.size(), scattered.numRegions / 2, "pieces");
  move.sourcePages = {4, 5, 6, 7};
  move.targetPages = {8, 9, 10, 11};
  expectEqual(compileMove(*from.layout, *to.layout, move, 0).spans.size(), 2U, "one piece per layer");
}

TEST("heads of each token are rows of few pieces, and carry the same bytes") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const uint32_t maxBytes : {48U, 64U, 16384U}) {
    for (const HeadOrder order : {HeadOrder::kTokenMajor, HeadOrder::kHeadMajor}) {
      Side from(*device, {1, 0}, {.heads = {0, 4, 8, order}});
      Side to(*device, {2, 0}, {.pagesPerBlock = 4, .heads = {0, 2, 8, order}});
      from.fill(true);
      to.fill(false);
      const PageMove move = moveOf({0, 2});
      const CopyPlan plan = compileMove(*from.layout, *to.layout, move, 0);
      const std::vector<RowPiece> pieces = rowPieces(plan.spans, maxBytes);
      uint64_t bytes = 0;
      for (const RowPiece& piece : pieces) {
        ok(piece.bytes() <= maxBytes, "a piece is longer than it may be");
        bytes += piece.bytes();
        for (uint64_t row = 0; row < piece.numRows; ++row) {
          std::memcpy(to.pool.memory() + piece.target + row * piece.targetStride,
                      from.pool.memory() + piece.source + row * piece.sourceStride, piece.rowBytes);
        }
      }
      expectEqual(bytes, plan.payloadBytes, "bytes");
      expectEqual(checkArrived(to, move).firstBad, std::string(), "rows of " + std::to_string(maxBytes));
      // 4 tokens of a page, K and V: one piece of 8 rows, if not of more.
      if (maxBytes == 16384 && order == HeadOrder::kTokenMajor)
        ok(pieces.size() * 4 <= plan.spans.size(), std::to_string(pieces.size()) + " pieces");
    }
  }
}

TEST("rows need equal lengths and equal distances; what is longer than a piece is cut") {
  const std::vector<CopySpan> spans{{0, 0, 16},    {32, 64, 16}, {64, 128, 16}, {96, 200, 16},
                                    {128, 264, 8}, {8, 300, 0},  {0, 400, 100}, {500, 350, 16}};
  const std::vector<RowPiece> expected{{0, 0, 16, 3, 32, 64},  {96, 200, 16, 1, 0, 0},
                                       {128, 264, 8, 1, 0, 0}, {0, 400, 64, 1, 0, 0},
                                       {64, 464, 36, 1, 0, 0}, {500, 350, 16, 1, 0, 0}};
  ok(rowPieces(spans, 64) == expected, "pieces");
}

TEST("a bounce buffer of two groups carries all bytes, chunk by chunk") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const uint64_t groupBytes : {64U, 200U, 1U << 20}) {
    Side from(*device, {1, 0}, {}), to(*device, {2, 0}, {.heads = {4, 4, 8, HeadOrder::kTokenMajor}});
    from.fill(true);
    to.fill(false);
    const PageMove move = moveOf({4, 8});
    const CopyPlan plan = compileMove(*from.layout, *to.layout, move, 64);
    const BouncePlan bounce = planBounce(plan, groupBytes);
    const auto fills = fillSpans(plan, bounce), drains = drainSpans(plan, bounce);
    std::vector<std::byte> buffer(kBounceGroups * groupBytes);
    uint64_t bytes = 0;
    for (size_t chunk = 0; chunk < bounce.chunks.size(); ++chunk) {
      const uint64_t group = chunk % kBounceGroups * groupBytes;
      for (const CopySpan& span : fills[chunk]) {
        ok(span.targetOffset >= group && span.targetOffset + span.bytes <= group + groupBytes, "its group");
        std::memcpy(buffer.data() + span.targetOffset, from.pool.memory() + span.sourceOffset, span.bytes);
      }
      for (const CopySpan& span : drains[chunk])
        std::memcpy(to.pool.memory() + span.targetOffset, buffer.data() + span.sourceOffset, span.bytes);
      bytes += bounce.chunks[chunk].bytes;
    }
    expectEqual(bytes, plan.payloadBytes, "bytes");
    expectEqual(checkArrived(to, move).firstBad, std::string(), "groups of " + std::to_string(groupBytes));
  }
  CopyPlan large;
  large.spans = {{0, 0, 100}};
  throws(ErrorCode::kArgument, "a group of 64 bytes does not hold a piece of 100",
         [&] { planBounce(large, 64); });
}

TEST(
    "a planted wrong split, lost piece and truncated piece are each found, with layer, block, head and "
    "token") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const FaultKind fault : {FaultKind::kWrongSplit, FaultKind::kLostPiece, FaultKind::kTruncatedPiece}) {
    Side from(*device, {1, 0}, {}), to(*device, {2, 0}, {.heads = {4, 4, 8, HeadOrder::kTokenMajor}});
    from.fill(true);
    to.fill(false);
    const PageMove move = moveOf({4, 8});
    copy(from, to, move, 0, fault);
    const CheckReport report = checkArrived(to, move);
    ok(report.wrong > 0, "fault " + words(fault) + " was not found");
    for (const char* part : {"block ", " layer ", " outer ", " head ", " token "})
      ok(report.firstBad.find(part) != std::string::npos, report.firstBad + " lacks" + part);
  }
}

TEST("a planted wrong split stays inside a source that is moved whole, and is found") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const ShardShape whole{.numLayers = 1, .kind = LayoutKind::kFullyContiguous};
  Side from(*device, {1, 0}, whole), to(*device, {2, 0}, whole);
  from.fill(true);
  to.fill(false);
  PageMove move;
  move.layerEnd = 1;
  move.heads = {{0, 8}};
  for (uint32_t page = 0; page < kPages; ++page) {
    move.sourcePages.push_back(page);
    move.targetPages.push_back(page);
  }
  const CopyPlan plan = compileMove(*from.layout, *to.layout, move, 0, FaultKind::kWrongSplit);
  expectEqual(plan.spans.size(), size_t{1}, "spans");
  for (const CopySpan& span : plan.spans) {
    const uint64_t total = from.layout->blocks.totalBytes;
    ok(span.sourceOffset < total && span.bytes <= total - span.sourceOffset,
       "reads from " + std::to_string(span.sourceOffset) + " on, " + std::to_string(span.bytes) + " of " +
           std::to_string(total) + " bytes");
  }
  copy(from, to, move, 0, FaultKind::kWrongSplit);
  PoolContent expected{kOwner, 9, std::vector<BlockHolds>(kPages)};
  for (uint32_t page = 0; page < kPages; ++page) expected.blocks[page] = {kSeed, page, 0, 1};
  ok(to.pool.check(expected, kCheckAllWords, control).wrong > 0, "not found");
}

TEST("a move that cannot be is refused by name before anything is touched") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  Side from(*device, {1, 0}, {.heads = {0, 4, 8}}), to(*device, {2, 0}, {.heads = {2, 4, 8}});
  const auto refused = [&](const char* part, const std::function<void(PageMove&)>& change) {
    PageMove move = moveOf({2, 4});
    change(move);
    throws(ErrorCode::kBlockIds, part, [&] { validateMove(*from.layout, *to.layout, move); });
  };
  validateMove(*from.layout, *to.layout, moveOf({2, 4}));
  refused("8 sources for 7 targets", [](PageMove& move) { move.targetPages.pop_back(); });
  refused("expected at least one, received none",
          [](PageMove& move) { move.sourcePages.clear(), move.targetPages.clear(); });
  refused("source page 16 (entry 2): the layout has pages 0 to 15",
          [](PageMove& move) { move.sourcePages[2] = 16; });
  refused("target page 4294967295", [](PageMove& move) { move.targetPages[0] = UINT32_MAX; });
  refused("target page 2 appears twice", [](PageMove& move) { move.targetPages[3] = move.targetPages[0]; });
  refused("layer range [2, 2)", [](PageMove& move) { move.layerBegin = move.layerEnd = 2; });
  refused("layer range [1, 5): expected begin < end <= 4", [](PageMove& move) { move.layerEnd = 5; });
  refused("heads [1, 4): the target holds [2, 6)", [](PageMove& move) { move.heads = {{1, 4}}; });
  refused("heads [2, 5): the source holds [0, 4)", [](PageMove& move) { move.heads = {{2, 5}}; });
  refused("heads [4, 2)", [](PageMove& move) { move.heads = {{4, 2}}; });
  refused("hold nothing in these layers and heads", [](PageMove& move) { move.heads = {{3, 3}}; });
  refused("expected a range for each of 1 groups, received 2", [](PageMove& move) {
    move.heads.push_back({0, 1});
  });
  PageMove same = moveOf({0, 4});
  same.targetPages[1] = same.sourcePages[4];
  throws(ErrorCode::kBlockIds, "is source and target of one transfer",
         [&] { validateMove(*from.layout, *from.layout, same); });
  Side other(*device, {3, 0}, {.heads = {0, 4, 16}});
  throws(ErrorCode::kArgument, "heads of the model: 8 in the source, 16 in the target", [&] {
    validateMove(*from.layout, *other.layout, moveOf({2, 4}));
  });
  throws(ErrorCode::kBlockIds, "target page 2: head 3 is written by two transfers", [&] {
    validateDisjointMoves(*to.layout, moveOf({2, 4}), moveOf({3, 5}));
  });
  validateDisjointMoves(*to.layout, moveOf({2, 3}), moveOf({3, 5}));
}

TEST("a byte of a layout is named; padding has no name") {
  const auto layout = layoutOf({1, 0}, shapeOf({.pagesPerBlock = 2, .heads = {4, 2, 8}}), {3});
  const GroupLayout& group = layout->blocks.groups[0];
  expectEqual(placeOf(layout->blocks, layout->blocks.offset(2, 0, 3, 1) + group.outers[1].headBytes * 3),
              std::string("block 2 layer 3 outer 1 head 5 token 1"), "name");
  expectEqual(placeOf(layout->blocks, layout->blocks.totalBytes), std::string(), "behind the last");
}

int main() { return runAll(); }
