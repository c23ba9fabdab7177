#include "kv/block_layout.h"

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

constexpr uint32_t kMaxLayers = 1U << 16;

[[noreturn]] void refuse(const std::string& what, const std::string& expected, const std::string& received) {
  throw Error(ErrorCode::kArgument, "layout " + what + ": expected " + expected + ", received " + received);
}

void requireRange(const std::string& name, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return;
  refuse(name, std::to_string(min) + " to " + std::to_string(max), std::to_string(value));
}

bool isPowerOfTwo(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

// `sectionBegin` to `sectionEnd`: where it may belong, behind the groups before it.
void requireGroup(const GroupShape& group, uint32_t sectionBegin, uint32_t sectionEnd) {
  const std::string name = group.name.empty() ? "" : " of group " + group.name;
  requireRange("layers" + name, group.layers.size(), 1, kMaxLayers);
  requireRange("outerDim" + name, group.regionBytes.size(), 1, kMaxOuters);
  for (const uint64_t bytes : group.regionBytes) requireRange("region bytes" + name, bytes, 1, INT64_MAX);
  for (size_t i = 0; i < group.layers.size(); ++i) {
    requireRange("layer" + name, group.layers[i], 0, kMaxLayers - 1);
    if (i > 0 && group.layers[i] <= group.layers[i - 1]) {
      refuse("layers" + name, "an ascending list",
             std::to_string(group.layers[i]) + " behind " + std::to_string(group.layers[i - 1]));
    }
  }
  requireRange("section" + name, group.section, sectionBegin, sectionEnd);
}

// Gives every group, section and strip its place, one behind the other.
class Placer {
 public:
  explicit Placer(BlockLayout& layout) : layout_(layout) {}

  void place() {
    for (uint32_t index = 0; index < layout_.sections.size(); ++index) {
      Section& section = layout_.sections[index];
      section.stripBegin = static_cast<uint32_t>(layout_.strips.size());
      if (layout_.kind == LayoutKind::kFullyContiguous) {
        placeContiguous(index);
        // The next section starts as a buffer of its own would.
        if (index + 1 < layout_.sections.size()) endBuffer();
      } else {
        for (uint32_t group = section.groupBegin; group < section.groupEnd; ++group) placeSeparate(group);
      }
      section.stripEnd = static_cast<uint32_t>(layout_.strips.size());
    }
    layout_.totalBytes = end_;
  }

 private:
  void placeContiguous(uint32_t index) {
    const Section& section = layout_.sections[index];
    uint64_t inside = 0;
    for (uint32_t i = section.groupBegin; i < section.groupEnd; ++i) {
      GroupLayout& group = layout_.groups[i];
      group.layerStride = group.layerBytes();
      group.outers[0].begin = checkedAdd(end_, inside, "block");
      group.outers[1].begin = group.outers[0].begin + group.outers[0].regionBytes;
      inside = checkedAdd(inside, checkedMultiply(group.layerStride, group.numLayers(), "block"), "block");
    }
    Strip strip;
    strip.section = index;
    strip.groupBegin = section.groupBegin;
    strip.groupEnd = section.groupEnd;
    strip.layers = {0, kMaxLayers};
    strip.outerEnd = kMaxOuters;
    addStrip(strip, inside);
    for (uint32_t i = section.groupBegin; i < section.groupEnd; ++i) {
      for (OuterLayout& outer : layout_.groups[i].outers) outer.blockStride = layout_.strips.back().stride;
    }
  }

  void placeSeparate(uint32_t index) {
    GroupLayout& group = layout_.groups[index];
    const bool blockFirst = layout_.blockDim == BlockDim::kFirst;
    for (uint32_t position = 0; position < group.numLayers(); ++position) {
      const uint64_t layerBegin = end_;
      for (uint32_t outer = 0; outer < (blockFirst ? 1 : group.numOuters); ++outer) {
        Strip strip;
        strip.section = group.section;
        strip.groupBegin = index;
        strip.groupEnd = index + 1;
        strip.layers = {position, position + 1};
        strip.outerBegin = outer;
        strip.outerEnd = blockFirst ? group.numOuters : outer + 1;
        addStrip(strip, blockFirst ? group.layerBytes() : group.outers[outer].regionBytes);
        if (position > 0) continue;
        group.outers[outer].begin = layout_.strips.back().begin;
        group.outers[outer].blockStride = layout_.strips.back().stride;
      }
      endBuffer();
      if (position > 0) continue;
      group.layerStride = end_ - layerBegin;
      if (!blockFirst) continue;
      group.outers[1].begin = group.outers[0].begin + group.outers[0].regionBytes;
      group.outers[1].blockStride = group.outers[0].blockStride;
    }
  }

  void addStrip(Strip strip, uint64_t extentBytes) {
    const uint32_t numBlocks = layout_.sections[strip.section].numBlocks;
    strip.begin = end_;
    strip.extentBytes = extentBytes;
    strip.stride = alignUp(extentBytes, layout_.alignment);
    strip.firstExtent = layout_.numExtents;
    layout_.strips.push_back(strip);
    layout_.numExtents += numBlocks;
    end_ = checkedAdd(end_, checkedMultiply(strip.stride, numBlocks, "pool size"), "pool size");
  }

  void endBuffer() {
    const uint64_t next = alignUp(end_, std::max(layout_.alignment, kBufferAlignmentBytes));
    layout_.strips.back().gapBytes = next - end_;
    end_ = next;
  }

  BlockLayout& layout_;
  uint64_t end_ = 0;
};

void addPages(OuterLayout& outer, const PageShape& pages, const GroupShape& given) {
  outer.runs.rowBytes = outer.regionBytes;
  if (pages.pageTokens == 0) {
    if (pages.pagesPerBlock == 1 && given.heads == HeadRange{}) return;
    refuse("pages", "the tokens of a page, where heads or pages per block are given", "none");
  }
  const std::string name = given.name.empty() ? "" : " of group " + given.name;
  outer.headBytes = headBytesOf(outer.regionBytes, pages, given.heads, name);
  outer.runs = pageRunsOf(outer.headBytes, pages, given.heads);
}

void addGroups(BlockLayout& layout, const LayoutShape& shape) {
  uint32_t sections = 0;
  for (const GroupShape& given : shape.groups) {
    requireGroup(given, sections == 0 ? 0 : sections - 1, sections);
    sections = given.section + 1;
    if (sections > layout.sections.size()) break;
    Section& section = layout.sections[given.section];
    const auto index = static_cast<uint32_t>(layout.groups.size());
    if (section.groupEnd == 0) section.groupBegin = index;
    section.groupEnd = index + 1;
    GroupLayout& group = layout.groups.emplace_back();
    group.name = given.name;
    group.layers = given.layers;
    group.section = given.section;
    group.numOuters = static_cast<uint32_t>(given.regionBytes.size());
    group.heads = given.heads;
    for (uint32_t outer = 0; outer < group.numOuters; ++outer) {
      group.outers[outer].regionBytes = given.regionBytes[outer];
      addPages(group.outers[outer], layout.pages, given);
    }
    layout.numLayers = std::max(layout.numLayers, given.layers.back() + 1);
  }
  requireRange("sections", layout.sections.size(), sections, sections);
}

std::string words(const BlockLayout& layout) {
  std::string text;
  for (const GroupLayout& group : layout.groups) {
    if (!text.empty()) text += " and ";
    text += std::to_string(group.numLayers()) + " layers x " + std::to_string(group.numOuters) + " x " +
            std::to_string(group.outers[0].regionBytes);
    if (group.numOuters > 1 && group.outers[1].regionBytes != group.outers[0].regionBytes) {
      text += " and " + std::to_string(group.outers[1].regionBytes);
    }
    text += " bytes";
  }
  return text;
}

}  // namespace

