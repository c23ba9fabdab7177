#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kv/page_runs.h"

namespace railrunner {

enum class LayoutKind : uint32_t { kFullyContiguous = 0, kLayerSeparate = 1 };
// layerSeparate: order inside a layer's buffer, [block, outer, page, inner] or [outer, block, page, inner].
enum class BlockDim : uint32_t { kFirst = 0, kSecond = 1 };

constexpr uint32_t kMaxGroups = 8;
constexpr uint32_t kMaxOuters = 2;

// Layers whose regions are alike. A block of a model with full attention, windows, latents or index keys has
// several groups; most models have one.
struct GroupShape {
  std::string name;  // for messages; '' where it is the only group
  // Layers of the block, counted over all groups, ascending. Two groups may have regions of one layer (a
  // latent and the keys of its indexer).
  std::vector<uint32_t> layers;
  std::vector<uint64_t> regionBytes;  // by outer index: K and V, or one for fused K and V, a latent, an index
  uint32_t section = 0;               // groups of one section share block ids; ascending from 0
  HeadRange heads{};                  // what of the model the regions hold; looked at where pages are told
};

struct LayoutShape {
  LayoutKind kind = LayoutKind::kFullyContiguous;
  BlockDim blockDim = BlockDim::kFirst;
  uint64_t alignment = 1;  // power of two, of an extent's start
  std::vector<GroupShape> groups;
  PageShape pages{};
};

// Positions in a group's list of layers.
struct LayerSpan {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
};

// The regions of one group and outer index lie at begin + block * blockStride + layer * layerStride, where
// `block` counts from the section's first and `layer` is a position in the group's list.
struct OuterLayout {
  uint64_t regionBytes = 0;
  uint64_t begin = 0;
  uint64_t blockStride = 0;
  uint64_t headBytes = 0;  // of one head of one token; 0 where no pages are told
  PageRuns runs;
};

struct GroupLayout {
  std::string name;
  std::vector<uint32_t> layers;
  uint32_t section = 0;
  uint32_t numOuters = 0;
  std::array<OuterLayout, kMaxOuters> outers;
  uint64_t layerStride = 0;
  HeadRange heads;

  uint32_t numLayers() const { return static_cast<uint32_t>(layers.size()); }
  uint64_t offset(uint32_t localBlock, uint32_t position, uint32_t outer) const {
    return outers[outer].begin + localBlock * outers[outer].blockStride + position * layerStride;
  }
  // Bytes of one block in one layer.
  uint64_t layerBytes() const { return outers[0].regionBytes + (numOuters > 1 ? outers[1].regionBytes : 0); }
  // The positions of layers [layerBegin, layerEnd).
  LayerSpan span(uint32_t layerBegin, uint32_t layerEnd) const {
    const auto at = [this](uint32_t layer) {
      return static_cast<uint32_t>(std::lower_bound(layers.begin(), layers.end(), layer) - layers.begin());
    };
    return {at(layerBegin), at(std::max(layerBegin, layerEnd))};
  }
};

// Blocks with ids [firstBlock, firstBlock + numBlocks) of a pool, which hold the groups [groupBegin,
// groupEnd). One section, unless a window ends: then the group with the window has blocks of its own.
struct Section {
  uint32_t firstBlock = 0;
  uint32_t numBlocks = 0;
  uint32_t groupBegin = 0, groupEnd = 0;
  uint32_t stripBegin = 0, stripEnd = 0;
};

// A region is the contiguous bytes of one (block, group, layer, outer). An extent is the longest contiguous
// run that belongs to one block: the whole block (fullyContiguous), one layer of a group (block first), or
// one region (block second). A strip is the same extent of every block of a section, one behind the other.
struct Strip {
  uint64_t begin = 0;
  uint64_t stride = 0;
  uint64_t extentBytes = 0;  // without padding; stride - extentBytes of padding follow
  uint64_t gapBytes = 0;     // behind the last extent
  uint64_t firstExtent = 0;  // number of the first extent, by address
  uint32_t section = 0;
  uint32_t groupBegin = 0, groupEnd = 0;
  LayerSpan layers;  // positions, of each group
  uint32_t outerBegin = 0, outerEnd = 0;
};

// Where each region of a pool lies. Plans are compiled from it; nothing in a timed loop looks at it.
struct BlockLayout {
  LayoutKind kind = LayoutKind::kFullyContiguous;
  BlockDim blockDim = BlockDim::kFirst;
  uint64_t alignment = 1;   // of the pool's first byte
  uint32_t numBlocks = 0;   // of all sections
  uint32_t numLayers = 0;   // over all groups
  uint64_t totalBytes = 0;  // with all padding
  uint64_t numExtents = 0;
  PageShape pages{};
  std::vector<GroupLayout> groups;
  std::vector<Section> sections;
  std::vector<Strip> strips;  // by address

