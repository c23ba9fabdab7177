// High-throughput dispatch and combine on GPUs: every byte that they leave is compared with the reference, in order,
// for each layout, payload, strategy and mode; refused and planted faults. Ranks are streams of one process, so that
// one GPU is enough. Without a GPU all of it is skipped by name.
#include <cstring>

#include "test/moe/cuda_high_throughput_calls.h"
#include "test/moe/cuda_high_throughput_push_times.h"
#include "test/moe/cuda_high_throughput_pushed.h"

using namespace railrunner;
using namespace railrunner::test;
using moe::cuda::Missing;

namespace {

void addShapes() {
  for (const OutputLayout layout : {kRank, kExpert}) {
    const std::string name = layout == kRank ? "rankMajor" : "expertMajor";
    const auto add = [&](const std::string& what, const std::function<void()>& body) {
      cases().push_back({name + ", " + what, body});
    };
    for (const uint32_t world : {1U, 2U, 3U, 4U, 8U}) {
      add("bf16, " + std::to_string(world) + " ranks", [=] { roundTrip(small(world, layout)); });
    }
    add("phase by phase", [=] {
      Setting setting = small(4, layout);
      roundTrip(setting, Mode::kSerial);
      setting.pushedSums = layout == kExpert;
      roundTrip(setting, Mode::kSerial);
    });
    add("exact", [=] { roundTrip(small(4, layout), Mode::kExact); });
    add("a layout used again", [=] { roundTrip(small(4, layout), Mode::kReuse); });
    add("fp8, scales that begin anywhere", [=] { roundTrip(small(4, layout, kFp8)); });
    add("fp8, hidden 2048", [=] {
      Setting setting = small(3, layout, kFp8);
      setting.shape.hidden = 2048;
      roundTrip(setting);
    });
    add("gathered first, fp8", [=] {
      Setting setting = small(4, layout, kFp8);
      setting.strategy = ht::Strategy::kAllGather;
      roundTrip(setting);
    });
    addPushed(name, layout);
    add("alignment 16, unweighted, skewed", [=] {
      Setting setting = small(4, layout);
      setting.alignment = 16;
      setting.weighted = false;
      setting.skewed = true;
      roundTrip(setting, Mode::kExact);
    });
    add("hidden 20001, top 16", [=] {
      Setting setting = small(2, layout);
      setting.shape.hidden = 20001;
      setting.shape.numTopk = 16;
      setting.shape.maxDispatchTokensPerRank = 70;
      roundTrip(setting);
    });
    add("top 32 of 512, one processor", [=] {
      Setting setting = small(2, layout);
      setting.shape.numTopk = 32;
      setting.shape.numExperts = 512;
      setting.processors = 1;
      roundTrip(setting);
    });
    // Combine's rings hold fewer rows than two tokens of such bring.
    add("8 ranks, top 32, hidden 7168", [=] {
      Setting setting = small(8, layout);
      setting.shape.numTopk = 32;
      setting.shape.hidden = 7168;
      setting.shape.maxDispatchTokensPerRank = 40;
      setting.full = true;
      roundTrip(setting);
    });
    add("1000 tokens, 16 processors", [=] {
      Setting setting = small(4, layout);
      setting.shape.maxDispatchTokensPerRank = 1000;
      setting.processors = 16;
      roundTrip(setting);
    });
  }
}

// Calls of changing routings on one set of ranks, each compared; the counts change from call to call.
// step 0: equal calls. Every row and sum has one place and one value, so that each must find the same.
void manyCalls(uint32_t calls, Setting setting, uint32_t step = 1) {
  setting.shape.hidden = 128;
  setting.shape.maxDispatchTokensPerRank = 70;
  Ranks ranks(setting);
  for (uint32_t call = 0; call < calls; ++call) {
    Scene scene(setting, 100 + step * call);
    ranks.fill(scene.tokens);
    ranks.fillOutputs(scene.expected);
    ranks.begin();
    if (setting.pushed) {
      pushAll(ranks);
    } else if (setting.gatherPieces != 0) {
      copyAll(ranks, ht::kLayout | ht::kMove);
    } else {
      ranks.dispatch(kAllOfDispatch);
    }
    ranks.begin();
    ranks.combine(ranks.combinePhases());
    ranks.finish();
    checkRows(ranks, scene);
    checkSums(ranks, scene);
  }
}

void addManyCalls(uint32_t calls) {
  Setting setting = small(4, kExpert);
  setting.pushedSums = true;
  cases().push_back({"calls of changing counts", [=] { manyCalls(calls, setting); }});
  setting.strategy = ht::Strategy::kAllGather, setting.gatherPieces = 4;
  cases().push_back({"calls of changing counts, copied", [=] { manyCalls(calls, setting); }});
  setting = small(4, kRank);
  setting.pushed = true;
  cases().push_back({"calls of changing counts, pushed", [=] { manyCalls(calls, setting); }});
}

// Prefill of a large model with nothing to spare: as in a job, calls one by one, the counts before the rows.
void largeCalls() {
  constexpr uint32_t kCalls = 20;
  Setting setting = small(2, kExpert);
  setting.shape.numExperts = 256;
  setting.shape.numTopk = 8;
  setting.shape.hidden = 7168;
  setting.shape.maxDispatchTokensPerRank = 4096;
  setting.alignment = 128;
  setting.processors = 32;
  setting.full = true;
  Scene scene(setting, 1);
  for (const ExpectedRows& rows : scene.expected) {
    setting.capacity.tokens = std::max<uint64_t>(setting.capacity.tokens, rows.sourceToken.size());
    setting.capacity.rows = std::max<uint64_t>(setting.capacity.rows, rows.rowToken.size());
  }
  Ranks ranks(setting);
  ranks.fill(scene.tokens);
  ranks.fillOutputs(scene.expected);
  for (uint32_t call = 0; call < kCalls; ++call) {
    ranks.begin();
    dispatchBy(ranks, Mode::kExact, scene);
    ranks.begin();
    ranks.combine(ranks.combinePhases());
    ranks.finish();
  }
  checkRows(ranks, scene);
  checkSums(ranks, scene);
}

// One graph of calls of each rank, replayed twice: the epoch is not baked in.
void replayed(const Setting& setting) {
  Ranks ranks(setting);
  Scene scene(setting, 9);
  ranks.fill(scene.tokens);
  ranks.fillOutputs(scene.expected);
  std::vector<Buffer> bases;
  std::vector<cudaGraphExec_t> replays(setting.shape.worldSize);
  for (uint32_t r = 0; r < setting.shape.worldSize; ++r) {
    ranks[r].enter();
    bases.emplace_back(Buffer::Place::kDevice, 16);
    check(cudaMemset(bases[r].as(), 0, 16), "cudaMemset");
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    ranks[r].arguments.epochBase = bases[r].as<uint32_t>();
    check(cudaStreamBeginCapture(*ranks[r].stream, cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
    for (uint32_t call = 1; call <= 6; ++call) {
      ranks[r].arguments.epoch = call;
      if (call % 2 == 1) {
        if (setting.pushed) {
          ranks.queuePush(r, ht::kAnnounce | ht::kLayout, ranks[r].plan.blocks);
          ranks.queueDispatch(r, ht::kMove);
        } else if (setting.gatherPieces != 0) {
          ranks.queueCopied(r, ht::kLayout | ht::kMove);
        } else {
          ranks.queueDispatch(r, kAllOfDispatch);
        }
      } else {
        ranks.queueCombine(r, ranks.combinePhases());
      }
    }
    moe::cuda::launchAdvanceEpoch(bases[r].as<uint32_t>(), 6, *ranks[r].stream);
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(*ranks[r].stream, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&replays[r], graph, 0), "cudaGraphInstantiate");
    cudaGraphDestroy(graph);
  }
  for (uint32_t replay = 0; replay < 2; ++replay) {
    for (uint32_t r = 0; r < setting.shape.worldSize; ++r) {
      ranks[r].enter();
      check(cudaGraphLaunch(replays[r], *ranks[r].stream), "cudaGraphLaunch");
    }
  }
  ranks.finish();
  checkRows(ranks, scene);
  checkSums(ranks, scene);
  for (cudaGraphExec_t replay : replays) cudaGraphExecDestroy(replay);
}

void addGraphs() {
  Setting setting = small(4, kRank);
  cases().push_back({"calls in a graph", [=] { replayed(setting); }});
  setting.pushed = true;
  cases().push_back({"calls in a graph, pushed", [=] { replayed(setting); }});
  setting = small(4, kExpert);
  setting.pushedSums = true, setting.strategy = ht::Strategy::kAllGather, setting.gatherPieces = 4;
  cases().push_back({"calls in a graph, copied", [=] { replayed(setting); }});
}

// Waits of all ranks end; what rank `which` then says was wrong.
void expectFailure(Ranks& ranks, uint32_t which, Missing missing, uint32_t peer) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ranks.endWaits();
  ranks.finish();
  const moe::cuda::WaitControl& control = ranks.control(which);
  expectEqual(control.failed, 1U, "failed");
  expectEqual(control.missing, static_cast<uint32_t>(missing), "missing");
  expectEqual(control.rank, peer, "rank");
}

void tooSmall() {
  Setting setting = small(4, kExpert);
  setting.capacity = {10'000, 100};
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  for (uint32_t r = 0; r < 4; ++r) ranks[r].arguments.agreeOnRoom = 1;
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  ranks.finish();
  checkReports(ranks, scene);
  for (uint32_t r = 0; r < 4; ++r) {
    expectEqual(ranks.control(r).missing, static_cast<uint32_t>(Missing::kNoRoom), "missing");
    expectEqual(ranks.control(r).rank, 0U, "rank without room");
    ranks[r].enter();
    for (const Buffer& part : ranks[r].parts) {
      const auto bytes = fetched(part.as<uint8_t>(), part.bytes());
      ok(std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == kPoison; }),
         "something was written");
    }
  }
}

