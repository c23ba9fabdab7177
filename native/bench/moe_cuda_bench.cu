// Dispatch and combine on the GPUs of one process, a thread per rank, with peer access instead of IPC: checks
// every element against a reference on the CPU and times the kernels by graph replay and cold. A program of
// its own for tuning; it needs no MPI and no Node.
//   moe_cuda_bench [--only NAME] [--no-time] [--no-check] [--stress N] [--stamps]
//     [--dispatch-send 33,64] [--combine-send 66,100] [--groups 4,8] [--probe-pieces 1024,4096,16384]
#include "bench/moe_cuda_probe.cuh"

namespace {

struct Rank : ProbedRank {
  using ProbedRank::ProbedRank;

  static constexpr uint32_t kSampleStamps = 300 * kStamps;

  void timeGraph(bool isCombine) {
    args.sendBlocks = isCombine ? launch.combineSendBlocks : launch.dispatchSendBlocks;
    args.groups = isCombine ? launch.combineGroups : launch.dispatchGroups;
    constexpr uint32_t kCalls = 20;
    cudaGraph_t graph{};
    cudaGraphExec_t exec{};
    CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    args.epochBase = epochBase;
    for (uint32_t i = 0; i < kCalls; ++i) {
      args.epoch = i + 1;
      isCombine ? launchCombine(args, launch.combineBlocks, stream)
                : launchDispatch(args, launch.dispatchBlocks, stream);
    }
    launchAdvanceEpoch(epochBase, kCalls, stream);
    CUDA(cudaStreamEndCapture(stream, &graph));
    CUDA(cudaGraphInstantiate(&exec, graph, 0));
    CUDA(cudaGraphUpload(exec, stream));
    CUDA(cudaMemcpyAsync(epochBase, &epoch, 4, cudaMemcpyHostToDevice, stream));
    sync();
    w.meet.arrive_and_wait();
    constexpr uint32_t kReplays = 24;
    cudaEvent_t events[kReplays + 1];
    for (auto& e : events) CUDA(cudaEventCreate(&e));
    barrier();
    for (uint32_t i = 0; i < kReplays; ++i) {
      CUDA(cudaEventRecord(events[i], stream));
      CUDA(cudaGraphLaunch(exec, stream));
    }
    CUDA(cudaEventRecord(events[kReplays], stream));
    sync();
    epoch += kReplays * kCalls;
    std::vector<float> us;
    for (uint32_t i = 4; i < kReplays; ++i) {
      float ms = 0;
      CUDA(cudaEventElapsedTime(&ms, events[i], events[i + 1]));
      us.push_back(ms * 1000 / kCalls);
    }
    std::sort(us.begin(), us.end());
    w.figures[rank][(isCombine ? "combine," : "dispatch,") + label + ",graph"] = us[us.size() / 2];
    for (auto& e : events) CUDA(cudaEventDestroy(e));
    CUDA(cudaGraphExecDestroy(exec));
    CUDA(cudaGraphDestroy(graph));
    w.meet.arrive_and_wait();
  }

  void timeCold(bool isCombine, bool stamps) {
    constexpr uint32_t kSamples = 30;
    cudaEvent_t begin[kSamples];
    cudaEvent_t end[kSamples];
    uint64_t* stampArray = stamps ? array<uint64_t>(kSamples * kSampleStamps) : nullptr;
    for (uint32_t i = 0; i < kSamples; ++i) {
      CUDA(cudaEventCreate(&begin[i]));
      CUDA(cudaEventCreate(&end[i]));
    }
    for (uint32_t i = 0; i < kSamples; ++i) {
      CUDA(cudaMemsetAsync(flush, static_cast<int>(i), kFlushBytes, stream));
      barrier();
      CUDA(cudaEventRecord(begin[i], stream));
      args.stamps = stamps ? stampArray + i * kSampleStamps : nullptr;
      isCombine ? combine() : dispatch();
      args.stamps = nullptr;
      CUDA(cudaEventRecord(end[i], stream));
    }
    sync();
    std::vector<float> us;
    for (uint32_t i = 5; i < kSamples; ++i) {
      float ms = 0;
      CUDA(cudaEventElapsedTime(&ms, begin[i], end[i]));
      us.push_back(ms * 1000);
    }
    std::sort(us.begin(), us.end());
    w.figures[rank][(isCombine ? "combine," : "dispatch,") + label + ",cold"] = us[us.size() / 2];
    for (uint32_t i = 0; i < kSamples; ++i) {
      CUDA(cudaEventDestroy(begin[i]));
      CUDA(cudaEventDestroy(end[i]));
    }
    if (stamps) {
      // First block's begin to last block's end: what a profiler calls the kernel's time.
      std::vector<double> spans;
      for (uint32_t i = 5; i < kSamples; ++i) spans.push_back(spanUs(stampArray + i * kSampleStamps));
      std::sort(spans.begin(), spans.end());
      w.figures[rank][(isCombine ? "combine," : "dispatch,") + label + ",cold-kernel"] =
          spans[spans.size() / 2];
      if (rank == 0) printStamps(stampArray + (kSamples - 1) * kSampleStamps, isCombine);
    }
    w.meet.arrive_and_wait();
  }

