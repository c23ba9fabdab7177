#include "replicated/piece_plan.h"

#include <algorithm>
#include <limits>

namespace railrunner {

namespace {

constexpr uint64_t kMinChunkBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxChunkBytes = uint64_t{64} << 20;
constexpr uint64_t kWantedChunks = 16;
constexpr uint64_t kLeastChunks = 8;
constexpr uint64_t kMostChunks = 4096;
// Chunks this many blocks long on average lose little when they end at whole ones.
constexpr uint64_t kBlocksToRound = 4;

LaneRequest rectangle(const LaneRequest& lane, uint64_t entryBegin, uint64_t entryEnd, uint32_t layerBegin,
                      uint32_t layerEnd) {
  LaneRequest part;
  part.source = lane.source;
  part.target = lane.target;
  const auto begin = static_cast<std::ptrdiff_t>(entryBegin);
  const auto end = static_cast<std::ptrdiff_t>(entryEnd);
  part.sourceIds.assign(lane.sourceIds.begin() + begin, lane.sourceIds.begin() + end);
  part.targetIds.assign(lane.targetIds.begin() + begin, lane.targetIds.begin() + end);
  part.layerBegin = lane.layerBegin + layerBegin;
  part.layerEnd = lane.layerBegin + layerEnd;
  return part;
}

}  // namespace

PiecePlan::PiecePlan(const LaneRequest& lane, uint32_t numChunks, uint32_t numShares)
    : lane_(lane),
      numLayers_(lane.layerEnd - lane.layerBegin),
      numUnits_(static_cast<uint64_t>(lane.targetIds.size()) * numLayers_),
      step_(lane.targetIds.size() >= kBlocksToRound * numChunks ? numLayers_ : 1),
      numChunks_(static_cast<uint32_t>(std::clamp<uint64_t>(numChunks, 1, numUnits_))),
      numShares_(std::max(1U, numShares)) {}

uint64_t PiecePlan::chunkBegin(uint32_t chunk) const {
  return numUnits_ / step_ * chunk / numChunks_ * step_;
}

Piece PiecePlan::piece(uint32_t chunk, uint32_t share) const {
  const uint64_t first = chunkBegin(chunk);
  const uint64_t count = chunkBegin(chunk + 1) - first;
  uint64_t begin = first + count * share / numShares_;
  const uint64_t end = first + count * (share + 1) / numShares_;
  Piece piece;
  while (begin < end) {
    const uint64_t entry = begin / numLayers_;
    const auto layer = static_cast<uint32_t>(begin % numLayers_);
    if (layer == 0 && end - begin >= numLayers_) {
      const uint64_t entries = (end - begin) / numLayers_;
      piece.push_back(rectangle(lane_, entry, entry + entries, 0, numLayers_));
      begin += entries * numLayers_;
    } else {
      const auto layers = static_cast<uint32_t>(std::min<uint64_t>(numLayers_ - layer, end - begin));
      piece.push_back(rectangle(lane_, entry, entry + 1, layer, layer + layers));
      begin += layers;
    }
  }
  return piece;
}

uint32_t chooseNumChunks(uint64_t payloadBytes, uint64_t chunkBytes, uint64_t leastChunkBytes) {
  if (chunkBytes == 0) {
    chunkBytes =
        std::max(leastChunkBytes, std::clamp(payloadBytes / kWantedChunks, kMinChunkBytes, kMaxChunkBytes));
  }
  const uint64_t wanted = (payloadBytes + chunkBytes - 1) / chunkBytes;
  const uint64_t least = std::clamp<uint64_t>(payloadBytes / leastChunkBytes, 1, kLeastChunks);
  return static_cast<uint32_t>(std::clamp(wanted, least, kMostChunks));
}

std::vector<CopySpan> spansOf(const Piece& piece, bool wholeRuns) {
  std::vector<CopySpan> spans;
  for (const LaneRequest& part : piece) {
    const uint32_t batch = wholeRuns ? std::numeric_limits<uint32_t>::max() : 1;
    const CopyPlan plan = compileCopyPlan(part, {true, batch, 0});
    spans.insert(spans.end(), plan.spans.begin(), plan.spans.end());
  }
  return spans;
}

uint64_t bytesOf(const std::vector<CopySpan>& spans) {
  uint64_t bytes = 0;
  for (const CopySpan& span : spans) bytes += span.bytes;
  return bytes;
}

}  // namespace railrunner
