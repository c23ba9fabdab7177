#pragma once

#include <cstdio>
#include <cstdlib>

#include "moe/cuda/probe_kernels.h"
#include "test/moe/cuda_high_throughput_check.h"

// Times of the kernels alone, a rank per GPU, back to back, by numbers of processors: next to them what plain stores of
// the same bytes, and copy engines, take in the same run.
namespace railrunner::test {

constexpr uint32_t kTimedCalls = 20;

// us of one call, of the slowest rank. `queue` puts one call of one rank on its stream.
template <class Queue>
double timed(Ranks& ranks, Queue&& queue, bool withEpochs = true) {
  std::vector<std::pair<cudaEvent_t, cudaEvent_t>> events(ranks.shape().worldSize);
  for (uint32_t r = 0; r < events.size(); ++r) {
    ranks[r].enter();
    check(cudaEventCreate(&events[r].first), "cudaEventCreate");
    check(cudaEventCreate(&events[r].second), "cudaEventCreate");
  }
  for (uint32_t call = 0; call < 3 + kTimedCalls; ++call) {
    if (withEpochs) ranks.begin();
    for (uint32_t r = 0; r < events.size(); ++r) {
      ranks[r].enter();
      if (call == 3) check(cudaEventRecord(events[r].first, *ranks[r].stream), "cudaEventRecord");
      queue(r);
      if (call + 1 == 3 + kTimedCalls)
        check(cudaEventRecord(events[r].second, *ranks[r].stream), "cudaEventRecord");
    }
  }
  ranks.finish();
  float slowest = 0;
  for (auto& [begin, end] : events) {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
    slowest = std::max(slowest, ms);
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
  }
  return slowest * 1e3 / kTimedCalls;
}

class Times {
 public:
  explicit Times(const char* path) : file_(std::fopen(path, "w")) {
    if (file_ == nullptr) throw Failure(std::string("cannot write ") + path);
    line("what,layout,payload,processors,us,remoteMB,GBps");
  }
  ~Times() { std::fclose(file_); }
  void add(const std::string& what, const Setting& setting, uint32_t processors, double us, uint64_t bytes) {
    char text[200];
    std::snprintf(text, sizeof(text), "%s,%s,%s,%u,%.1f,%.1f,%.1f", what.c_str(),
                  setting.shape.outputLayout == OutputLayout::kRankMajor ? "rankMajor" : "expertMajor",
                  setting.shape.payload == DispatchDtype::kBf16 ? "bf16" : "fp8", processors, us, bytes / 1e6,
                  bytes / us / 1e3);
    line(text);
  }

 private:
  void line(const char* text) {
    std::printf("# %s\n", text);
    std::fprintf(file_, "%s\n", text);
    std::fflush(file_);
  }
  std::FILE* file_;
};

// Of the largest rank: rows that come from other ranks, in bytes.
inline uint64_t remoteBytes(const Scene& scene, uint64_t rowBytes) {
  uint64_t most = 0;
  for (uint32_t r = 0; r < scene.expected.size(); ++r) {
    const auto& begin = scene.expected[r].sourceBegin;
    most = std::max<uint64_t>(most, begin.back() - (begin[r + 1] - begin[r]));
  }
  return most * rowBytes;
}

// Plain stores, and copy engines, of as many bytes to the next rank (two ranks), all ranks at once.
inline void timeFloors(Ranks& ranks, uint64_t bytes, Times& times) {
  const auto nextOf = [&](uint32_t r) { return (r + 1) % ranks.shape().worldSize; };
  const uint64_t all = bytes / moe::cuda::kMostPieceBytes * moe::cuda::kMostPieceBytes;
  for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) {
    ranks[r].enter();
    moe::cuda::prepareProbeKernels();
  }
  for (const uint32_t piece : {4096U, 16384U}) {
    for (const uint32_t processors : {8U, 132U}) {
      const double us = timed(ranks, [&](uint32_t r) {
        auto* to = reinterpret_cast<std::byte*>(ranks[nextOf(r)].arguments.result.x);
        const auto* from = ranks[r].symmetric.as<std::byte>() + ranks[r].arguments.map.y;
        moe::cuda::launchPeerPieces(moe::cuda::peerPieces(from, all, all, piece, {{to, all}}), processors,
                                    *ranks[r].stream);
      });
      times.add("stores in pieces of " + std::to_string(piece), ranks.setting(), processors, us, all);
    }
  }
  const double us = timed(ranks, [&](uint32_t r) {
    check(cudaMemcpyAsync(ranks[nextOf(r)].arguments.result.x,
                          ranks[r].arguments.base[r] + ranks[r].arguments.map.y, all, cudaMemcpyDefault,
                          *ranks[r].stream),
          "cudaMemcpyAsync");
  });
  times.add("copy engine, stored", ranks.setting(), 0, us, all);
  const double pulled = timed(ranks, [&](uint32_t r) {
    const uint32_t from = nextOf(r);
    check(
        cudaMemcpyAsync(ranks[r].arguments.result.x, ranks[r].arguments.base[from] + ranks[r].arguments.map.y,
                        all, cudaMemcpyDefault, *ranks[r].stream),
        "cudaMemcpyAsync");
  });
  times.add("copy engine, loaded", ranks.setting(), 0, pulled, all);
}

