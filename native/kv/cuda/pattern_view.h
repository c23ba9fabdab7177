#pragma once

#include <cstdint>

// What the kernels that fill and check pools are told; without CUDA, so that it is tested anywhere.
namespace railrunner::cuda {

// What one page of a block holds of one group: the pattern of page `block` of `owner` under `seed` in the group's
// layers at positions [layerBegin, layerEnd), poison in the others. `place` is the block's index in the section. The
// pages of a block follow each other.
struct PatternBlock {
  uint64_t seed;
  uint32_t place;
  uint32_t block;
  uint32_t layerBegin;
  uint32_t layerEnd;
  uint32_t owner;  // RegionIdentity::owner
  uint32_t reserved;
};

// The spans of a pool that a call visits: for each block, layer < numLayers and outer index from firstOuter
// the `bytes` at
//   base + place * blockStride + layer * layerStride + (outer - firstOuter) * outerStride + skip
// at any alignment. A span's words count from its first byte; a last partial word holds the low bytes.
struct PatternView {
  uint64_t base;
  uint64_t blockStride;
  uint64_t layerStride;
  uint64_t outerStride;
  uint64_t skip;
  uint64_t bytes;
  uint32_t numLayers;
  uint32_t numOuters;
  uint32_t firstOuter;
  uint32_t group;          // RegionIdentity::group
  uint32_t poisonOnly;     // not 0: padding, which holds poison whatever the block holds
  uint64_t poison;         // poisonWord() of the salt
  uint32_t pagesPerBlock;  // entries of the block list for each block
  // How the span's words belong to pages (kv/page_runs.h), in words; rowWords 0: it is one page, word for word.
  uint32_t innerRows;
  uint64_t rowWords;
  uint64_t firstWord;
  uint64_t outerStep;
  uint64_t innerStep;
};

}  // namespace railrunner::cuda
