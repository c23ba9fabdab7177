#include "kv/page_runs.h"

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

// Content is made of 8-byte words that count from the page's first byte.
constexpr uint64_t kWordBytes = 8;

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const std::string& received) {
  throw Error(ErrorCode::kArgument, "heads" + name + ": expected " + expected + ", received " + received);
}

void requireHeads(const PageShape& pages, const HeadRange& heads, const std::string& name) {
  if (pages.pagesPerBlock == 0 || pages.pageTokens == 0) {
    refuse(name, "pages of at least one token",
           std::to_string(pages.pagesPerBlock) + " pages of " + std::to_string(pages.pageTokens) + " tokens");
  }
  if (heads.numHeads == 0 || heads.firstHead > heads.totalHeads ||
      heads.numHeads > heads.totalHeads - heads.firstHead) {
    refuse(name, "a range of the model's " + std::to_string(heads.totalHeads),
           std::to_string(heads.numHeads) + " from " + std::to_string(heads.firstHead) + " on");
  }
}

}  // namespace

uint64_t headBytesOf(uint64_t regionBytes, const PageShape& pages, const HeadRange& heads,
                     const std::string& name) {
  requireHeads(pages, heads, name);
  const uint64_t tokens = checkedMultiply(pages.pagesPerBlock, pages.pageTokens, "tokens of a block");
  const uint64_t parts = checkedMultiply(tokens, heads.numHeads, "heads of a block");
  if (regionBytes % parts != 0) {
    refuse(name,
           "regions that divide by " + std::to_string(tokens) + " tokens x " +
               std::to_string(heads.numHeads) + " heads",
           std::to_string(regionBytes) + " bytes");
  }
  const uint64_t headBytes = regionBytes / parts;
  // What the whole region of a page would have: other pools count in it.
  checkedMultiply(checkedMultiply(headBytes, pages.pageTokens, "a page"), heads.totalHeads, "a page");
  const PageRuns runs = pageRunsOf(headBytes, pages, heads);
  if (!runs.isWhole(pages.pagesPerBlock) &&
      (runs.rowBytes % kWordBytes != 0 || runs.firstByte % kWordBytes != 0 ||
       runs.outerStep % kWordBytes != 0 || runs.innerStep % kWordBytes != 0)) {
    refuse(name, "parts of a region at multiples of 8 bytes",
           std::to_string(headBytes) + " bytes per head and token");
  }
  return headBytes;
}

PageRuns pageRunsOf(uint64_t headBytes, const PageShape& pages, const HeadRange& heads) {
  PageRuns runs;
  const uint64_t tokenBytes = headBytes * heads.totalHeads;
  if (heads.order == HeadOrder::kHeadMajor && heads.totalHeads > 1) {
    runs.outerRows = heads.numHeads;
    runs.innerRows = pages.pageTokens;
    runs.rowBytes = headBytes;
    runs.firstByte = headBytes * heads.firstHead;
    runs.outerStep = headBytes;
    runs.innerStep = tokenBytes;
  } else if (heads.numHeads == heads.totalHeads) {
    runs.rowBytes = tokenBytes * pages.pageTokens;
  } else {
    runs.innerRows = pages.pageTokens;
    runs.rowBytes = headBytes * heads.numHeads;
    runs.firstByte = headBytes * heads.firstHead;
    runs.innerStep = tokenBytes;
  }
  return runs;
}

uint64_t headOffset(uint64_t headBytes, const PageShape& pages, const HeadRange& heads, uint32_t head,
                    uint32_t page, uint32_t token) {
  const uint64_t local = head - heads.firstHead;
  const uint64_t inBlock = uint64_t{page} * pages.pageTokens + token;
  const uint64_t tokens = uint64_t{pages.pagesPerBlock} * pages.pageTokens;
  const uint64_t place =
      heads.order == HeadOrder::kHeadMajor ? local * tokens + inBlock : inBlock * heads.numHeads + local;
  return place * headBytes;
}

std::string headAndToken(uint64_t headBytes, const PageShape& pages, const HeadRange& heads, uint64_t byte) {
  if (pages.pageTokens == 0 || headBytes == 0) return "";
  const uint64_t place = byte / headBytes;
  const uint64_t tokens = uint64_t{pages.pagesPerBlock} * pages.pageTokens;
  const bool headMajor = heads.order == HeadOrder::kHeadMajor;
  const uint64_t head = headMajor ? place / tokens : place % heads.numHeads;
  const uint64_t token = headMajor ? place % tokens : place / heads.numHeads;
  return " head " + std::to_string(heads.firstHead + head) + " token " + std::to_string(token);
}

}  // namespace railrunner