inline void timeKernels(const Setting& setting, const Scene& scene, bool checks, Times& times) {
  Ranks ranks(setting);
  ranks.fill(scene.tokens);
  const bool rankMajor = setting.shape.outputLayout == OutputLayout::kRankMajor;
  const uint64_t rowBytes = setting.shape.payloadRowBytes() + ranks[0].arguments.map.scaleBytes;
  const uint64_t bytes = remoteBytes(scene, rowBytes);
  const uint64_t combined = remoteBytes(scene, setting.shape.bf16RowBytes());
  const uint32_t all = ht::kAnnounce | ht::kLayout | ht::kMove;
  const auto add = [&](const char* what, double us, uint64_t moved) {
    times.add(what, setting, setting.processors, us, moved);
  };
  if (checks && rankMajor) timeFloors(ranks, combined, times);
  ranks.fill(scene.tokens);
  add("dispatch", timed(ranks, [&](uint32_t r) { ranks.queueDispatch(r, all); }), bytes);
  add("layout alone", timed(ranks, [&](uint32_t r) { ranks.queueDispatch(r, ht::kAnnounce | ht::kLayout); }),
      0);
  add("rows alone", timed(ranks, [&](uint32_t r) { ranks.queueDispatch(r, ht::kAnnounce | ht::kMove); }),
      bytes);
  if (checks) checkRows(ranks, scene);
  if (checks) ranks.fillOutputs(scene.expected);
  const uint32_t phases = ranks.combinePhases();
  add("combine", timed(ranks, [&](uint32_t r) { ranks.queueCombine(r, phases); }), combined);
  if (checks) checkSums(ranks, scene);
}

// Rows alone by fewer warps than fit: how much is in flight.
inline void timeWarps(Setting setting, const Scene& scene, Times& times) {
  for (const uint32_t processors : {8U, 16U, 32U}) {
    setting.processors = processors;
    Ranks ranks(setting);
    ranks.fill(scene.tokens);
    ranks.begin();
    ranks.dispatch(ht::kAnnounce | ht::kLayout | ht::kMove);
    const uint32_t most = ranks[0].plan.moveWarps;
    for (uint32_t warps = 3; warps <= most; warps += 3) {
      for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) ranks[r].plan.moveWarps = warps;
      const double us = timed(ranks, [&](uint32_t r) { ranks.queueDispatch(r, ht::kAnnounce | ht::kMove); });
      times.add("rows alone by " + std::to_string(warps) + " warps", setting, processors, us,
                remoteBytes(scene, setting.shape.payloadRowBytes() + ranks[0].arguments.map.scaleBytes));
    }
  }
}

inline Setting largeSetting() {
  Setting setting;
  setting.shape.worldSize = static_cast<uint32_t>(gpuCount());
  setting.shape.numExperts = 256;
  setting.shape.numTopk = 8;
  setting.shape.hidden = 7168;
  setting.shape.maxDispatchTokensPerRank = 4096;
  setting.shape.outputLayout = OutputLayout::kRankMajor;
  setting.processors = 16;
  setting.full = true;
  return setting;
}

// only: one layout by name, or empty for both.
inline int measureAll(const char* path, const std::string& only) {
  connectGpus();
  Times times(path);
  Setting setting = largeSetting();
  for (const OutputLayout layout : {OutputLayout::kRankMajor, OutputLayout::kExpertMajor}) {
    if (!only.empty() && only != (layout == OutputLayout::kRankMajor ? "rankMajor" : "expertMajor")) continue;
    for (const DispatchDtype payload : {DispatchDtype::kBf16, DispatchDtype::kFp8E4m3}) {
      setting.shape.outputLayout = layout;
      setting.shape.payload = payload;
      const Scene scene(setting, 1);
      const std::vector<uint32_t> tried = layout == OutputLayout::kRankMajor
                                              ? std::vector<uint32_t>{16, 4, 8, 12, 32}
                                              : std::vector<uint32_t>{32, 16, 64, 128};
      if (layout == OutputLayout::kRankMajor) timeWarps(setting, scene, times);
      for (const uint32_t processors : tried) {
        setting.processors = processors;
        timeKernels(setting, scene, processors == tried[0], times);
      }
    }
  }
  return 0;
}

}  // namespace railrunner::test
