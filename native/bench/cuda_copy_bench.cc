// Copies of scattered regions by every strategy against a contiguous pinned copy of the same run, on 1 or
// more GPUs at once: `cuda_copy_bench [GPUS] [SAMPLES]`. One process per GPU; times are events', cold, the
// slowest GPU of each sample; the median sample is printed. Ratios are to the contiguous copy in the same
// direction on the same GPUs.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include "core/clock.h"
#include "device/cuda/cold_timer.h"
#include "kv/cuda/device_copy.h"
#include "kv/cuda/pattern_kernels.h"

namespace {

using namespace railrunner;
using namespace railrunner::cuda;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kPayload = 256 * kMiB;
constexpr uint64_t kPool = 2 * kPayload;
constexpr uint32_t kMaxSamples = 64;
constexpr uint32_t kMaxRanks = 16;
constexpr int64_t kBarrierLimitNs = 30'000'000'000;

// Shared by the processes of one run.
struct Shared {
  std::atomic<uint32_t> arrived;
  std::atomic<uint32_t> generation;
  double timesUs[kMaxRanks][kMaxSamples];
};

struct Bench {
  Shared* shared;
  int rank;
  int ranks;
  uint32_t samples;
  RunControl control;
  uint8_t* device;
  uint8_t* host;  // kPool bytes, and another kPool for the other direction
  uint8_t* device2;
  ColdTimer* timer;
  double peakGBps[3] = {0, 0, 0};

  void barrier() const {
    const uint32_t generation = shared->generation.load();
    if (shared->arrived.fetch_add(1) + 1 == static_cast<uint32_t>(ranks)) {
      shared->arrived = 0;
      ++shared->generation;
      return;
    }
    waitUntil([&] { return shared->generation.load() != generation; }, control, nowNs() + kBarrierLimitNs,
              "the other processes");
  }

  // GB/s over all ranks of the median sample; a sample lasts as long as its slowest rank.
  double measure(uint64_t bytes, bool short_, bool hostTiming,
                 const std::function<void(cudaStream_t)>& work) {
    for (uint32_t i = 0; i < samples + 2; ++i) {
      double us = 0;
      if (hostTiming) {
        check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
        barrier();
        const double startUs = nowUs();
        work(timer->stream());
        check(cudaStreamSynchronize(timer->stream()), "cudaStreamSynchronize");
        us = nowUs() - startUs;
      } else {
        timer->hold();
        if (short_) work(timer->stream());
        if (short_) timer->markEnd();
        barrier();
        timer->release();
        if (!short_) work(timer->stream());
        if (!short_) timer->markEnd();
        us = timer->finishUs(control);
      }
      if (i >= 2) shared->timesUs[rank][i - 2] = us;
      barrier();
    }
    std::vector<double> slowest(samples, 0);
    for (int r = 0; r < ranks; ++r) {
      for (uint32_t i = 0; i < samples; ++i) slowest[i] = std::max(slowest[i], shared->timesUs[r][i]);
    }
    barrier();
    std::sort(slowest.begin(), slowest.end());
    return static_cast<double>(bytes) * ranks / slowest[samples / 2] * 1e-3;
  }