  // Content is told by the page: block x pagesPerBlock + place in the block.
  uint64_t numPages() const { return uint64_t{numBlocks} * pages.pagesPerBlock; }

  const Section& sectionOf(uint32_t block) const {
    size_t section = 0;
    while (section + 1 < sections.size() && block >= sections[section + 1].firstBlock) ++section;
    return sections[section];
  }
  // `block` is an id of the pool, in the group's section.
  uint64_t offset(uint32_t block, uint32_t group, uint32_t position, uint32_t outer) const {
    return groups[group].offset(block - sections[groups[group].section].firstBlock, position, outer);
  }
};

// One contiguous run of one block.
struct Extent {
  uint64_t offset;  // in the pool
  uint32_t block;
  const Strip* strip;
};

// The extent at `index`: extents are numbered by address.
Extent extentAt(const BlockLayout& layout, uint64_t index);

// All extents of these blocks: those of a strip follow each other, in the order of `blocks`.
std::vector<Extent> extentsOf(const BlockLayout& layout, const std::vector<uint32_t>& blocks);

// The longest step from extent to extent.
uint64_t longestStride(const BlockLayout& layout);

// Where the gap behind a strip begins.
inline uint64_t gapBegin(const BlockLayout& layout, const Strip& strip) {
  return strip.begin + strip.stride * layout.sections[strip.section].numBlocks;
}

// Calls visit(group, position, outer) for each region of an extent, by address. They follow each other
// without padding.
template <class Visit>
void forEachRegion(const BlockLayout& layout, const Strip& strip, Visit&& visit) {
  for (uint32_t group = strip.groupBegin; group < strip.groupEnd; ++group) {
    const uint32_t layerEnd = std::min(strip.layers.end, layout.groups[group].numLayers());
    const uint32_t outerEnd = std::min(strip.outerEnd, layout.groups[group].numOuters);
    for (uint32_t position = strip.layers.begin; position < layerEnd; ++position) {
      for (uint32_t outer = strip.outerBegin; outer < outerEnd; ++outer) visit(group, position, outer);
    }
  }
}

// What these blocks hold in layers [layerBegin, layerEnd).
struct Payload {
  uint64_t bytes = 0;
  uint64_t regions = 0;
};
Payload payloadOf(const BlockLayout& layout, const std::vector<uint32_t>& blocks, uint32_t layerBegin,
                  uint32_t layerEnd);

// "block 5 group window layer 3 outer 1", without the group where there is one alone.
std::string regionName(const BlockLayout& layout, uint32_t block, uint32_t group, uint32_t position,
                       uint32_t outer);

// The same of one byte of the region, with head and token where pages are told.
std::string placeName(const BlockLayout& layout, uint32_t block, uint32_t group, uint32_t position,
                      uint32_t outer, uint64_t byte);

// Bytes at which buffers start in one allocation, at least.
constexpr uint64_t kBufferAlignmentBytes = 512;
// Geometry of the disk tier: every extent starts at a multiple of this, so that direct I/O can reach it
// alone.
constexpr uint64_t kDiskBlockBytes = 4096;

// Checked against overflow and illegal dimensions (kArgument). `sectionBlocks`: blocks of each section.
// `minAlignment`: kDiskBlockBytes for the disk tier, 1 else; extents are padded to the larger of the two
// alignments.
BlockLayout makeLayout(const LayoutShape& shape, const std::vector<uint32_t>& sectionBlocks,
                       uint64_t minAlignment);

// Copies need equal regions: the same groups in the same sections. Throws kArgument naming both.
void requireSameRegions(const BlockLayout& source, const BlockLayout& target);

}  // namespace railrunner
