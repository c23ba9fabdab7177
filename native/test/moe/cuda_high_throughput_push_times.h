#pragma once

#include "test/moe/cuda_high_throughput_times.h"

// Times of rows that are pushed or copied into slots, and of sums, next to what receivers and owners read.
namespace railrunner::test {

inline void timePush(Setting setting, const Scene& scene, Times& times) {
  setting.pushed = true, setting.processors = 16;
  Ranks ranks(setting);
  ranks.fill(scene.tokens);
  const uint64_t bytes =
      remoteBytes(scene, setting.shape.payloadRowBytes() + ranks[0].arguments.map.scaleBytes);
  for (uint32_t turn = 0; turn < 2; ++turn) {
    for (const uint32_t positions : {1U, 2U, 4U, 8U, 16U}) {
      const double us = timed(ranks, [&](uint32_t r) {
        ht::LaunchPlan plan = ranks[r].plan;
        plan.blocks = positions;
        ranks[r].arguments.phases = ht::kAnnounce | ht::kLayout;
        ht::launchDispatch(ranks[r].arguments, plan, *ranks[r].stream);
      });
      times.add("positions alone", setting, positions, us, 0);
    }
    for (const auto& [push, positions] : std::vector<std::pair<uint32_t, uint32_t>>{
             {8, 0}, {12, 0}, {6, 2}, {7, 1}, {8, 4}, {12, 4}, {14, 2}, {20, 4}}) {
      for (uint32_t r = 0; r < setting.shape.worldSize; ++r) {
        ranks[r].enter();
        ranks[r].push = ht::pushPlan(setting.shape, push);
      }
      const uint32_t phases = ht::kAnnounce | (positions != 0 ? ht::kLayout : 0);
      const double us = timed(ranks, [&](uint32_t r) { ranks.queuePush(r, phases, positions); });
      times.add("pushed by " + std::to_string(push), setting, push + positions, us, bytes);
    }
  }
}

// Expert-major rows moved while copy engines bring them in pieces.
inline void timeCopied(Setting setting, Times& times) {
  setting.shape.outputLayout = OutputLayout::kExpertMajor;
  setting.strategy = ht::Strategy::kAllGather;
  setting.gatherPieces = 8;
  const Scene scene(setting, 1);
  Ranks ranks(setting);
  ranks.fill(scene.tokens);
  const uint64_t bytes =
      remoteBytes(scene, setting.shape.payloadRowBytes() + ranks[0].arguments.map.scaleBytes);
  for (uint32_t turn = 0; turn < 2; ++turn) {
    for (const uint32_t pieces : {2U, 4U, 8U}) {
      for (uint32_t r = 0; r < setting.shape.worldSize; ++r) ranks[r].arguments.gatherPieces = pieces;
      const double us = timed(ranks, [&](uint32_t r) { ranks.queueCopied(r, ht::kLayout | ht::kMove); });
      times.add("dispatch; copied in " + std::to_string(pieces), setting, setting.processors, us, bytes);
    }
  }
  checkRows(ranks, scene);
}

// Combine of expert-major outputs: sums read by the owners, then stored by the hosts.
inline void timeSums(Setting setting, Times& times) {
  setting.shape.outputLayout = OutputLayout::kExpertMajor;
  setting.shape.payload = DispatchDtype::kBf16;
  const Scene scene(setting, 1);
  const uint64_t bytes = remoteBytes(scene, setting.shape.bf16RowBytes());
  for (const uint32_t processors : {32U, 64U, 96U, 128U}) {
    setting.processors = processors;
    for (const bool pushed : {false, true, false, true}) {
      setting.pushedSums = pushed;
      Ranks ranks(setting);
      ranks.fill(scene.tokens);
      ranks.fillOutputs(scene.expected);
      ranks.begin();
      ranks.dispatch(ht::kAnnounce | ht::kLayout | ht::kMove);
      ranks.finish();
      const uint32_t phases = ranks.combinePhases();
      const double us = timed(ranks, [&](uint32_t r) { ranks.queueCombine(r, phases); });
      times.add(pushed ? "combine, sums pushed" : "combine, sums read", setting, processors, us, bytes);
    }
  }
}

inline int measurePush(const char* path) {
  connectGpus();
  Times times(path);
  Setting setting = largeSetting();
  for (const DispatchDtype payload : {DispatchDtype::kBf16, DispatchDtype::kFp8E4m3}) {
    setting.shape.payload = payload, setting.processors = 16;
    const Scene scene(setting, 1);
    timeKernels(setting, scene, false, times);  // the readers, in the same run
    timePush(setting, scene, times);
    setting.processors = 64;
    timeCopied(setting, times);
  }
  timeSums(setting, times);
  return 0;
}

}  // namespace railrunner::test
