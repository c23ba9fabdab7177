#include <cstring>
#include <vector>

#include "device/device.h"
#include "kv/block_pool.h"
#include "test/support/named_cases.h"

// Content by page and by head of the model: shards of other tensor-parallel ranks, page sizes and orders hold the same
// data.
using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint32_t kTokens = 4;  // of a page
constexpr uint32_t kHeads = 8;   // of the model
constexpr uint64_t kHeadBytes = 24;
constexpr uint32_t kLayers = 3;
constexpr uint64_t kSeed = 11;

RunControl control;

LayoutShape shapeOf(HeadRange heads, uint32_t pagesPerBlock, LayoutKind kind = LayoutKind::kLayerSeparate) {
  GroupShape group;
  group.layers = {0, 1, 2};
  group.regionBytes.assign(2, uint64_t{pagesPerBlock} * kTokens * heads.numHeads * kHeadBytes);
  group.heads = heads;
  return {kind, BlockDim::kFirst, 1, {group}, {pagesPerBlock, kTokens}};
}

PoolContent allPages(const BlockPool& pool) {
  PoolContent content{5, 77, std::vector<BlockHolds>(pool.layout().numPages())};
  for (uint32_t page = 0; page < content.blocks.size(); ++page)
    content.blocks[page] = {kSeed, page, 0, kLayers};
  return content;
}

std::unique_ptr<BlockPool> filled(Device& device, const LayoutShape& shape, uint32_t numBlocks) {
  auto pool =
      std::make_unique<BlockPool>(device, Tier::kDevice, shape, std::vector<uint32_t>{numBlocks}, "", 1);
  pool->prepare(allPages(*pool), control);
  expectEqual(pool->check(allPages(*pool), kCheckAllWords, control).firstBad, std::string(), "own check");
  return pool;
}

const std::byte* headOf(const BlockPool& pool, uint32_t page, uint32_t layer, uint32_t outer, uint32_t head,
                        uint32_t token) {
  const BlockLayout& layout = pool.layout();
  const GroupLayout& group = layout.groups[0];
  const uint32_t pages = layout.pages.pagesPerBlock;
  return pool.memory() + layout.offset(page / pages, 0, layer, outer) +
         headOffset(group.outers[outer].headBytes, layout.pages, group.heads, head, page % pages, token);
}

// Every head of every token that `part` holds has the bytes that `whole` has.
void expectSameHeads(const BlockPool& whole, const BlockPool& part) {
  const HeadRange heads = part.layout().groups[0].heads;
  const auto numPages = static_cast<uint32_t>(part.layout().numPages());
  expectEqual(whole.layout().numPages(), part.layout().numPages(), "pages");
  for (uint32_t page = 0; page < numPages; ++page) {
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (uint32_t outer = 0; outer < 2; ++outer) {
        for (uint32_t head = heads.firstHead; head < heads.endHead(); ++head) {
          for (uint32_t token = 0; token < kTokens; ++token) {
            ok(std::memcmp(headOf(whole, page, layer, outer, head, token),
                           headOf(part, page, layer, outer, head, token), kHeadBytes) == 0,
               "page " + std::to_string(page) + " head " + std::to_string(head) + " token " +
                   std::to_string(token));
          }
        }
      }
    }
  }
}

}  // namespace

TEST(
    "a shard holds its heads of what a pool with all heads holds, whatever its page size, order and layout "
    "kind") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const HeadOrder order : {HeadOrder::kTokenMajor, HeadOrder::kHeadMajor}) {
    const auto whole = filled(*device, shapeOf({0, kHeads, kHeads}, 1), 8);
    for (const uint32_t pages : {1U, 2U, 4U}) {
      for (const uint32_t heads : {8U, 4U, 2U, 1U}) {
        for (uint32_t first = 0; first < kHeads; first += heads) {
          const LayoutKind kind = first == 0 ? LayoutKind::kFullyContiguous : LayoutKind::kLayerSeparate;
          expectSameHeads(*whole,
                          *filled(*device, shapeOf({first, heads, kHeads, order}, pages, kind), 8 / pages));
        }
      }
    }
  }
}

TEST("a head of another rank is found, and its head and token are named") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  for (const HeadOrder order : {HeadOrder::kTokenMajor, HeadOrder::kHeadMajor}) {
    const auto pool = filled(*device, shapeOf({4, 2, kHeads, order}, 2), 4);
    const auto other = filled(*device, shapeOf({6, 2, kHeads, order}, 2), 4);
    std::memcpy(const_cast<std::byte*>(headOf(*pool, 5, 1, 1, 5, 3)), headOf(*other, 5, 1, 1, 7, 3),
                kHeadBytes);
    const CheckReport report = pool->check(allPages(*pool), kCheckAllWords, control);
    expectEqual(report.wrong, kHeadBytes / 8, "wrong words");
    ok(report.firstBad.find("block 2 layer 1 outer 1 head 5 token 7 word") != std::string::npos,
       report.firstBad);
  }
}

TEST("pages of several owners in one pool; a page of the wrong owner is found") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const auto pool = filled(*device, shapeOf({0, 2, kHeads}, 2), 4);
  PoolContent content = allPages(*pool);
  content.blocks[3].owner = 9;
  content.blocks[6].owner = 8;
  ok(pool->check(content, kCheckAllWords, control).wrong > 0, "owners were not distinguished");
  pool->prepare(content, control);
  expectEqual(pool->check(content, kCheckAllWords, control).firstBad, std::string(), "after preparing");
  content.blocks[6].owner = 9;
  ok(pool->check(content, kCheckAllWords, control).firstBad.find("block 3 layer 0") != std::string::npos,
     "the page of the wrong owner");
}

TEST("heads that no region can hold are refused") {
  const auto refused = [](const LayoutShape& shape, const char* part) {
    throws(ErrorCode::kArgument, part, [&] { makeLayout(shape, {4}, 1); });
  };
  refused(shapeOf({7, 2, kHeads}, 1), "expected a range of the model's 8");
  refused(shapeOf({UINT32_MAX, 2, kHeads}, 1), "expected a range of the model's 8");
  LayoutShape odd = shapeOf({0, 2, kHeads}, 1);
  odd.groups[0].regionBytes[1] += 4;
  refused(odd, "expected regions that divide by 4 tokens x 2 heads");
  LayoutShape narrow = shapeOf({1, 1, kHeads}, 1);
  narrow.groups[0].regionBytes.assign(2, kTokens * 4);
  refused(narrow, "expected parts of a region at multiples of 8 bytes, received 4 bytes per head and token");
  LayoutShape noPages = shapeOf({0, 2, kHeads}, 1);
  noPages.pages = {};
  refused(noPages, "expected the tokens of a page");
}

int main() { return runAll(); }
