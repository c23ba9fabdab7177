#pragma once

#include <cstring>

#include "test/moe/cuda_high_throughput_check.h"

// Calls of a high-throughput exchange, phase by phase or at once, and what they leave compared.
namespace railrunner::test {

constexpr uint32_t kAllOfDispatch = ht::kAnnounce | ht::kLayout | ht::kMove;

inline Setting small(uint32_t worldSize, OutputLayout layout, DispatchDtype payload = DispatchDtype::kBf16) {
  Setting setting;
  Shape& s = setting.shape;
  s.worldSize = worldSize;
  s.numExperts = 8 * worldSize;
  s.numTopk = 4;
  s.hidden = 640;
  s.maxDispatchTokensPerRank = 203;
  s.payload = payload;
  s.outputLayout = layout;
  return setting;
}

inline void gather(Ranks& ranks) {
  ranks.finish();
  for (uint32_t to = 0; to < ranks.shape().worldSize; ++to) {
    ranks[to].enter();
    ranks[to].arguments.gathered = 1;
    const ht::SymmetricMap& map = ranks[to].arguments.map;
    for (uint32_t from = 0; from < ranks.shape().worldSize; ++from) {
      if (from == to) continue;
      const auto copy = [&](uint64_t offset, uint64_t bytes) {
        check(cudaMemcpy(ranks[to].arguments.base[to] + offset, ranks[to].arguments.base[from] + offset,
                         bytes, cudaMemcpyDefault),
              "cudaMemcpy");
      };
      copy(map.xOffset(ranks.shape(), from),
           ranks.shape().maxDispatchTokensPerRank * ranks.shape().payloadRowBytes());
      copy(map.scalesOffset(ranks.shape(), from),
           static_cast<uint64_t>(ranks.shape().maxDispatchTokensPerRank) * map.scaleBytes);
    }
  }
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

enum class Mode { kFused, kSerial, kExact, kReuse };

// Rows by their sources while others compute positions, then from the slots to where checks look.
inline void pushAll(Ranks& ranks) {
  for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) {
    ranks.queuePush(r, ht::kAnnounce | ht::kLayout, ranks[r].plan.blocks);
  }
  ranks.dispatch(ht::kMove);
}

inline void copyAll(Ranks& ranks, uint32_t phases) {
  for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) ranks.queueCopied(r, phases);
}

// One rank and phase after the other: no kernel waits for one that has not ended.
template <class Queue>
void oneByOne(Ranks& ranks, Queue&& queue) {
  for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) {
    queue(r);
    ranks.finish();
  }
}

inline void dispatchBy(Ranks& ranks, Mode mode, Scene& scene) {
  if (ranks.setting().gatherPieces != 0) {
    copyAll(ranks, ht::kLayout | ht::kMove);
    ranks.finish();
    if (mode != Mode::kReuse) return;
    scene.newContent(ranks);
    ranks.useLayout(ranks.epoch());
    ranks.begin();
    copyAll(ranks, ht::kMove);
    ranks.finish();
    return;
  }
  if (ranks.setting().pushed) {
    pushAll(ranks);
    ranks.finish();
    return;
  }
  if (mode == Mode::kSerial) {
    for (const uint32_t phase : {ht::kAnnounce, ht::kLayout, ht::kMove}) {
      for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) {
        ranks.queueDispatch(r, phase);
        ranks.finish();
      }
    }
  } else if (mode == Mode::kExact) {
    for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) ranks[r].arguments.agreeOnRoom = 1;
    ranks.dispatch(ht::kAnnounce | ht::kLayout);
    ranks.finish();
    checkReports(ranks, scene);
    ranks.dispatch(ht::kMove);
  } else if (mode == Mode::kReuse) {
    ranks.dispatch(kAllOfDispatch);
    ranks.finish();
    scene.newContent(ranks);
    ranks.useLayout(ranks.epoch());
    ranks.begin();
    ranks.dispatch(ht::kAnnounce | ht::kMove);
  } else {
    ranks.dispatch(kAllOfDispatch);
  }
  ranks.finish();
}

inline void roundTrip(const Setting& setting, Mode mode = Mode::kFused, uint32_t seed = 5) {
  Ranks ranks(setting);
  Scene scene(setting, seed);
  for (uint32_t r = 0; r < setting.shape.worldSize; ++r) {
    ranks[r].arguments.seam.allArrive = mode == Mode::kSerial ? 1 : 0;
  }
  ranks.fill(scene.tokens);
  if (setting.strategy == ht::Strategy::kAllGather && setting.gatherPieces == 0) gather(ranks);
  ranks.begin();
  dispatchBy(ranks, mode, scene);
  checkRows(ranks, scene);
  ranks.fillOutputs(scene.expected);
  ranks.begin();
  if (mode == Mode::kSerial) {
    const uint32_t partials = ranks.combinePhases() & ht::kPartials;
    oneByOne(ranks, [&](uint32_t r) { ranks.queueDispatch(r, ht::kAnnounce); });
    if (partials != 0) oneByOne(ranks, [&](uint32_t r) { ranks.queueCombine(r, partials); });
    oneByOne(ranks, [&](uint32_t r) { ranks.queueCombine(r, ht::kPull); });
  } else {
    ranks.combine(ranks.combinePhases());
  }
  ranks.finish();
  checkSums(ranks, scene);
}

}  // namespace railrunner::test
