#include "kv/block_ids.h"

#include <string>

#include "core/error.h"

namespace railrunner {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kBlockIds, message); }

void requireInRange(const std::vector<uint32_t>& ids, const BlockPool& pool, const char* side) {
  const uint32_t numBlocks = pool.layout().numBlocks;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < numBlocks) continue;
    refuse(std::string(side) + " block id " + std::to_string(ids[i]) + " (entry " + std::to_string(i) +
           "): the " + tierName(pool.tier()) + " pool has blocks 0 to " + std::to_string(numBlocks - 1));
  }
}

std::vector<uint8_t> marked(const std::vector<uint32_t>& ids, uint32_t numBlocks) {
  std::vector<uint8_t> marks(numBlocks, 0);
  for (const uint32_t id : ids) marks[id] = 1;
  return marks;
}

void requireNoCommonBlock(const std::vector<uint32_t>& written, const std::vector<uint32_t>& other,
                          const BlockPool& pool, const char* why) {
  const std::vector<uint8_t> marks = marked(other, pool.layout().numBlocks);
  for (const uint32_t id : written) {
    if (marks[id] != 0) {
      refuse(std::string(tierName(pool.tier())) + " block id " + std::to_string(id) + " " + why);
    }
  }
}

// A pair of blocks must hold the same groups.
void requireSameSections(const LaneRequest& lane) {
  const BlockLayout& source = lane.source->layout();
  const BlockLayout& target = lane.target->layout();
  requireSameRegions(source, target);
  if (source.sections.size() == 1) return;
  for (size_t i = 0; i < lane.sourceIds.size(); ++i) {
    const auto from = &source.sectionOf(lane.sourceIds[i]) - source.sections.data();
    const auto to = &target.sectionOf(lane.targetIds[i]) - target.sections.data();
    if (from == to) continue;
    refuse("source block id " + std::to_string(lane.sourceIds[i]) + " and target block id " +
           std::to_string(lane.targetIds[i]) + " (entry " + std::to_string(i) +
           ") hold different groups of layers");
  }
}

}  // namespace

void validateLane(const LaneRequest& lane) {
  if (lane.sourceIds.size() != lane.targetIds.size()) {
    refuse("block ids: " + std::to_string(lane.sourceIds.size()) + " sources for " +
           std::to_string(lane.targetIds.size()) + " targets; expected one target for each source");
  }
  if (lane.sourceIds.empty()) refuse("block ids: expected at least one block, received none");
  const uint32_t numLayers = lane.source->layout().numLayers;
  if (lane.layerBegin >= lane.layerEnd || lane.layerEnd > numLayers) {
    refuse("layer range [" + std::to_string(lane.layerBegin) + ", " + std::to_string(lane.layerEnd) +
           "): expected begin < end <= " + std::to_string(numLayers));
  }
  requireInRange(lane.sourceIds, *lane.source, "source");
  requireInRange(lane.targetIds, *lane.target, "target");
  requireSameSections(lane);
  if (payloadOf(lane.source->layout(), lane.sourceIds, lane.layerBegin, lane.layerEnd).bytes == 0) {
    refuse("layer range [" + std::to_string(lane.layerBegin) + ", " + std::to_string(lane.layerEnd) +
           "): the blocks hold nothing in these layers");
  }
  std::vector<uint8_t> seen(lane.target->layout().numBlocks, 0);
  for (const uint32_t id : lane.targetIds) {
    if (seen[id]++ != 0)
      refuse("target block id " + std::to_string(id) + " appears twice; each target is written once");
  }
  if (lane.source == lane.target) {
    requireNoCommonBlock(lane.targetIds, lane.sourceIds, *lane.target,
                         "is source and target of one transfer");
  }
}

void validateDisjoint(const std::vector<LaneRequest>& lanes) {
  for (size_t i = 0; i < lanes.size(); ++i) {
    for (size_t j = 0; j < lanes.size(); ++j) {
      if (i == j) continue;
      const LaneRequest& writer = lanes[i];
      const LaneRequest& other = lanes[j];
      const char* why = "is written by one direction and used by the other at the same time";
      if (writer.target == other.source)
        requireNoCommonBlock(writer.targetIds, other.sourceIds, *writer.target, why);
      if (writer.target == other.target)
        requireNoCommonBlock(writer.targetIds, other.targetIds, *writer.target, why);
    }
  }
}

}  // namespace railrunner