BlockLayout makeLayout(const LayoutShape& shape, const std::vector<uint32_t>& sectionBlocks,
                       uint64_t minAlignment) {
  requireRange("groups", shape.groups.size(), 1, kMaxGroups);
  if (!isPowerOfTwo(shape.alignment) || shape.alignment > (1ULL << 30)) {
    refuse("alignment", "a power of two up to 1 GiB", std::to_string(shape.alignment));
  }
  BlockLayout layout;
  layout.kind = shape.kind;
  layout.blockDim = shape.blockDim;
  layout.alignment = std::max(shape.alignment, minAlignment);
  layout.pages = shape.pages;
  uint64_t numBlocks = 0;
  for (const uint32_t blocks : sectionBlocks) {
    requireRange("numBlocks", blocks, 1, UINT32_MAX);
    Section section;
    section.firstBlock = static_cast<uint32_t>(numBlocks);
    section.numBlocks = blocks;
    layout.sections.push_back(section);
    numBlocks += blocks;
    requireRange("numBlocks", numBlocks, 1, UINT32_MAX);
  }
  layout.numBlocks = static_cast<uint32_t>(numBlocks);
  requireRange("pagesPerBlock", shape.pages.pagesPerBlock, 1, UINT32_MAX / numBlocks);
  addGroups(layout, shape);
  Placer(layout).place();
  return layout;
}