  double spanUs(const uint64_t* device) {
    const auto all = fetched(device, kSampleStamps);
    uint64_t first = ~0ULL;
    uint64_t last = 0;
    for (const uint64_t ns : all) {
      if (ns == 0) continue;
      first = std::min(first, ns);
      last = std::max(last, ns);
    }
    return static_cast<double>(last - first) * 1e-3;
  }

  void printStamps(const uint64_t* device, bool isCombine) {
    const auto all = fetched(device, kSampleStamps);
    uint64_t first = ~0ULL;
    for (uint32_t b = 0; b < kSampleStamps / kStamps; ++b)
      if (all[b * kStamps] != 0) first = std::min(first, all[b * kStamps]);
    std::printf("stamps %s %u %s %s (us: median, max)", c.name, c.tokens[0], label.c_str(),
                isCombine ? "combine" : "dispatch");
    for (uint32_t k = 0; k < kStamps; ++k) {
      std::vector<double> us;
      for (uint32_t b = 0; b < kSampleStamps / kStamps; ++b) {
        if (all[b * kStamps + k] >= first)
          us.push_back(static_cast<double>(all[b * kStamps + k] - first) * 1e-3);
      }
      if (us.empty()) continue;
      std::sort(us.begin(), us.end());
      std::printf(" | %u: %.1f %.1f", k, us[us.size() / 2], us.back());
    }
    std::printf("\n");
  }

  void stress(uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; ++i) {
      args.seam.delaySeed = i % 3 == 0 ? 0 : 1 + i * 7 + rank;
      load(5000 + i);
      if (i % 10 == 0) poison();
      w.meet.arrive_and_wait();
      dispatch(i % 4 == 1);
      if (i % 5 == 2) dispatch();  // a dispatch without a combine
      if (i % 10 == 0) sync(), check(), w.meet.arrive_and_wait();
      combine(i % 4 == 2);
      sync();
      w.meet.arrive_and_wait();
      if (i % 10 == 0) checkCombined(5000 + i);
    }
    args.seam.delaySeed = 0;
  }
};

Case shapeCase(const char* name, std::vector<uint32_t> tokens, DispatchDtype payload, OutputLayout layout) {
  Case c;
  c.name = name;
  c.shape.numExperts = 256;
  c.shape.numTopk = 8;
  c.shape.hidden = 7168;
  c.shape.maxDispatchTokensPerRank = 128;
  c.shape.payload = payload;
  c.shape.outputLayout = layout;
  c.tokens = std::move(tokens);
  c.withoutChoice = 0;
  return c;
}

std::vector<uint32_t> numbers(const std::string& text) {
  std::vector<uint32_t> list;
  for (size_t at = 0; at < text.size();) {
    list.push_back(static_cast<uint32_t>(std::strtoul(text.c_str() + at, nullptr, 10)));
    at = text.find(',', at);
    if (at == std::string::npos) break;
    ++at;
  }
  return list;
}

