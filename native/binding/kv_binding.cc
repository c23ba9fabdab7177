#include "binding/kv_binding.h"

#include "binding/arguments.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/work_lane.h"
#include "binding/world_binding.h"
#include "kv/transfer.h"

namespace railrunner::binding {

namespace {

struct OpenedTransfer {
  std::shared_ptr<Device> device;
  std::vector<std::shared_ptr<OpenedPool>> pools;  // outlive the transfer
  std::unique_ptr<Transfer> transfer;              // null after close()

  ~OpenedTransfer() { transfer.reset(); }
  Transfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the transfer is closed");
    for (const auto& pool : pools) pool->require();
    return *transfer;
  }
};

const HandleKind<OpenedTransfer> kTransferKind{{0x7261696c72756e6eULL, 0x65725472616e7301ULL},
                                               "a NativeTransfer"};

// A lane of JavaScript; its pools are looked up on the work thread, where they are used and closed.
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

TransferFault faultOf(const Napi::Object& object) {
  if (!object.Has("plantedFault")) return TransferFault::kNone;
  const std::string name = requireString(object, "plantedFault");
  if (name == "spinKernel") return TransferFault::kSpinKernel;
  if (name == "illegalAccess") return TransferFault::kIllegalAccess;
  throw argumentError("plantedFault", "spinKernel or illegalAccess, or none");
}

// The gate of a measured loop: the world's, or that of a rank alone where no world was given.
template <class Body>
void withGate(const std::shared_ptr<OpenedWorld>& world, Body&& body) {
  if (world) {
    body(GateRef(world->gate->gate()));
  } else {
    SoloGate solo;
    body(GateRef(solo));
  }
}

std::shared_ptr<OpenedWorld> worldOrNull(const Napi::Value& value) {
  return value.IsNull() ? nullptr : requireWorld(value, "world");
}

Napi::Value measureTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kTransferKind);
    auto world = worldOrNull(info[0]);
    const SampleProtocol protocol = requireProtocol(info[1]);
    auto sets = std::make_shared<std::vector<TimedSamples>>();
    return runOnWorkLane(
        info.Env(),
        [state, world, protocol, sets] {
          withGate(world,
                   [&](GateRef gate) { *sets = state->require().measure(gate, protocol, processControl()); });
        },
        [sets](Napi::Env env) -> Napi::Value {
          Napi::Array array = Napi::Array::New(env, sets->size());
          for (uint32_t i = 0; i < sets->size(); ++i) {
            Napi::Object object = sampleSetObject(env, (*sets)[i].samples);
            object.Set("timing", (*sets)[i].timing);
            object.Set("lane", (*sets)[i].lane);
            array.Set(i, object);
          }
          return array;
        });
  });
}

Napi::Value probeTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kTransferKind);
    auto world = worldOrNull(info[0]);
    auto result = std::make_shared<ProbeResult>();
    return runOnWorkLane(
        info.Env(),
        [state, world, result] {
          withGate(world, [&](GateRef gate) { *result = state->require().probe(gate, processControl()); });
        },
        [result](Napi::Env env) { return probeObject(env, *result); });
  });
}

Napi::Object factsObject(Napi::Env env, const LaneFacts& facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("payloadBytes", static_cast<double>(facts.payloadBytes));
  object.Set("numRegions", static_cast<double>(facts.numRegions));
  object.Set("numCopies", static_cast<double>(facts.numCopies));
  object.Set("batchesMerged", facts.batchesMerged);
  object.Set("diskBytes", static_cast<double>(facts.diskBytes));
  object.Set("pcieBytes", static_cast<double>(facts.pcieBytes));
  object.Set("selfBytes", static_cast<double>(facts.selfBytes));
  object.Set("strategyUsed", strategyName(facts.strategyUsed));
  object.Set("diskIo", facts.diskIo);
  return object;
}

Napi::Value transferFacts(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kTransferKind);
    auto all = std::make_shared<std::vector<LaneFacts>>();
    return runOnWorkLane(
        info.Env(), [state, all] { *all = state->require().facts(); },
        [all](Napi::Env env) -> Napi::Value {
          Napi::Array array = Napi::Array::New(env, all->size());
          for (uint32_t i = 0; i < all->size(); ++i) array.Set(i, factsObject(env, (*all)[i]));
          return array;
        });
  });
}

Napi::Value closeTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kTransferKind);
    return runOnWorkLane(info.Env(), [state] {
      state->transfer.reset();
      state->pools.clear();
    });
  });
}

Napi::Value transferHandle(Napi::Env env, const std::shared_ptr<OpenedTransfer>& state) {
  return makeHandle(env, state, kTransferKind,
                    {{"measure", measureTransfer},
                     {"probe", probeTransfer},
                     {"facts", transferFacts},
                     {"close", closeTransfer}});
}

Napi::Value compileTransferHandle(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedTransfer>();
    state->device = requireDevice(info.This(), "this");
    const Napi::Object argument = requireObject(info[0], "options");
    auto lanes = requireLanes(argument);
    const TransferOptions options = requireTransferOptions(argument);
    return runOnWorkLane(
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
        [state](Napi::Env env) { return transferHandle(env, state); });
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
  options.fault = faultOf(object);
  return options;
}

Napi::Object sampleSetObject(Napi::Env env, const SampleSet& set) {
  const auto toArray = [env](const std::vector<double>& values) {
    Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
  };
  Napi::Object object = Napi::Object::New(env);
  object.Set("timesUs", toArray(set.timesUs));
  object.Set("entrySkewUs", toArray(set.entrySkewUs));
  object.Set("stopped", set.stopped);
  return object;
}

Napi::Object probeObject(Napi::Env env, const ProbeResult& probe) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("GBps", probe.GBps);
  object.Set("source", probe.source);
  object.Set("stopped", probe.stopped);
  return object;
}

void addKvMethods(Napi::Env env, Napi::Object device) {
  addPoolMethods(env, device);
  device.Set("compileTransfer", Napi::Function::New(env, compileTransferHandle, "compileTransfer"));
}

}  // namespace railrunner::binding
