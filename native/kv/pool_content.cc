#include "kv/pool_content.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "core/pattern.h"
#include "kv/parallel.h"

namespace railrunner {

namespace {

// Bytes that a piece of parallel work covers at least: below it starting a thread costs more than it saves.
constexpr uint64_t kPieceBytes = 2ULL << 20;

uint64_t loadWord(const std::byte* at, uint64_t bytes) {
  uint64_t word = 0;
  std::memcpy(&word, at, std::min<uint64_t>(bytes, 8));
  return word;
}

uint64_t lowBytes(uint64_t word, uint64_t bytes) {
  return bytes >= 8 ? word : word & ((1ULL << (8 * bytes)) - 1);
}

// Compares words [0, bytes) of a span with expected(word); the last partial word counts as one.
template <class Expected, class Where>
void compareSpan(const std::byte* at, uint64_t bytes, uint32_t wordStep, CheckReport& report,
                 Expected&& expected, Where&& where) {
  const uint64_t words = (bytes + 7) / 8;
  const auto compare = [&](uint64_t word) {
    const uint64_t left = bytes - word * 8;
    const uint64_t want = lowBytes(expected(word), left);
    const uint64_t found = loadWord(at + word * 8, left);
    ++report.checked;
    if (found == want) return;
    if (report.wrong++ == 0) {
      char text[96];
      std::snprintf(text, sizeof(text), " word %llu: expected 0x%016llx, found 0x%016llx",
                    static_cast<unsigned long long>(word), static_cast<unsigned long long>(want),
                    static_cast<unsigned long long>(found));
      report.firstBad = where(word) + text;
    }
  };
  for (uint64_t word = 0; word < words; word += wordStep) compare(word);
  if (words > 0 && wordStep > 1 && (words - 1) % wordStep != 0) compare(words - 1);
}

// Of the last group of a strip.
uint32_t lastPosition(const BlockLayout& layout, const Strip& strip) {
  return std::min(strip.layers.end, layout.groups[strip.groupEnd - 1].numLayers()) - 1;
}

bool holdsLayer(const BlockHolds& holds, uint32_t layer) {
  return layer >= holds.layerBegin && layer < holds.layerEnd;
}

void writePattern(std::byte* at, uint64_t bytes, uint64_t base, uint64_t firstWord) {
  const uint64_t whole = bytes / 8;
  for (uint64_t word = 0; word < whole; ++word) {
    const uint64_t value = patternWord(base, firstWord + word);
    std::memcpy(at + word * 8, &value, 8);
  }
  const uint64_t rest = patternWord(base, firstWord + whole);
  std::memcpy(at + whole * 8, &rest, bytes - whole * 8);
}

}  // namespace

void writePoison(std::byte* at, uint64_t bytes, uint64_t poisonSalt) {
  const uint64_t poison = poisonWord(poisonSalt);
  const uint64_t whole = bytes / 8;
  for (uint64_t word = 0; word < whole; ++word) std::memcpy(at + word * 8, &poison, 8);
  std::memcpy(at + whole * 8, &poison, bytes - whole * 8);
}

void checkPoison(const std::byte* at, uint64_t bytes, uint64_t poisonSalt, uint32_t wordStep,
                 const std::string& where, CheckReport& report) {
  const uint64_t poison = poisonWord(poisonSalt);
  compareSpan(
      at, bytes, wordStep, report, [poison](uint64_t) { return poison; },
      [&where](uint64_t) { return where; });
}

void writeExtent(std::byte* at, const BlockLayout& layout, const Extent& extent, const PoolContent& content) {
  const uint32_t pagesPerBlock = layout.pages.pagesPerBlock;
  const BlockHolds* pages = &content.blocks[uint64_t{extent.block} * pagesPerBlock];
  std::byte* region = at;
  forEachRegion(layout, *extent.strip, [&](uint32_t index, uint32_t position, uint32_t outer) {
    const GroupLayout& group = layout.groups[index];
    const OuterLayout& of = group.outers[outer];
    forEachRun(of.runs, pagesPerBlock, [&](uint32_t page, uint64_t offset, uint64_t bytes, uint64_t first) {
      const BlockHolds& holds = pages[page];
      if (holdsLayer(holds, group.layers[position])) {
        const RegionIdentity id{holds.seed, content.ownerOf(holds), holds.block, index, position, outer};
        writePattern(region + offset, bytes, regionBase(id), first / 8);
      } else {
        writePoison(region + offset, bytes, content.poisonSalt);
      }
    });
    region += of.regionBytes;
  });
  writePoison(region, extent.strip->stride - extent.strip->extentBytes, content.poisonSalt);
}

void checkExtent(const std::byte* at, const BlockLayout& layout, const Extent& extent,
                 const PoolContent& content, uint32_t wordStep, CheckReport& report) {
  if (report.wrong == 0) report.firstBlock = extent.block;
  const uint32_t pagesPerBlock = layout.pages.pagesPerBlock;
  const BlockHolds* pages = &content.blocks[uint64_t{extent.block} * pagesPerBlock];
  const uint64_t poison = poisonWord(content.poisonSalt);
  const std::byte* region = at;
  std::array<uint32_t, 3> last{};
  forEachRegion(layout, *extent.strip, [&](uint32_t index, uint32_t position, uint32_t outer) {
    const GroupLayout& group = layout.groups[index];
    const OuterLayout& of = group.outers[outer];
    forEachRun(of.runs, pagesPerBlock, [&](uint32_t page, uint64_t offset, uint64_t bytes, uint64_t first) {
      const BlockHolds& holds = pages[page];
      const auto name = [&](uint64_t word) {
        return placeName(layout, extent.block, index, position, outer, offset + word * 8);
      };
      if (holdsLayer(holds, group.layers[position])) {
        const uint64_t base =
            regionBase({holds.seed, content.ownerOf(holds), holds.block, index, position, outer});
        compareSpan(
            region + offset, bytes, wordStep, report,
            [base, first](uint64_t word) { return patternWord(base, first / 8 + word); }, name);
      } else {
        compareSpan(
            region + offset, bytes, wordStep, report, [poison](uint64_t) { return poison; },
            [&](uint64_t word) { return name(word) + " (not transferred)"; });
      }
    });
    region += of.regionBytes;
    last = {index, position, outer};
  });
  if (extent.strip->stride > extent.strip->extentBytes) {
    compareSpan(
        region, extent.strip->stride - extent.strip->extentBytes, wordStep, report,
        [poison](uint64_t) { return poison; },
        [&](uint64_t) {
          return "padding behind " + regionName(layout, extent.block, last[0], last[1], last[2]);
        });
  }
}

std::string gapName(const BlockLayout& layout, uint32_t group, uint32_t position) {
  const std::string named = layout.groups.size() > 1 ? "group " + layout.groups[group].name + " " : "";
  return "gap behind " + named + "layer " + std::to_string(layout.groups[group].layers[position]);
}

void mergeReport(CheckReport& whole, const CheckReport& part) {
  whole.checked += part.checked;
  if (whole.wrong == 0) {
    whole.firstBad = part.firstBad;
    whole.firstBlock = part.firstBlock;
  }
  whole.wrong += part.wrong;
}

MemoryStore::MemoryStore(std::byte* base, const BlockLayout& layout, uint32_t threads)
    : base_(base), layout_(layout), threads_(std::max(1U, threads)) {}

void MemoryStore::write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
                        const RunControl& control) {
  const std::vector<Extent> extents = extentsOf(layout_, blocks);
  const uint64_t step = std::max<uint64_t>(1, kPieceBytes / longestStride(layout_));
  parallelFor(extents.size(), step, threads_, control, [&](uint64_t begin, uint64_t end, uint32_t) {
    for (uint64_t i = begin; i < end; ++i)
      writeExtent(base_ + extents[i].offset, layout_, extents[i], content);
  });
  if (!layerGaps) return;
  for (const Strip& strip : layout_.strips) {
    if (strip.gapBytes > 0) writePoison(base_ + gapBegin(layout_, strip), strip.gapBytes, content.poisonSalt);
  }
}