Extent extentAt(const BlockLayout& layout, uint64_t index) {
  const auto behind =
      std::upper_bound(layout.strips.begin(), layout.strips.end(), index,
                       [](uint64_t at, const Strip& strip) { return at < strip.firstExtent; });
  const Strip& strip = *(behind - 1);
  const auto block = static_cast<uint32_t>(index - strip.firstExtent);
  return {strip.begin + block * strip.stride, layout.sections[strip.section].firstBlock + block, &strip};
}

std::vector<Extent> extentsOf(const BlockLayout& layout, const std::vector<uint32_t>& blocks) {
  std::vector<std::vector<uint32_t>> ofSection(layout.sections.size());
  for (const uint32_t block : blocks)
    ofSection[&layout.sectionOf(block) - layout.sections.data()].push_back(block);
  std::vector<Extent> extents;
  for (const Strip& strip : layout.strips) {
    const uint32_t firstBlock = layout.sections[strip.section].firstBlock;
    for (const uint32_t block : ofSection[strip.section])
      extents.push_back({strip.begin + (block - firstBlock) * strip.stride, block, &strip});
  }
  return extents;
}

uint64_t longestStride(const BlockLayout& layout) {
  uint64_t longest = 1;
  for (const Strip& strip : layout.strips) longest = std::max(longest, strip.stride);
  return longest;
}

Payload payloadOf(const BlockLayout& layout, const std::vector<uint32_t>& blocks, uint32_t layerBegin,
                  uint32_t layerEnd) {
  std::vector<Payload> ofSection(layout.sections.size());
  for (const GroupLayout& group : layout.groups) {
    const LayerSpan span = group.span(layerBegin, layerEnd);
    Payload& section = ofSection[group.section];
    section.bytes =
        checkedAdd(section.bytes, checkedMultiply(group.layerBytes(), span.size(), "payload"), "payload");
    section.regions += uint64_t{span.size()} * group.numOuters;
  }
  std::vector<uint64_t> numBlocks(layout.sections.size(), 0);
  for (const uint32_t block : blocks) ++numBlocks[&layout.sectionOf(block) - layout.sections.data()];
  Payload whole;
  for (size_t section = 0; section < ofSection.size(); ++section) {
    whole.bytes = checkedAdd(
        whole.bytes, checkedMultiply(ofSection[section].bytes, numBlocks[section], "payload"), "payload");
    whole.regions = checkedAdd(
        whole.regions, checkedMultiply(ofSection[section].regions, numBlocks[section], "regions"), "regions");
  }
  return whole;
}

std::string regionName(const BlockLayout& layout, uint32_t block, uint32_t group, uint32_t position,
                       uint32_t outer) {
  const GroupLayout& of = layout.groups[group];
  const std::string named = layout.groups.size() > 1 ? " group " + of.name : "";
  return "block " + std::to_string(block) + named + " layer " + std::to_string(of.layers[position]) +
         " outer " + std::to_string(outer);
}

std::string placeName(const BlockLayout& layout, uint32_t block, uint32_t group, uint32_t position,
                      uint32_t outer, uint64_t byte) {
  const GroupLayout& of = layout.groups[group];
  return regionName(layout, block, group, position, outer) +
         headAndToken(of.outers[outer].headBytes, layout.pages, of.heads, byte);
}

void requireSameRegions(const BlockLayout& source, const BlockLayout& target) {
  const auto same = [](const GroupLayout& a, const GroupLayout& b) {
    return a.layers == b.layers && a.numOuters == b.numOuters && a.section == b.section &&
           a.outers[0].regionBytes == b.outers[0].regionBytes &&
           a.outers[1].regionBytes == b.outers[1].regionBytes;
  };
  if (std::equal(source.groups.begin(), source.groups.end(), target.groups.begin(), target.groups.end(),
                 same)) {
    return;
  }
  throw Error(ErrorCode::kArgument, "layouts of source and target must have equal regions: source has " +
                                        words(source) + ", target has " + words(target));
}

}  // namespace railrunner
