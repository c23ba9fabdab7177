#include "kv/cuda/cuda_store.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>

#include "core/pattern.h"
#include "device/cuda/cuda_handles.h"
#include "device/device.h"
#include "kv/cuda/pattern_kernels.h"

namespace railrunner {

namespace {

using cuda::Buffer;
using cuda::PatternBlock;
using cuda::PatternResult;
using cuda::PatternView;

// The spans of a pool: regions, the padding behind extents, the gaps behind layers.
enum class Spans { kRegions, kPadding, kGaps };

class CudaStore final : public ContentStore {
 public:
  CudaStore(int ordinal, std::byte* base, const BlockLayout& layout)
      : ordinal_(ordinal), base_(base), layout_(layout) {
    cuda::makeCurrent(ordinal_);
    cuda::check(cuda::preloadPatternKernels(), "loading the pattern kernels");
    stream_.emplace();
    done_.emplace();
    result_ = Buffer(Buffer::Place::kDevice, sizeof(PatternResult));
  }

  void write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
             const RunControl& control) override {
    cuda::makeCurrent(ordinal_);
    upload(content, blocks);
    const auto count = static_cast<uint32_t>(blocks.size());
    fill(viewOf(Spans::kRegions, content), count);
    fill(viewOf(Spans::kPadding, content), count);
    if (layerGaps) fill(viewOf(Spans::kGaps, content), 1);
    finish(control);
  }

  CheckReport check(const PoolContent& content, uint32_t, const RunControl& control) override {
    cuda::makeCurrent(ordinal_);
    std::vector<uint32_t> all(layout_.numBlocks);
    std::iota(all.begin(), all.end(), 0);
    upload(content, all);
    CheckReport whole;
    for (const Spans spans : {Spans::kRegions, Spans::kPadding, Spans::kGaps}) {
      mergeReport(whole, compare(spans, content, control));
    }
    return whole;
  }