void silentRank() {
  const Setting setting = small(4, kRank);
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks[2].arguments.seam.silent = 1;
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  expectFailure(ranks, 0, Missing::kBegun, 2);
}

void wrongChoice() {
  const Setting setting = small(4, kExpert);
  Ranks ranks(setting);
  Scene scene(setting, 3);
  scene.tokens[1].ids[2] = 1'000'000;
  ranks.fill(scene.tokens);
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  expectFailure(ranks, 3, Missing::kWrongChoice, 1);
}

void wrongTokens() {
  const Setting setting = small(4, kExpert);
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks[1].arguments.numTokens = setting.shape.maxDispatchTokensPerRank + 1;
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  expectFailure(ranks, 3, Missing::kWrongTokens, 1);
}

void otherLayout() {
  const Setting setting = small(4, kRank);
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  ranks.finish();
  ranks.useLayout(ranks.epoch());
  ranks[3].arguments.layout = 77;
  ranks.begin();
  ranks.dispatch(ht::kAnnounce | ht::kMove);
  expectFailure(ranks, 0, Missing::kWrongLayout, 3);
}

// A rank says that its sums are made before they are: what its peers read is older.
void earlySums(bool pushed) {
  Setting setting = small(4, kExpert);
  setting.pushedSums = pushed;
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks.fillOutputs(scene.expected);
  ranks[1].arguments.seam.relaxed = 1;
  ranks.begin();
  ranks.dispatch(kAllOfDispatch);
  ranks.begin();
  ranks.combine(ranks.combinePhases());
  ranks.finish();
  bool isSeen = false;
  try {
    checkSums(ranks, scene);
  } catch (const Failure&) {
    isSeen = true;
  }
  ok(isSeen, "sums that were published too early were not seen");
}

