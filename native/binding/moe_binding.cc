#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "binding/device_binding.h"
#include "binding/methods.h"
#include "binding/operation.h"
#include "moe/bench.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

struct OpenedMoe {
  std::shared_ptr<OpenedWorld> world;
  std::shared_ptr<Device> device;
  std::unique_ptr<moe::Bench> bench;  // null after close()

  moe::ProbeRates probe(const moe::ProbeRequest& request, int64_t deadlineNs) const {
    WorldExchange exchange(*world->world);
    return require().probe(request, exchange, GateRef(world->gate->gate()), deadlineNs);
  }
  MeasuredPhases measure(const SampleProtocol& protocol) const {
    return require().measure(protocol, GateRef(world->gate->gate()));
  }
  moe::BenchFacts facts() const { return require().facts(); }
  moe::BenchResults results() const { return require().results(); }
  void close(bool together, int64_t deadlineNs) {
    if (bench == nullptr) return;
    const std::unique_ptr<moe::Bench> closing = std::move(bench);
    WorldExchange exchange(*world->world);
    closing->close(together ? &exchange : nullptr, deadlineNs);
  }
  static void write(Result& result, const moe::BenchFacts& facts);
  static const HandleKind kKind;

 private:
  moe::Bench& require() const {
    if (!bench) throw Error(ErrorCode::kState, "the MoE point is closed");
    return *bench;
  }
};

moe::ProbeRequest readProbeRequest(Arguments object) {
  moe::ProbeRequest request;
  for (const double bytes : object.typed<double>("bytesTo")) {
    object.expect(bytes >= 0 && bytes < 9007199254740992.0, "bytesTo", "sizes in bytes");
    request.bytesTo.push_back(static_cast<uint64_t>(bytes));
  }
  request.repeats = object.uint32("repeats");
  request.sourceBytes = object.size("sourceBytes");
  return request;
}

void writeRates(Result& result, const moe::ProbeRates& rates) {
  result.set("ipcGBps", rates.ipcGBps);
  result.set("networkGBps", rates.networkGBps);
  result.set("stopped", rates.stopped);
}

// By path, and for the bytes of one call: the one probe that asks for more than the operation knows.
void probe(Call& call) {
  const auto state = call.self<OpenedMoe>();
  const moe::ProbeRequest request = readProbeRequest(call.object("request"));
  const int64_t deadlineNs = call.deadlineNs();
  call.resolves([state, request, deadlineNs] { return state->probe(request, deadlineNs); }, writeRates);
}

void writeResults(Result& result, const moe::BenchResults& results) {
  result.set("salt", results.salt);
  result.setTyped("count", results.count);
  result.setTyped("layoutRange", results.layoutRange);
  result.setTyped("sourceToken", results.sourceToken);
  result.setTyped("x", results.x);
  result.setTyped("scales", results.scales);
  result.setTyped("guard", results.guard);
  result.setTyped("combined", results.combined);
  result.setTyped("expertBegin", results.expertBegin);
  result.setTyped("sourceBegin", results.sourceBegin);
  result.setTyped("rowToken", results.rowToken);
  result.setTyped("tokenRow", results.tokenRow);
  result.setTyped("tokenExpert", results.tokenExpert);
  result.setTyped("tokenWeight", results.tokenWeight);
}

void results(Call& call) {
  const auto state = call.self<OpenedMoe>();
  call.resolves([state] { return state->results(); }, writeResults);
}

constexpr Method kMethods[] = {
    {"probe", probe},     {"measure", measureOperation<OpenedMoe>}, {"facts", factsOperation<OpenedMoe>},
    {"results", results}, {"close", closeOperation<OpenedMoe>},
};

const HandleKind OpenedMoe::kKind{{0x7261696c72756e6eULL, 0x65724d6f65507401ULL}, "NativeMoe", kMethods};

void OpenedMoe::write(Result& result, const moe::BenchFacts& facts) {
  result.set("networkTransport", facts.transport);
  result.set("networkMemory", facts.memory);
  result.set("strategy", facts.strategy);
  result.set("processors", facts.processors);
  result.set("dispatchFirstUs", facts.dispatchFirstUs);
  result.set("combineFirstUs", facts.combineFirstUs);
}