template <class ExtentAt>
CheckReport MemoryStore::checkExtents(uint64_t count, ExtentAt&& extentAtIndex, const PoolContent& content,
                                      uint32_t wordStep, const RunControl& control) {
  const uint64_t step = std::max<uint64_t>(1, kPieceBytes / longestStride(layout_));
  // By place, so that the first bad word is the one of the lowest index.
  std::vector<CheckReport> reports((count + step - 1) / step);
  parallelFor(count, step, threads_, control, [&](uint64_t begin, uint64_t end, uint32_t) {
    CheckReport& report = reports[begin / step];
    for (uint64_t index = begin; index < end; ++index) {
      const Extent extent = extentAtIndex(index);
      checkExtent(base_ + extent.offset, layout_, extent, content, wordStep, report);
    }
  });
  CheckReport whole;
  for (const CheckReport& report : reports) mergeReport(whole, report);
  return whole;
}

CheckReport MemoryStore::check(const PoolContent& content, uint32_t wordStep, const RunControl& control) {
  CheckReport whole = checkExtents(
      layout_.numExtents, [&](uint64_t index) { return extentAt(layout_, index); }, content, wordStep,
      control);
  for (const Strip& strip : layout_.strips) {
    if (strip.gapBytes == 0) continue;
    checkPoison(base_ + gapBegin(layout_, strip), strip.gapBytes, content.poisonSalt, wordStep,
                gapName(layout_, strip.groupEnd - 1, lastPosition(layout_, strip)), whole);
  }
  return whole;
}

CheckReport MemoryStore::checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks,
                                     uint32_t wordStep, const RunControl& control) {
  const std::vector<Extent> extents = extentsOf(layout_, blocks);
  return checkExtents(
      extents.size(), [&](uint64_t index) { return extents[index]; }, content, wordStep, control);
}

void MemoryStore::readBytes(uint64_t offset, void* target, uint64_t bytes) {
  std::memcpy(target, base_ + offset, bytes);
}

void MemoryStore::writeBytes(uint64_t offset, const void* source, uint64_t bytes) {
  std::memcpy(base_ + offset, source, bytes);
}

}  // namespace railrunner
