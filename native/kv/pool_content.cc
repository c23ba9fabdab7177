#include "kv/pool_content.h"

#include <algorithm>
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
      report.firstBad = where() + text;
    }
  };
  for (uint64_t word = 0; word < words; word += wordStep) compare(word);
  if (words > 0 && wordStep > 1 && (words - 1) % wordStep != 0) compare(words - 1);
}

std::string place(uint32_t block, uint32_t layer, uint32_t outer) {
  return "block " + std::to_string(block) + " layer " + std::to_string(layer) + " outer " +
         std::to_string(outer);
}

bool holdsLayer(const BlockHolds& holds, uint32_t layer) {
  return layer >= holds.layerBegin && layer < holds.layerEnd;
}

void writePattern(std::byte* at, uint64_t bytes, uint64_t base) {
  const uint64_t whole = bytes / 8;
  for (uint64_t word = 0; word < whole; ++word) {
    const uint64_t value = patternWord(base, word);
    std::memcpy(at + word * 8, &value, 8);
  }
  const uint64_t rest = patternWord(base, whole);
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
      at, bytes, wordStep, report, [poison](uint64_t) { return poison; }, [&where] { return where; });
}

void writeExtent(std::byte* at, const BlockLayout& layout, const Extent& extent, const PoolContent& content) {
  const BlockHolds& holds = content.blocks[extent.block];
  std::byte* region = at;
  for (uint32_t layer = extent.layerBegin; layer < extent.layerEnd; ++layer) {
    for (uint32_t outer = extent.outerBegin; outer < extent.outerEnd; ++outer, region += layout.regionBytes) {
      if (holdsLayer(holds, layer)) {
        writePattern(region, layout.regionBytes,
                     regionBase({holds.seed, content.owner, holds.block, layer, outer}));
      } else {
        writePoison(region, layout.regionBytes, content.poisonSalt);
      }
    }
  }
  writePoison(at + layout.extentBytes, layout.blockStride - layout.extentBytes, content.poisonSalt);
}

void checkExtent(const std::byte* at, const BlockLayout& layout, const Extent& extent,
                 const PoolContent& content, uint32_t wordStep, CheckReport& report) {
  const BlockHolds& holds = content.blocks[extent.block];
  const uint64_t poison = poisonWord(content.poisonSalt);
  const std::byte* region = at;
  for (uint32_t layer = extent.layerBegin; layer < extent.layerEnd; ++layer) {
    for (uint32_t outer = extent.outerBegin; outer < extent.outerEnd; ++outer, region += layout.regionBytes) {
      if (holdsLayer(holds, layer)) {
        const uint64_t base = regionBase({holds.seed, content.owner, holds.block, layer, outer});
        compareSpan(
            region, layout.regionBytes, wordStep, report,
            [base](uint64_t word) { return patternWord(base, word); },
            [&] { return place(extent.block, layer, outer); });
      } else {
        compareSpan(
            region, layout.regionBytes, wordStep, report, [poison](uint64_t) { return poison; },
            [&] { return place(extent.block, layer, outer) + " (not transferred)"; });
      }
    }
  }
  if (layout.blockStride > layout.extentBytes) {
    compareSpan(
        region, layout.blockStride - layout.extentBytes, wordStep, report,
        [poison](uint64_t) { return poison; },
        [&] { return "padding behind " + place(extent.block, extent.layerEnd - 1, extent.outerEnd - 1); });
  }
}

void mergeReport(CheckReport& whole, const CheckReport& part) {
  whole.checked += part.checked;
  if (whole.wrong == 0) whole.firstBad = part.firstBad;
  whole.wrong += part.wrong;
}

MemoryStore::MemoryStore(std::byte* base, const BlockLayout& layout, uint32_t threads)
    : base_(base), layout_(layout), threads_(std::max(1U, threads)) {}

void MemoryStore::write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
                        const RunControl& control) {
  const uint64_t step = std::max<uint64_t>(1, kPieceBytes / layout_.blockStride);
  parallelFor(blocks.size() * layout_.extentsPerBlock, step, threads_, control,
              [&](uint64_t begin, uint64_t end, uint32_t) {
                for (uint64_t i = begin; i < end; ++i) {
                  const uint64_t index = (i / blocks.size()) * layout_.numBlocks + blocks[i % blocks.size()];
                  const Extent extent = extentAt(layout_, index);
                  writeExtent(base_ + extent.offset, layout_, extent, content);
                }
              });
  if (!layerGaps || layout_.layerGapBytes == 0) return;
  for (uint32_t layer = 0; layer < layout_.numLayers; ++layer) {
    writePoison(base_ + (layer + 1) * layout_.layerStride - layout_.layerGapBytes, layout_.layerGapBytes,
                content.poisonSalt);
  }
}

CheckReport MemoryStore::check(const PoolContent& content, uint32_t wordStep, const RunControl& control) {
  const uint64_t step = std::max<uint64_t>(1, kPieceBytes / layout_.blockStride);
  const uint64_t pieces = (layout_.numExtents() + step - 1) / step;
  std::vector<CheckReport> reports(
      pieces);  // by place, so that the first bad word is the one of lowest address
  parallelFor(layout_.numExtents(), step, threads_, control, [&](uint64_t begin, uint64_t end, uint32_t) {
    CheckReport& report = reports[begin / step];
    for (uint64_t index = begin; index < end; ++index) {
      const Extent extent = extentAt(layout_, index);
      checkExtent(base_ + extent.offset, layout_, extent, content, wordStep, report);
    }
  });
  CheckReport whole;
  for (const CheckReport& report : reports) mergeReport(whole, report);
  for (uint32_t layer = 0; layer < layout_.numLayers && layout_.layerGapBytes > 0; ++layer) {
    checkPoison(base_ + (layer + 1) * layout_.layerStride - layout_.layerGapBytes, layout_.layerGapBytes,
                content.poisonSalt, wordStep, "gap behind layer " + std::to_string(layer), whole);
  }
  return whole;
}

void MemoryStore::readBytes(uint64_t offset, void* target, uint64_t bytes) {
  std::memcpy(target, base_ + offset, bytes);
}

void MemoryStore::writeBytes(uint64_t offset, const void* source, uint64_t bytes) {
  std::memcpy(base_ + offset, source, bytes);
}

}  // namespace railrunner
