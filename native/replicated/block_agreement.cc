#include "replicated/block_agreement.h"

#include <string>
#include <vector>

#include "core/agreement.h"
#include "core/pattern.h"

namespace railrunner {

namespace {

// What every rank can check of its own; the root's lane is checked as any transfer is.
void validate(const ReplicatedRequest& request, bool holdsSource) {
  const BlockLayout& layout = request.target->layout();
  if (request.targetIds.empty() || request.targetIds.size() != request.sourceIds.size()) {
    throw Error(ErrorCode::kBlockIds, "block lists: expected two of one length, not empty, received " +
                                          std::to_string(request.sourceIds.size()) + " and " +
                                          std::to_string(request.targetIds.size()));
  }
  if (request.layerBegin >= request.layerEnd || request.layerEnd > layout.numLayers) {
    throw Error(ErrorCode::kBlockIds, "layer range: expected a part of " + std::to_string(layout.numLayers) +
                                          " layers, received [" + std::to_string(request.layerBegin) + ", " +
                                          std::to_string(request.layerEnd) + ")");
  }
  std::vector<bool> seen(layout.numBlocks);
  for (const uint32_t id : request.targetIds) {
    if (id >= layout.numBlocks || seen[id]) {
      throw Error(ErrorCode::kBlockIds, "target block " + std::to_string(id) +
                                            ": expected each once, below " +
                                            std::to_string(layout.numBlocks));
    }
    seen[id] = true;
  }
  if (!holdsSource || request.sourceIsDevice()) return;
  if (request.source == nullptr)
    throw Error(ErrorCode::kArgument, "the root has no pool of the tier that is read");
  LaneRequest lane{request.source,    request.target,     request.sourceIds,
                   request.targetIds, request.layerBegin, request.layerEnd};
  validateLane(lane);
  requireSameRegions(request.source->layout(), request.target->layout());
}

// Of all that must be the same on every rank: order of blocks, geometry, strategy.
uint64_t digestOf(const ReplicatedRequest& request, DeviceKind kind) {
  const BlockLayout& layout = request.target->layout();
  uint64_t digest = 0;
  const auto add = [&digest](uint64_t value) { digest = mix64(digest ^ mix64(value + 1)); };
  for (const uint64_t value :
       {static_cast<uint64_t>(layout.kind), static_cast<uint64_t>(layout.blockDim),
        uint64_t{layout.numBlocks}, uint64_t{layout.numLayers}, layout.groups.size(), layout.sections.size(),
        uint64_t{request.layerBegin}, uint64_t{request.layerEnd}, static_cast<uint64_t>(request.strategy),
        static_cast<uint64_t>(request.root), static_cast<uint64_t>(request.sourceTier),
        request.options.chunkBytes, static_cast<uint64_t>(kind), request.targetIds.size()}) {
    add(value);
  }
  for (const GroupLayout& group : layout.groups) {
    for (const uint64_t value : {uint64_t{group.section}, uint64_t{group.numOuters}, group.layerStride})
      add(value);
    for (const OuterLayout& outer : group.outers) {
      for (const uint64_t value : {outer.regionBytes, outer.begin, outer.blockStride}) add(value);
    }
    for (const uint32_t layer : group.layers) add(layer);
  }
  for (const uint32_t id : request.targetIds) add(id);
  return digest;
}

}  // namespace

void agreeOnBlocks(Exchange& exchange, const ReplicatedRequest& request, DeviceKind kind, int64_t deadlineNs,
                   const std::function<void()>& also) {
  const bool holdsSource = static_cast<int>(exchange.rank()) == request.root ||
                           request.strategy == ReplicatedStrategy::kIndependent;
  const auto all = Agreement(exchange, "checking the blocks", deadlineNs).run([&] {
    validate(request, holdsSource);
    if (also) also();
    return bytesOfValue(digestOf(request, kind));
  });
  const auto& expected = all.at(static_cast<size_t>(request.root));
  std::string differing;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] != expected) differing += (differing.empty() ? "" : ", ") + std::to_string(rank);
  }
  if (differing.empty()) return;
  throw AgreedError(ErrorCode::kBlockIds, "order of blocks or geometry of rank " + differing +
                                              " is not that of root " + std::to_string(request.root) +
                                              ". Do all ranks see the same spec, trace and model files?");
}

}  // namespace railrunner