struct Options {
  bool stamps = false;
  bool timed = true;
  bool checks = true;
  uint32_t stressRounds = 0;
  std::vector<uint32_t> dispatchSend{0};  // 0: what launchShape says
  uint32_t dispatchBlocks = 0;
  std::vector<uint32_t> combineSend{0};
  std::vector<uint32_t> groups{4};
  std::vector<uint32_t> dispatchGroups{2};
  std::vector<uint32_t> probePieces{1024, 4096, kMostPieceBytes};  // bytes of a piece
  std::string only;
};

Options optionsOf(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (arg == "--stamps") o.stamps = true;
    if (arg == "--no-time") o.timed = false;
    if (arg == "--no-check") o.checks = false;
    if (arg == "--stress") o.stressRounds = numbers(value)[0];
    if (arg == "--dispatch-send") o.dispatchSend = numbers(value);
    if (arg == "--combine-send") o.combineSend = numbers(value);
    if (arg == "--dispatch-blocks") o.dispatchBlocks = numbers(value)[0];
    if (arg == "--dispatch-groups") o.dispatchGroups = numbers(value);
    if (arg == "--groups") o.groups = numbers(value);
    if (arg == "--probe-pieces") o.probePieces = numbers(value);
    if (arg == "--only") o.only = value;
  }
  return o;
}

constexpr auto E = OutputLayout::kExpertMajor;
constexpr auto R = OutputLayout::kRankMajor;

// Small and odd shapes, checked alone.
std::vector<Case> checkedCases() {
  std::vector<Case> cases;
  Case small = shapeCase("small-bf16-E", {0, 5, 16, 3}, DispatchDtype::kBf16, E);
  small.withoutChoice = 0.3;
  small.shape.hidden = 384;
  small.shape.numExperts = 16;
  small.shape.numTopk = 4;
  small.shape.maxDispatchTokensPerRank = 16;
  for (DispatchDtype payload : {DispatchDtype::kBf16, DispatchDtype::kFp8E4m3}) {
    for (int mode = 0; mode < 4; ++mode) {
      Case c = small;
      c.shape.payload = payload;
      c.shape.outputLayout = mode == 1 ? R : E;
      c.shape.dedup = mode != 2;
      c.shape.roundScale = mode == 3;
      if (mode == 3) c.tokens = {300, 17}, c.shape.maxDispatchTokensPerRank = 300, c.shape.hidden = 2688;
      c.name = mode == 1 ? "small-R" : mode == 2 ? "small-off" : mode == 3 ? "large-E" : "small-E";
      cases.push_back(c);
    }
  }
  Case top16 = small;
  top16.name = "top16";
  top16.shape.numTopk = 16;
  top16.shape.numExperts = 2048;
  top16.shape.hidden = 16384;
  top16.tokens = {7, 16};
  cases.push_back(top16);
  Case few = small;
  few.name = "few-experts-off";
  few.shape.numExperts = 8;
  few.shape.dedup = false;
  cases.push_back(few);
  return cases;
}

std::vector<Case> timedCases() {
  std::vector<Case> cases;
  for (uint32_t t : {128U, 32U, 1U}) cases.push_back(shapeCase("timed-bf16-E", {t}, DispatchDtype::kBf16, E));
  for (uint32_t t : {128U, 32U, 1U})
    cases.push_back(shapeCase("timed-fp8-E", {t}, DispatchDtype::kFp8E4m3, E));
  cases.push_back(shapeCase("timed-bf16-R", {128}, DispatchDtype::kBf16, R));
  cases.push_back(shapeCase("timed-fp8-R", {128}, DispatchDtype::kFp8E4m3, R));
  return cases;
}

void enablePeers(uint32_t world) {
  for (uint32_t r = 0; r < world; ++r) {
    CUDA(cudaSetDevice(static_cast<int>(r)));
    for (uint32_t p = 0; p < world; ++p) {
      if (p != r) CUDA(cudaDeviceEnablePeerAccess(static_cast<int>(p), 0));
    }
    prepareKernels();
    prepareProbeKernels();
    // As the kernels that follow it: a change of the split between cache and shared memory would be timed.
    CUDA(cudaFuncSetAttribute(barrierKernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100));
  }
}

