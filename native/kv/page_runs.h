#pragma once

#include <cstdint>
#include <string>

// Where the pages and heads of a region lie. Pools of other page sizes, or of other tensor-parallel ranks, hold the
// same data in other regions; what is common to them is the page (a few tokens of a block) and the head of the model.
namespace railrunner {

// Order inside a region: [token, head, ...] or [head, token, ...].
enum class HeadOrder : uint32_t { kTokenMajor = 0, kHeadMajor = 1 };

// Heads [firstHead, firstHead + numHeads) of a model's totalHeads, of every token of a block.
struct HeadRange {
  uint32_t firstHead = 0;
  uint32_t numHeads = 1;
  uint32_t totalHeads = 1;
  HeadOrder order = HeadOrder::kTokenMajor;
  bool operator==(const HeadRange&) const = default;
  uint32_t endHead() const { return firstHead + numHeads; }
};

// A block holds pagesPerBlock pages of pageTokens tokens. pageTokens 0: nobody asks for tokens or heads, and a block
// is one page.
struct PageShape {
  uint32_t pagesPerBlock = 1;
  uint32_t pageTokens = 0;
  bool operator==(const PageShape&) const = default;
};

// A region as runs: it is [outerRows][page][innerRows][rowBytes]. Row (outer, inner) of a page holds the bytes of the
// page's whole region, as a pool with all heads has it in the order [token, head, ...], from
// firstByte + outer x outerStep + inner x innerStep on. So pools of either order hold the same data.
struct PageRuns {
  uint32_t outerRows = 1;
  uint32_t innerRows = 1;
  uint64_t rowBytes = 0;
  uint64_t firstByte = 0;
  uint64_t outerStep = 0;
  uint64_t innerStep = 0;
  // The region is one page with all heads, byte for byte.
  bool isWhole(uint32_t pagesPerBlock) const {
    return pagesPerBlock == 1 && outerRows == 1 && innerRows == 1 && firstByte == 0;
  }
};

// Bytes of one head of one token; throws kArgument where the region does not divide by its tokens and heads, or where
// a part of it would not begin at a multiple of 8 bytes. `name` is put into messages.
uint64_t headBytesOf(uint64_t regionBytes, const PageShape& pages, const HeadRange& heads,
                     const std::string& name);

PageRuns pageRunsOf(uint64_t headBytes, const PageShape& pages, const HeadRange& heads);

// Where the first byte of (head, page, token of the page) lies in a region.
uint64_t headOffset(uint64_t headBytes, const PageShape& pages, const HeadRange& heads, uint32_t head,
                    uint32_t page, uint32_t token);

// " head 3 token 17" for a byte of a region: the model's head, the block's token.
std::string headAndToken(uint64_t headBytes, const PageShape& pages, const HeadRange& heads, uint64_t byte);

// Calls visit(page, offset in the region, bytes, byte in the page's whole region) for each run, by address.
template <class Visit>
void forEachRun(const PageRuns& runs, uint32_t pagesPerBlock, Visit&& visit) {
  uint64_t offset = 0;
  for (uint32_t outer = 0; outer < runs.outerRows; ++outer) {
    for (uint32_t page = 0; page < pagesPerBlock; ++page) {
      for (uint32_t inner = 0; inner < runs.innerRows; ++inner) {
        visit(page, offset, runs.rowBytes, runs.firstByte + outer * runs.outerStep + inner * runs.innerStep);
        offset += runs.rowBytes;
      }
    }
  }
}

}  // namespace railrunner
