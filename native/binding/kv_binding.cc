#include "binding/kv_binding.h"

#include "binding/device_binding.h"
#include "binding/methods.h"
#include "binding/operation.h"

namespace railrunner::binding {

namespace {

struct OpenedTransfer {
  std::shared_ptr<OpenedWorld> world;  // null: this rank alone
  std::shared_ptr<Device> device;
  std::vector<std::shared_ptr<OpenedPool>> pools;  // outlive the transfer
  std::unique_ptr<Transfer> transfer;              // null after close()

  ~OpenedTransfer() { transfer.reset(); }

  ProbeResult probe() const {
    return withGate(world, [&](GateRef gate) { return require().probe(gate, processControl()); });
  }
  MeasuredPhases measure(const SampleProtocol& protocol) const {
    return withGate(world, [&](GateRef gate) { return require().measure(gate, protocol, processControl()); });
  }
  std::vector<LaneFacts> facts() const { return require().facts(); }
  void close(bool, int64_t) {
    transfer.reset();
    pools.clear();
  }
  static void write(Result& result, const std::vector<LaneFacts>& facts);
  static const HandleKind kKind;

 private:
  Transfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the transfer is closed");
    for (const auto& pool : pools) pool->require();
    return *transfer;
  }
};

constexpr Method kMethods[] = {
    {"probe", probeOperation<OpenedTransfer>},
    {"measure", measureOperation<OpenedTransfer>},
    {"facts", factsOperation<OpenedTransfer>},
    {"close", closeOperation<OpenedTransfer>},
};

const HandleKind OpenedTransfer::kKind{
    {0x7261696c72756e6eULL, 0x65725472616e7301ULL}, "NativeTransfer", kMethods};

// A lane of JavaScript; its pools are looked up on the worker thread, where they are used and closed.
struct LaneArgument {
  std::shared_ptr<OpenedPool> source, target;
  std::vector<uint32_t> sourceIds, targetIds;
  uint32_t layerBegin = 0, layerEnd = 0;
};

LaneArgument readLane(Arguments& object) {
  LaneArgument lane;
  lane.source = object.handle<OpenedPool>("source");
  lane.target = object.handle<OpenedPool>("target");
  lane.sourceIds = readBlockIds(object, "sourceIds");
  lane.targetIds = readBlockIds(object, "targetIds");
  lane.layerBegin = object.uint32("layerBegin");
  lane.layerEnd = object.uint32("layerEnd");
  return lane;
}

void writeLane(Result& result, const LaneFacts& facts) {
  result.set("direction", directionOf(facts));
  result.set("numRegions", facts.numRegions);
  result.set("numCopies", facts.numCopies);
  result.set("batchesMerged", facts.batchesMerged);
  result.set("strategyUsed", strategyName(facts.strategyUsed));
  result.set("diskIo", facts.diskIo);
}

void OpenedTransfer::write(Result& result, const std::vector<LaneFacts>& facts) {
  result.putArray(facts, writeLane);
}

}  // namespace

void methods::openTransfer(Call& call) {
  auto state = std::make_shared<OpenedTransfer>();
  state->device = deviceOf(call);
  state->world = call.handleOrNull<OpenedWorld>("world");
  Arguments asked = call.object("options");
  const auto lanes = asked.objects("lanes", readLane);
  TransferOptions options = readTransferOptions(asked);
  options.faults = readFaults(asked);
  resolveHandle(call, state, [state, lanes, options] {
    std::vector<LaneRequest> requests;
    for (const LaneArgument& lane : lanes) {
      requests.push_back({&lane.source->require(), &lane.target->require(), lane.sourceIds, lane.targetIds,
                          lane.layerBegin, lane.layerEnd});
      state->pools.push_back(lane.source);
      state->pools.push_back(lane.target);
    }
    state->transfer = compileTransfer(*state->device, std::move(requests), options);
  });
}

TransferOptions readTransferOptions(Arguments& object) {
  static const Choices<Strategy> kStrategies = namedChoices<Strategy>(
      std::initializer_list<Strategy>{Strategy::kAuto, Strategy::kMemcpy, Strategy::kMemcpyBatch,
                                      Strategy::kKernel, Strategy::kStaged},
      strategyName);
  TransferOptions options;
  options.strategy = object.choice("strategy", kStrategies);
  options.maxTransferBatchSize = object.uint32("maxTransferBatchSize");
  options.maxConcurrentTransfers = object.uint32("maxConcurrentTransfers");
  options.chunkBytes = object.size("chunkBytes");
  options.queueDepth = object.uint32("queueDepth");
  options.requestBytes = object.uint32("requestBytes");
  options.threads = static_cast<uint32_t>(object.integer("threads", 1, 1024));
  options.maxCtas = object.uint32("maxCtas");
  return options;
}

}  // namespace railrunner::binding