// Without worldSize.
moe::Shape readShape(Arguments& object) {
  static const Choices<moe::DispatchDtype> kDtypes{{"bf16", moe::DispatchDtype::kBf16},
                                                   {"fp8_e4m3", moe::DispatchDtype::kFp8E4m3}};
  static const Choices<moe::OutputLayout> kLayouts{{"expertMajor", moe::OutputLayout::kExpertMajor},
                                                   {"rankMajor", moe::OutputLayout::kRankMajor}};
  moe::Shape shape;
  shape.numExperts = object.uint32("numExperts");
  shape.numTopk = object.uint32("numTopk");
  shape.hidden = object.uint32("hidden");
  shape.maxDispatchTokensPerRank = object.uint32("maxDispatchTokensPerRank");
  shape.payload = object.choice("dispatchDtype", kDtypes);
  shape.roundScale = object.boolean("roundScale");
  shape.dedup = object.boolean("dedup");
  shape.outputLayout = object.choice("outputLayout", kLayouts);
  shape.zeroCopy = object.boolean("zeroCopy");
  return shape;
}

moe::high_throughput::Options readHighThroughput(Arguments& object) {
  using namespace moe::high_throughput;
  static const Choices<Strategy> kStrategies{{"sparse", Strategy::kSparse},
                                             {"allGather", Strategy::kAllGather}};
  static const Choices<Receive> kReceives{{"exact", Receive::kExact}, {"worstCase", Receive::kWorstCase}};
  Options asked;
  asked.strategy = object.choice("strategy", kStrategies);
  asked.expertAlignment = object.uint32("expertAlignment");
  asked.reuseLayout = object.boolean("reuseLayout");
  asked.weighted = object.boolean("weighted");
  asked.numProcessors = object.uint32("smCount");
  const auto receive = object.choiceOrSize("receiveRows", kReceives);
  if (const uint64_t* rows = std::get_if<uint64_t>(&receive)) {
    asked.receive = Receive::kFixed;
    asked.fixedRows = *rows;
  } else {
    asked.receive = std::get<Receive>(receive);
  }
  return asked;
}

moe::BenchOptions readOptions(Arguments& object) {
  moe::BenchOptions options;
  options.shape = readShape(object);
  options.seed = object.uint32("seed");
  options.overNetwork = object.typed<uint8_t>("overNetwork");
  options.nodeOfRank = object.typed<uint32_t>("nodeOfRank");
  options.numProxies = object.uint32("numProxies");
  options.split = object.boolean("split");
  options.highThroughput = object.objectOrNull("highThroughput", readHighThroughput);
  const InjectedFaults faults = readFaults(object);
  options.seam.silentFromEpoch = faults.at(FaultKind::kSilence).value_or(0);
  options.seam.corruptFromEpoch = faults.at(FaultKind::kCorrupt).value_or(0);
  return options;
}

}  // namespace

void methods::openMoe(Call& call) {
  auto state = std::make_shared<OpenedMoe>();
  state->device = deviceOf(call);
  state->world = call.handle<OpenedWorld>("world");
  Arguments asked = call.object("options");
  moe::BenchOptions options = readOptions(asked);
  moe::Routing routing;
  routing.topkIdx = asked.typed<int32_t>("topkIdx");
  routing.topkWeights = asked.typed<float>("topkWeights");
  routing.numTokens = asked.uint32("numTokens");
  const int64_t deadlineNs = asked.deadlineNs();
  resolveHandle(call, state, [state, options, routing, deadlineNs]() mutable {
    World& world = *state->world->world;
    options.shape.worldSize = static_cast<uint32_t>(world.info().worldSize);
    WorldExchange exchange(world);
    state->bench =
        moe::openBench(exchange, *state->device, world.control(), options, std::move(routing), deadlineNs);
  });
}

}  // namespace railrunner::binding