  void readBytes(uint64_t offset, void* target, uint64_t bytes) override {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaMemcpy(target, base_ + offset, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  }

  void writeBytes(uint64_t offset, const void* source, uint64_t bytes) override {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaMemcpy(base_ + offset, source, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  }

 private:
  // One entry a listed block; one stands for the pool where gaps are visited.
  void upload(const PoolContent& content, const std::vector<uint32_t>& blocks) {
    std::vector<PatternBlock> table;
    table.reserve(blocks.size() + 1);
    for (const uint32_t place : blocks) {
      const BlockHolds& holds = content.blocks[place];
      table.push_back({holds.seed, place, holds.block, holds.layerBegin, holds.layerEnd});
    }
    if (table.empty()) table.push_back({});
    const uint64_t bytes = table.size() * sizeof(PatternBlock);
    if (blocks_.bytes() < bytes) blocks_ = Buffer(Buffer::Place::kDevice, bytes);
    cuda::check(cudaMemcpy(blocks_.as(), table.data(), bytes, cudaMemcpyHostToDevice),
                "cudaMemcpy of block contents");
  }

  PatternView viewOf(Spans spans, const PoolContent& content) const {
    PatternView view{};
    view.base = reinterpret_cast<uint64_t>(base_);
    view.blockStride = layout_.blockStride;
    view.layerStride = layout_.layerStride;
    view.outerStride = layout_.outerStride;
    view.numLayers = layout_.numLayers;
    view.numOuters = layout_.outerDim;
    view.bytes = layout_.regionBytes;
    view.owner = content.owner;
    view.poison = poisonWord(content.poisonSalt);
    view.poisonOnly = spans == Spans::kRegions ? 0 : 1;
    if (spans == Spans::kPadding) {
      view.skip = layout_.extentBytes;
      view.bytes = layout_.blockStride - layout_.extentBytes;
      const bool separate = layout_.kind == LayoutKind::kLayerSeparate;
      view.numLayers = separate ? layout_.numLayers : 1;
      view.numOuters = separate && layout_.blockDim == BlockDim::kSecond ? layout_.outerDim : 1;
    } else if (spans == Spans::kGaps) {
      view.blockStride = 0;
      view.skip = layout_.layerStride - layout_.layerGapBytes;
      view.bytes = layout_.layerGapBytes;
      view.numOuters = 1;
    }
    return view;
  }

  void fill(const PatternView& view, uint32_t numBlocks) {
    cuda::check(cuda::launchFill(view, blocks_.as<PatternBlock>(), numBlocks, *stream_),
                "launching fillKernel");
  }

  void finish(const RunControl& control) {
    done_->record(*stream_);
    done_->wait(control);
  }

  CheckReport compare(Spans spans, const PoolContent& content, const RunControl& control) {
    CheckReport report;
    const PatternView view = viewOf(spans, content);
    if (view.bytes == 0) return report;
    const uint32_t numBlocks = spans == Spans::kGaps ? 1 : layout_.numBlocks;
    PatternResult result{0, PatternResult::kNoPlace};
    cuda::check(cudaMemcpy(result_.as(), &result, sizeof(result), cudaMemcpyHostToDevice), "cudaMemcpy");
    cuda::check(
        cuda::launchCheck(view, blocks_.as<PatternBlock>(), numBlocks, result_.as<PatternResult>(), *stream_),
        "launching checkKernel");
    finish(control);
    cuda::check(cudaMemcpy(&result, result_.as(), sizeof(result), cudaMemcpyDeviceToHost), "cudaMemcpy");
    report.checked = uint64_t{numBlocks} * view.numLayers * view.numOuters * ((view.bytes + 7) / 8);
    report.wrong = result.wrong;
    if (result.wrong != 0) report.firstBad = describe(spans, view, content, result.firstPlace);
    return report;
  }

  // The place and both words, in the words of the check of CPU memory.
  std::string describe(Spans spans, const PatternView& view, const PoolContent& content,
                       uint64_t firstPlace) {
    const uint64_t span = firstPlace >> 32;
    const uint64_t word = firstPlace & 0xffffffffU;
    const auto block = static_cast<uint32_t>(span / (view.numLayers * view.numOuters));
    const auto layer = static_cast<uint32_t>(span / view.numOuters % view.numLayers);
    const auto outer = static_cast<uint32_t>(span % view.numOuters);
    const uint64_t offset =
        block * view.blockStride + layer * view.layerStride + outer * view.outerStride + view.skip + 8 * word;
    const uint64_t bytes = std::min<uint64_t>(8, view.bytes - 8 * word);
    uint64_t found = 0;
    readBytes(offset, &found, bytes);
    const BlockHolds& holds = content.blocks[block];
    const bool poison = spans != Spans::kRegions || layer < holds.layerBegin || layer >= holds.layerEnd;
    uint64_t expected = view.poison;
    if (!poison) {
      expected = patternWord(regionBase({holds.seed, content.owner, holds.block, layer, outer}), word);
    }
    if (bytes < 8) expected &= (uint64_t{1} << (8 * bytes)) - 1;
    std::string place = "gap behind layer " + std::to_string(layer);
    if (spans != Spans::kGaps) {
      place = std::string(spans == Spans::kPadding ? "padding behind " : "") + "block " +
              std::to_string(block) + " layer " + std::to_string(layer) + " outer " + std::to_string(outer) +
              (poison && spans == Spans::kRegions ? " (not transferred)" : "");
    }
    char text[96];
    std::snprintf(text, sizeof(text), " word %llu: expected 0x%016llx, found 0x%016llx",
                  static_cast<unsigned long long>(word), static_cast<unsigned long long>(expected),
                  static_cast<unsigned long long>(found));
    return place + text;
  }

  int ordinal_;
  std::byte* base_;
  BlockLayout layout_;
  std::optional<cuda::Stream> stream_;
  std::optional<cuda::Event> done_;
  Buffer blocks_;
  Buffer result_;
};

}  // namespace

std::unique_ptr<ContentStore> makeCudaStore(Device& device, std::byte* base, const BlockLayout& layout) {
  return std::make_unique<CudaStore>(device.ordinal(), base, layout);
}

}  // namespace railrunner
