// What the link between two GPUs carries, one way and both ways at once, when kernels of one GPU write to the other or
// read from it, by the kernel of transfers and the copy engines: `cuda_link_bench [ROUNDS]`. One process; contiguous
// memory in pieces of 16 KiB; host clock around both GPUs' launches, rounds interleaved. Prints CSV.
#include <cstdio>
#include <cstdlib>

#include "bench/times.h"
#include "core/clock.h"
#include "device/cuda/cuda_handles.h"
#include "transfer/cuda/cuda_copy_task.h"

namespace railrunner::bench {
namespace {

using cuda::Buffer;

constexpr uint64_t kBytes = uint64_t{320} << 20;
constexpr uint64_t kPieceBytes = 16384;
constexpr uint32_t kWarmups = 2;

struct Gpu {
  explicit Gpu(int of) : ordinal(of) {
    cuda::makeCurrent(ordinal);
    cuda::check(cudaDeviceEnablePeerAccess(1 - ordinal, 0), "cudaDeviceEnablePeerAccess");
    source = Buffer(Buffer::Place::kDevice, kBytes);
    target = Buffer(Buffer::Place::kDevice, kBytes);
    stream = std::make_unique<cuda::Stream>();
  }
  int ordinal;
  Buffer source, target;
  std::unique_ptr<cuda::Stream> stream;
};

struct Case {
  uint32_t blocks = 0;  // 0: copy engines
  bool reads = false;
  bool bothWays = false;
  std::vector<std::unique_ptr<CopyTask>> tasks = {};  // by GPU that starts
  std::vector<double> GBps = {};                      // of each direction
};

std::unique_ptr<CopyTask> taskOf(const Gpu& self, const Gpu& other, const Case& one) {
  std::vector<CopySpan> spans;
  for (uint64_t at = 0; at < kBytes; at += kPieceBytes) spans.push_back({at, at, kPieceBytes});
  cuda::CudaCopy copy;
  copy.ordinal = self.ordinal;
  copy.chunks = {spans};
  copy.source = (one.reads ? other : self).source.as<std::byte>();
  copy.target = (one.reads ? self : other).target.as<std::byte>();
  copy.maxCtas = one.blocks;
  return cuda::makeCudaCopyTask(std::move(copy));
}

void runCase(Case& one, const std::vector<Gpu>& gpus, bool isRecorded) {
  const size_t numStarted = one.bothWays ? 2 : 1;
  const double startUs = nowUs();
  for (size_t g = 0; g < numStarted; ++g) {
    const Gpu& self = gpus[g];
    const Gpu& other = gpus[1 - g];
    if (one.blocks > 0) {
      one.tasks[g]->start();
      continue;
    }
    cuda::makeCurrent(self.ordinal);
    cuda::check(
        cudaMemcpyAsync((one.reads ? self : other).target.as(), (one.reads ? other : self).source.as(),
                        kBytes, cudaMemcpyDefault, *self.stream),
        "cudaMemcpyAsync");
  }
  for (size_t g = 0; g < numStarted; ++g) {
    if (one.blocks > 0) {
      while (!one.tasks[g]->poll()) {
      }
    } else {
      cuda::makeCurrent(gpus[g].ordinal);
      cuda::check(cudaStreamSynchronize(*gpus[g].stream), "cudaStreamSynchronize");
    }
  }
  if (isRecorded) one.GBps.push_back(static_cast<double>(kBytes) / (nowUs() - startUs) / 1e3);
}

int run(uint32_t rounds) {
  std::vector<Gpu> gpus;
  for (const int ordinal : {0, 1}) gpus.emplace_back(ordinal);
  std::vector<Case> cases;
  for (const uint32_t blocks : {8U, 16U, 32U, 64U, 128U, 0U}) {
    for (const bool bothWays : {false, true}) {
      for (const bool reads : {false, true}) {
        Case& one = cases.emplace_back(Case{blocks, reads, bothWays});
        for (size_t g = 0; blocks > 0 && g < (bothWays ? 2U : 1U); ++g)
          one.tasks.push_back(taskOf(gpus[g], gpus[1 - g], one));
      }
    }
  }
  for (uint32_t round = 0; round < kWarmups + rounds; ++round) {
    for (Case& one : cases) runCase(one, gpus, round >= kWarmups);
  }
  std::printf("copied_by,thread_blocks,directions,write_GBps,read_GBps,ratio\n");
  for (size_t i = 0; i < cases.size(); i += 2) {
    const double write = medianOf(cases[i].GBps);
    const double read = medianOf(cases[i + 1].GBps);
    std::printf("%s,%s,%s,%.1f,%.1f,%.3f\n", cases[i].blocks > 0 ? "kernel" : "copy engines",
                cases[i].blocks > 0 ? std::to_string(cases[i].blocks).c_str() : "",
                cases[i].bothWays ? "both at once" : "one", write, read, read / write);
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  if (rounds < 1) {
    std::fprintf(stderr, "usage: cuda_link_bench [ROUNDS]\n");
    return 2;
  }
  return railrunner::bench::run(static_cast<uint32_t>(rounds));
}
