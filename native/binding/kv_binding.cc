#include "binding/kv_binding.h"

#include "binding/arguments.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/operation.h"
#include "binding/worker_thread.h"
#include "binding/world_binding.h"
#include "kv/transfer.h"

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
  static Napi::Value toJs(Napi::Env env, const std::vector<LaneFacts>& facts);

 private:
  Transfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the transfer is closed");
    for (const auto& pool : pools) pool->require();
    return *transfer;
  }
};

const HandleKind<OpenedTransfer> kTransferKind{{0x7261696c72756e6eULL, 0x65725472616e7301ULL},
                                               "a NativeTransfer"};

// A lane of JavaScript; its pools are looked up on the worker thread, where they are used and closed.
struct LaneArgument {
  std::shared_ptr<OpenedPool> source, target;
  std::vector<uint32_t> sourceIds, targetIds;
  uint32_t layerBegin = 0, layerEnd = 0;
};

std::vector<LaneArgument> requireLanes(const Napi::Object& options) {
  const Napi::Value value = options.Get("lanes");
  if (!value.IsArray()) throw argumentError("lanes", "an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<LaneArgument> lanes;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object lane = requireObject(array.Get(i), "lanes");
    lanes.push_back({requirePool(lane.Get("source"), "source"), requirePool(lane.Get("target"), "target"),
                     requireBlockIds(lane, "sourceIds"), requireBlockIds(lane, "targetIds"),
                     requireUint32(lane, "layerBegin"), requireUint32(lane, "layerEnd")});
  }
  return lanes;
}

Strategy strategyOf(const std::string& name) {
  for (const Strategy strategy :
       {Strategy::kAuto, Strategy::kMemcpy, Strategy::kMemcpyBatch, Strategy::kKernel, Strategy::kStaged}) {
    if (name == strategyName(strategy)) return strategy;
  }
  throw argumentError("strategy", "auto, memcpy, memcpyBatch, kernel or staged");
}

std::shared_ptr<OpenedWorld> worldOrNull(const Napi::Value& value) {
  return value.IsNull() ? nullptr : requireWorld(value, "world");
}

Napi::Object factsObject(Napi::Env env, const LaneFacts& facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("direction", directionOf(facts));
  object.Set("numRegions", static_cast<double>(facts.numRegions));
  object.Set("numCopies", static_cast<double>(facts.numCopies));
  object.Set("batchesMerged", facts.batchesMerged);
  object.Set("strategyUsed", strategyName(facts.strategyUsed));
  object.Set("diskIo", facts.diskIo);
  return object;
}

Napi::Value OpenedTransfer::toJs(Napi::Env env, const std::vector<LaneFacts>& facts) {
  Napi::Array array = Napi::Array::New(env, facts.size());
  for (uint32_t i = 0; i < facts.size(); ++i) array.Set(i, factsObject(env, facts[i]));
  return array;
}

Napi::Value openTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedTransfer>();
    state->device = requireDevice(info.This(), "this");
    state->world = worldOrNull(info[0]);
    const Napi::Object argument = requireObject(info[1], "options");
    auto lanes = requireLanes(argument);
    TransferOptions options = requireTransferOptions(argument);
    options.faults = requireFaults(argument);
    return runOnWorker(
        info.Env(),
        [state, lanes = std::move(lanes), options] {
          std::vector<LaneRequest> requests;
          for (const LaneArgument& lane : lanes) {
            requests.push_back({&lane.source->require(), &lane.target->require(), lane.sourceIds,
                                lane.targetIds, lane.layerBegin, lane.layerEnd});
            state->pools.push_back(lane.source);
            state->pools.push_back(lane.target);
          }
          state->transfer = compileTransfer(*state->device, std::move(requests), options);
        },
        [state](Napi::Env env) { return makeOperation<OpenedTransfer, kTransferKind>(env, state); });
  });
}

}  // namespace

TransferOptions requireTransferOptions(const Napi::Object& object) {
  TransferOptions options;
  options.strategy = strategyOf(requireString(object, "strategy"));
  options.maxTransferBatchSize = requireUint32(object, "maxTransferBatchSize");
  options.maxConcurrentTransfers = requireUint32(object, "maxConcurrentTransfers");
  options.chunkBytes = requireSize(object, "chunkBytes");
  options.queueDepth = requireUint32(object, "queueDepth");
  options.requestBytes = requireUint32(object, "requestBytes");
  options.threads = static_cast<uint32_t>(requireInteger(object, "threads", 1, 1024));
  options.maxCtas = requireUint32(object, "maxCtas");
  return options;
}

void addKvMethods(Napi::Env env, Napi::Object device) {
  addPoolMethods(env, device);
  device.Set("openTransfer", Napi::Function::New(env, openTransfer, "openTransfer"));
}

}  // namespace railrunner::binding