void timeVariants(Rank& rank, const Options& o) {
  uint32_t salt = 0;
  for (const uint32_t pieceBytes : o.probePieces) {
    for (const bool isCombine : {false, true}) rank.timeProbe(isCombine, pieceBytes, ++salt);
  }
  rank.label = "empty";
  rank.args.phases = 0;
  rank.timeGraph(false);
  rank.timeCold(false, false);
  rank.args.phases = kSend | kReceive;
  for (uint32_t send : o.dispatchSend) {
    for (uint32_t g : o.dispatchGroups) {
      if (send != 0) rank.launch.dispatchSendBlocks = send;
      if (o.dispatchBlocks != 0) rank.launch.dispatchBlocks = o.dispatchBlocks;
      rank.launch.dispatchGroups = g;
      rank.label = std::to_string(rank.launch.dispatchSendBlocks) + "/" +
                   std::to_string(rank.launch.dispatchBlocks) + "x" + std::to_string(g);
      rank.timeGraph(false);
      rank.timeCold(false, o.stamps);
    }
  }
  for (uint32_t send : o.combineSend) {
    for (uint32_t g : o.groups) {
      if (send != 0) rank.launch.combineSendBlocks = send;
      rank.launch.combineGroups = g;
      // From 100 on every block sends and receives.
      if (send >= 100) rank.launch.combineBlocks = send;
      if (send != 0 && send < 100) rank.launch.combineBlocks = 132;
      rank.label = std::to_string(rank.launch.combineSendBlocks) + "/" +
                   std::to_string(rank.launch.combineBlocks) + "x" + std::to_string(g);
      rank.timeGraph(true);
      rank.timeCold(true, o.stamps);
    }
  }
}

void printFigures(const Case& c, World& w) {
  for (const auto& [name, unused] : w.figures[0]) {
    double sum = 0;
    double least = 1e9;
    double most = 0;
    for (auto& f : w.figures) {
      sum += f[name];
      least = std::min(least, f[name]);
      most = std::max(most, f[name]);
    }
    std::printf("csv,%s,%u,%s,%.2f,%.2f,%.2f\n", c.name, c.tokens[0], name.c_str(), sum / w.size, least,
                most);
  }
  std::fflush(stdout);
}

// Returns how many elements were wrong.
uint64_t runCase(const Case& c, const Options& o) {
  const bool isTimed = o.timed && std::string(c.name).rfind("timed", 0) == 0;
  CUDA(cudaSetDevice(0));
  const LaunchShape launch = launchShape(c.shape);
  World w(c.shape.worldSize);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < w.size; ++r) {
    threads.emplace_back([&, r] {
      CUDA(cudaSetDevice(static_cast<int>(r)));
      Rank rank(w, c, r, launch);
      rank.open();
      rank.verify(1, false);
      rank.verify(2, true);
      if (isTimed) {
        timeVariants(rank, o);
        rank.verify(3, false);
      }
      if (o.stressRounds != 0) rank.stress(o.stressRounds);
      rank.close();
    });
  }
  for (auto& t : threads) t.join();
  if (w.wrong != 0 || !isTimed) {
    std::printf("check %s payload %u tokens %u: checked %lu wrong %lu\n", c.name,
                static_cast<uint32_t>(c.shape.payload), c.tokens[0], w.checked.load(), w.wrong.load());
  }
  printFigures(c, w);
  return w.wrong;
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = optionsOf(argc, argv);
  int numGpus = 0;
  CUDA(cudaGetDeviceCount(&numGpus));
  const uint32_t world = std::min(static_cast<uint32_t>(numGpus), 4U);
  enablePeers(world);
  std::vector<Case> cases = timedCases();
  if (o.checks) {
    for (const Case& c : checkedCases()) cases.push_back(c);
  }
  std::printf("csv,case,tokens,phase,launch,timing,mean_us,min_us,max_us\n");
  uint64_t totalWrong = 0;
  for (Case& c : cases) {
    c.shape.worldSize = world;
    if (c.shape.numExperts % world != 0) continue;
    if (!o.only.empty() && std::string(c.name).find(o.only) == std::string::npos) continue;
    totalWrong += runCase(c, o);
  }
  std::printf("total wrong %lu\n", totalWrong);
  return totalWrong == 0 ? 0 : 1;
}