// A source says that its rows are stored before they are.
void earlyRows() {
  Setting setting = small(4, kRank);
  setting.pushed = true;
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks[1].arguments.seam.relaxed = 1;
  ranks.begin();
  pushAll(ranks);
  ranks.finish();
  bool isSeen = false;
  try {
    checkRows(ranks, scene);
  } catch (const Failure&) {
    isSeen = true;
  }
  ok(isSeen, "rows that were published too early were not seen");
}

void silentSource() {
  Setting setting = small(4, kRank);
  setting.pushed = true;
  Ranks ranks(setting);
  Scene scene(setting, 3);
  ranks.fill(scene.tokens);
  ranks[2].arguments.seam.silent = 1;
  ranks.begin();
  for (uint32_t r = 0; r < 4; ++r) ranks.queuePush(r);
  expectFailure(ranks, 0, Missing::kBegun, 2);
}

}  // namespace

// Arguments: parts of names (cases that hold none of them are left out); `calls N`, how many calls of changing counts;
// or `times FILE [LAYOUT]` and `push FILE`, which measure in place of testing.
int main(int argc, char** argv) {
  // Kernels wait for each other: each rank's stream needs a queue of its own, and no module may load meanwhile.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 1);
  setenv("CUDA_MODULE_LOADING", "EAGER", 1);
  if (argc > 2 && std::strcmp(argv[1], "times") == 0)
    return gpuCount() > 1 ? measureAll(argv[2], argc > 3 ? argv[3] : "") : 1;
  if (argc > 2 && std::strcmp(argv[1], "push") == 0) return gpuCount() > 1 ? measurePush(argv[2]) : 1;
  addShapes();
  addPushedSums();
  addCopied();
  const uint32_t calls = argc > 2 && std::strcmp(argv[1], "calls") == 0 ? std::atoi(argv[2]) : 50;
  addManyCalls(calls);
  cases().push_back({"4096 tokens, hidden 7168, alignment 128, call by call", largeCalls});
  cases().push_back({"20 equal calls", [=] { manyCalls(20, small(4, kExpert), 0); }});
  addGraphs();
  cases().push_back({"receive memory that is too small is refused by all ranks", tooSmall});
  cases().push_back({"a silent rank is named", silentRank});
  cases().push_back({"a choice that is no expert is refused", wrongChoice});
  cases().push_back({"a wrong number of tokens is refused", wrongTokens});
  cases().push_back({"a rank with another layout is refused", otherLayout});
  cases().push_back({"sums published too early are seen", [] { earlySums(false); }});
  cases().push_back({"pushed sums published too early are seen", [] { earlySums(true); }});
  cases().push_back({"rows published too early are seen", earlyRows});
  cases().push_back({"a silent source of pushed rows is named", silentSource});
  if (argc > 1 && std::strcmp(argv[1], "calls") != 0) {
    std::erase_if(cases(), [&](const Case& c) {
      return std::none_of(argv + 1, argv + argc,
                          [&](const char* part) { return c.name.find(part) != c.name.npos; });
    });
  }
  if (gpuCount() == 0) {
    std::printf("TAP version 14\n1..%zu\n", cases().size());
    for (size_t i = 0; i < cases().size(); ++i) {
      std::printf("ok %zu - %s # SKIP needs 1 GPU\n", i + 1, cases()[i].name.c_str());
    }
    return 0;
  }
  connectGpus();
  return runAll();
}