  void print(const char* what, int direction, double gbps) const {
    static const char* const names[] = {"D2H", "H2D", "both"};
    if (rank != 0) return;
    const double peak = peakGBps[direction];
    std::printf("%-52s %-4s %8.2f GB/s  %.3f\n", what, names[direction], gbps, peak > 0 ? gbps / peak : 1.0);
    std::fflush(stdout);
  }
};

std::vector<CopyRegion> regionsOf(uint64_t regionBytes, bool hostInOrder, CopyDirection direction,
                                  uint8_t* device, uint8_t* host, uint64_t payload = kPayload) {
  std::vector<uint32_t> devicePlaces(kPool / regionBytes);
  std::iota(devicePlaces.begin(), devicePlaces.end(), 0);
  std::vector<uint32_t> hostPlaces = devicePlaces;
  std::mt19937 random(11);
  std::shuffle(devicePlaces.begin(), devicePlaces.end(), random);
  if (!hostInOrder) std::shuffle(hostPlaces.begin(), hostPlaces.end(), random);
  std::vector<CopyRegion> regions;
  for (uint64_t i = 0; i < payload / regionBytes; ++i) {
    const auto d = reinterpret_cast<uint64_t>(device) + devicePlaces[i] * regionBytes;
    const auto h = reinterpret_cast<uint64_t>(host) + hostPlaces[i] * regionBytes;
    regions.push_back(direction == CopyDirection::kDeviceToHost ? CopyRegion{d, h, regionBytes}
                                                                : CopyRegion{h, d, regionBytes});
  }
  return regions;
}

constexpr CopyDirection kToHost = CopyDirection::kDeviceToHost;
constexpr CopyDirection kToDevice = CopyDirection::kHostToDevice;

// Both directions at once on one timer: the second copy forks off after the start event and joins before the
// stop.
struct Fork {
  Stream stream;
  Event started;
  Event done;
  void run(cudaStream_t main, const std::function<void(cudaStream_t)>& first,
           const std::function<void(cudaStream_t)>& second) const {
    started.record(main);
    started.gate(stream);
    first(main);
    second(stream);
    done.record(stream);
    done.gate(main);
  }
};

void probePeaks(Bench& bench, const Fork& fork) {
  const auto toHost = [&](cudaStream_t s) {
    check(cudaMemcpyAsync(bench.host, bench.device, kPayload, cudaMemcpyDeviceToHost, s), "cudaMemcpyAsync");
  };
  const auto toDevice = [&](cudaStream_t s) {
    check(cudaMemcpyAsync(bench.device2, bench.host + kPool, kPayload, cudaMemcpyHostToDevice, s),
          "cudaMemcpyAsync");
  };
  bench.peakGBps[0] = bench.measure(kPayload, true, false, toHost);
  bench.peakGBps[1] = bench.measure(kPayload, true, false, toDevice);
  bench.peakGBps[2] =
      bench.measure(2 * kPayload, true, false, [&](cudaStream_t s) { fork.run(s, toHost, toDevice); });
  for (int d = 0; d < 3; ++d) bench.print("contiguous pinned copy", d, bench.peakGBps[d]);
}

void oneWay(Bench& bench, bool all) {
  for (const bool hostInOrder : {true, false}) {
    for (const uint64_t regionBytes : {4096UL, 16384UL, 65536UL, 262144UL, 1048576UL}) {
      for (const CopyDirection direction : {kToHost, kToDevice}) {
        std::vector<CopyStrategy> strategies{CopyStrategy::kAuto};
        if (all) {
          strategies = {CopyStrategy::kMemcpyBatch, CopyStrategy::kKernel, CopyStrategy::kStaged,
                        CopyStrategy::kAuto};
          if (hostInOrder) strategies.insert(strategies.begin(), CopyStrategy::kMemcpy);
        }
        for (const CopyStrategy strategy : strategies) {
          DeviceCopy copy(bench.rank,
                          {regionsOf(regionBytes, hostInOrder, direction, bench.device, bench.host)},
                          {direction, strategy, false, false, 0, 1, 8});
          char name[96];
          for (const bool hostTiming : {false, true}) {
            if (hostTiming && strategy != CopyStrategy::kAuto) continue;
            std::snprintf(name, sizeof(name), "%4luK host %s %s(%s) %s", regionBytes >> 10,
                          hostInOrder ? "in order " : "scattered", copyStrategyName(strategy).data(),
                          copyStrategyName(copy.used()).data(), hostTiming ? "host" : "event");
            const double gbps = bench.measure(kPayload, copy.fitsBehindHold(), hostTiming,
                                              [&](cudaStream_t s) { copy.issue(s); });
            bench.print(name, direction == kToHost ? 0 : 1, gbps);
          }
        }
      }
    }
  }
}

void bothWays(Bench& bench, const Fork& fork) {
  for (const bool hostInOrder : {true, false}) {
    for (const uint64_t regionBytes : {4096UL, 16384UL, 65536UL, 262144UL, 1048576UL}) {
      for (const CopyStrategy strategy :
           {CopyStrategy::kAuto, CopyStrategy::kKernel, CopyStrategy::kStaged}) {
        DeviceCopy out(bench.rank, {regionsOf(regionBytes, hostInOrder, kToHost, bench.device, bench.host)},
                       {kToHost, strategy, true, false, 0, 1, 8});
        DeviceCopy in(bench.rank,
                      {regionsOf(regionBytes, hostInOrder, kToDevice, bench.device2, bench.host + kPool)},
                      {kToDevice, strategy, true, false, 0, 1, 8});
        char name[96];
        std::snprintf(name, sizeof(name), "%4luK host %s %s(%s)", regionBytes >> 10,
                      hostInOrder ? "in order " : "scattered", copyStrategyName(strategy).data(),
                      copyStrategyName(out.used()).data());
        const double gbps = bench.measure(
            2 * kPayload, out.fitsBehindHold() && in.fitsBehindHold(), false, [&](cudaStream_t s) {
              fork.run(
                  s, [&](cudaStream_t a) { out.issue(a); }, [&](cudaStream_t b) { in.issue(b); });
            });
        bench.print(name, 2, gbps);
      }
    }
  }
}

// What one direction does in a pair, and the thread blocks that it takes.
struct Way {
  CopyStrategy strategy;
  uint32_t blocks;
};

// Another strategy, or another share of the thread blocks, in each direction: out | in.
void pairsOfWays(Bench& bench, const Fork& fork) {
  using enum CopyStrategy;
  const std::vector<std::pair<Way, Way>> pairs{
      {{kKernel, 8}, {kKernel, 8}}, {{kKernel, 6}, {kKernel, 8}}, {{kKernel, 4}, {kKernel, 8}},
      {{kKernel, 3}, {kKernel, 8}}, {{kKernel, 2}, {kKernel, 8}}, {{kKernel, 2}, {kKernel, 6}},
      {{kKernel, 3}, {kKernel, 6}}, {{kKernel, 2}, {kKernel, 4}}, {{kKernel, 3}, {kKernel, 4}},
      {{kKernel, 4}, {kKernel, 4}}, {{kKernel, 2}, {kKernel, 3}}, {{kKernel, 4}, {kKernel, 12}},
      {{kKernel, 8}, {kStaged, 8}}, {{kStaged, 8}, {kStaged, 8}}};
  for (const bool hostInOrder : {true, false}) {
    for (const uint64_t regionBytes : {4096UL, 16384UL, 65536UL}) {
      for (const auto& [first, second] : pairs) {
        DeviceCopy out(bench.rank, {regionsOf(regionBytes, hostInOrder, kToHost, bench.device, bench.host)},
                       {kToHost, first.strategy, true, true, 0, 1, first.blocks});
        DeviceCopy in(bench.rank,
                      {regionsOf(regionBytes, hostInOrder, kToDevice, bench.device2, bench.host + kPool)},
                      {kToDevice, second.strategy, true, true, 0, 1, second.blocks});
        char name[96];
        std::snprintf(name, sizeof(name), "%4luK host %s %s %u | %s %u", regionBytes >> 10,
                      hostInOrder ? "in order " : "scattered", copyStrategyName(first.strategy).data(),
                      first.blocks, copyStrategyName(second.strategy).data(), second.blocks);
        const double gbps = bench.measure(
            2 * kPayload, out.fitsBehindHold() && in.fitsBehindHold(), false, [&](cudaStream_t s) {
              fork.run(
                  s, [&](cudaStream_t a) { out.issue(a); }, [&](cudaStream_t b) { in.issue(b); });
            });
        bench.print(name, 2, gbps);
      }
    }
  }
}

void patterns(Bench& bench) {
  for (const uint64_t regionBytes : {4096UL, 65536UL, 1048576UL}) {
    PatternView view{};
    view.base = reinterpret_cast<uint64_t>(bench.device);
    view.numLayers = 4;
    view.numOuters = 2;
    view.bytes = regionBytes;
    view.outerStride = regionBytes;
    view.blockStride = 2 * regionBytes;
    view.layerStride = kPool / 4;
    view.pagesPerBlock = 1;
    view.poison = 77;
    const auto numBlocks = static_cast<uint32_t>(kPool / 8 / regionBytes);
    std::vector<PatternBlock> blocks;
    for (uint32_t b = 0; b < numBlocks; ++b)
      blocks.push_back({5, b, b, 0, b % 5 == 0 ? 3U : 4U, static_cast<uint32_t>(bench.rank), 0});
    const Buffer table(Buffer::Place::kDevice, blocks.size() * sizeof(PatternBlock));
    const Buffer result(Buffer::Place::kDevice, sizeof(PatternResult));
    check(cudaMemcpy(table.as(), blocks.data(), table.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    PatternResult found{0, PatternResult::kNoPlace};
    check(cudaMemcpy(result.as(), &found, sizeof(found), cudaMemcpyHostToDevice), "cudaMemcpy");
    const double fill = bench.measure(kPool, true, false, [&](cudaStream_t s) {
      check(launchFill(view, table.as<PatternBlock>(), numBlocks, s), "fill");
    });
    const double checked = bench.measure(kPool, true, false, [&](cudaStream_t s) {
      check(launchCheck(view, table.as<PatternBlock>(), numBlocks, result.as<PatternResult>(), s), "check");
    });
    check(cudaMemcpy(&found, result.as(), sizeof(found), cudaMemcpyDeviceToHost), "cudaMemcpy");
    if (bench.rank == 0) {
      std::printf("pattern of regions of %luK: fill %.0f GB/s, check %.0f GB/s, wrong %lu\n",
                  regionBytes >> 10, fill, checked, static_cast<unsigned long>(found.wrong));
    }
  }
}

int run(Shared* shared, int rank, int ranks, uint32_t samples, const char* what) {
  makeCurrent(rank);
  check(preloadCopyKernels(), "preload");
  check(preloadPatternKernels(), "preload");
  Bench bench{};
  bench.shared = shared;
  bench.rank = rank;
  bench.ranks = ranks;
  bench.samples = samples;
  const Buffer device(Buffer::Place::kDevice, kPool);
  const Buffer device2(Buffer::Place::kDevice, kPool);
  void* host = mmap(nullptr, 2 * kPool, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (host == MAP_FAILED) throw Error(ErrorCode::kAllocation, "mmap");
  std::memset(host, 1, 2 * kPool);
  check(cudaHostRegister(host, 2 * kPool, cudaHostRegisterPortable | cudaHostRegisterMapped),
        "cudaHostRegister");
  bench.device = device.as<uint8_t>();
  bench.device2 = device2.as<uint8_t>();
  bench.host = static_cast<uint8_t*>(host);
  ColdTimer timer;
  bench.timer = &timer;
  const Fork fork;
  bench.barrier();
  probePeaks(bench, fork);
  if (std::strchr(what, 'p') != nullptr) patterns(bench);
  if (std::strchr(what, 'a') != nullptr) oneWay(bench, true);
  if (std::strchr(what, '1') != nullptr) oneWay(bench, false);
  if (std::strchr(what, 'b') != nullptr) bothWays(bench, fork);
  if (std::strchr(what, 'm') != nullptr) pairsOfWays(bench, fork);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int ranks = argc > 1 ? std::clamp(std::atoi(argv[1]), 1, static_cast<int>(kMaxRanks)) : 1;
  const uint32_t samples = argc > 2 ? std::clamp(std::atoi(argv[2]), 1, static_cast<int>(kMaxSamples)) : 9;
  const char* what = argc > 3 ? argv[3] : "pab";
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* shared = new (memory) Shared{};
  int rank = 0;
  for (int child = 1; child < ranks && rank == 0; ++child) {
    if (fork() != 0) continue;
    rank = child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // none spins on a GPU after the run was killed
  }
  int status = 0;
  try {
    status = run(shared, rank, ranks, samples, what);
  } catch (const std::exception& error) {
    std::printf("rank %d: %s\n", rank, error.what());
    status = 1;
  }
  if (rank != 0) return status;
  for (int child = 1; child < ranks; ++child) {
    int ended = 0;
    wait(&ended);
    if (ended != 0) status = 1;
  }
  return status;
}
