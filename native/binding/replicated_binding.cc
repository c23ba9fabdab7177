#include "binding/arguments.h"
#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/kv_binding.h"
#include "binding/work_lane.h"
#include "binding/world_binding.h"
#include "core/clock.h"
#include "replicated/transfer.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

// What stands behind a NativeReplicated; members are given back in the reverse order.
struct OpenedReplicated {
  std::shared_ptr<OpenedWorld> world;
  std::unique_ptr<WorldExchange> exchange;
  std::shared_ptr<Device> device;
  std::shared_ptr<OpenedPool> source;  // null where this rank has none
  std::shared_ptr<OpenedPool> target;
  std::shared_ptr<OpenedCommunicator> communicator;  // null on the host device
  std::unique_ptr<ReplicatedTransfer> transfer;

  ReplicatedTransfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the replicated transfer is closed");
    return *transfer;
  }
};

const HandleKind<OpenedReplicated> kReplicatedKind{{0x7261696c72756e6eULL, 0x65725265706c0001ULL},
                                                   "a NativeReplicated"};

ReplicatedStrategy strategyOf(const std::string& name) {
  for (const ReplicatedStrategy strategy :
       {ReplicatedStrategy::kAuto, ReplicatedStrategy::kRootBroadcast, ReplicatedStrategy::kPipelined,
        ReplicatedStrategy::kScatterAllgather, ReplicatedStrategy::kIndependent}) {
    if (name == replicatedStrategyName(strategy)) return strategy;
  }
  throw argumentError("strategy", "a replicated strategy");
}

Tier tierOf(const std::string& name) {
  for (const Tier tier : {Tier::kDevice, Tier::kHost, Tier::kDisk}) {
    if (name == tierName(tier)) return tier;
  }
  throw argumentError("sourceTier", "\"device\", \"host\" or \"disk\"");
}

// The request of JavaScript; pools and communicator are put in on the work thread.
ReplicatedRequest requireRequest(const Napi::Object& object, const std::vector<int>& nodeOfRank) {
  ReplicatedRequest request;
  request.strategy = strategyOf(requireString(object, "strategy"));
  request.root =
      static_cast<int>(requireInteger(object, "root", 0, static_cast<int64_t>(nodeOfRank.size()) - 1));
  request.sourceTier = tierOf(requireString(object, "sourceTier"));
  request.sourceShape = requireLayout(object, "sourceLayout");
  request.sourceBlocks = requireSectionBlocks(object, "sourceBlocks");
  request.targetShape = requireLayout(object, "targetLayout");
  request.targetBlocks = requireSectionBlocks(object, "targetBlocks");
  request.sourceIds = requireBlockIds(object, "sourceIds");
  request.targetIds = requireBlockIds(object, "targetIds");
  request.layerBegin = requireUint32(object, "layerBegin");
  request.layerEnd = requireUint32(object, "layerEnd");
  request.nodeOfRank = nodeOfRank;
  request.options = requireTransferOptions(requireObject(object.Get("loads"), "loads"));
  const Napi::Object faults = requireObject(object.Get("faults"), "faults");
  request.faults.failLoadAt = requireInteger(faults, "failLoadAt", -1, UINT32_MAX);
  request.faults.dieAt = requireInteger(faults, "dieAt", -1, UINT32_MAX);
  return request;
}

Napi::Value toArray(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value measureReplicated(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplicatedKind);
    const SampleProtocol protocol = requireProtocol(info[0]);
    auto samples = std::make_shared<ReplicatedSamples>();
    return runOnWorkLane(
        info.Env(),
        [state, protocol, samples] {
          *samples =
              state->require().measure(GateRef(state->world->gate->gate()), protocol, processControl());
        },
        [samples](Napi::Env env) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("total", sampleSetObject(env, samples->total));
          object.Set("loadUs", toArray(env, samples->loadUs));
          object.Set("broadcastUs", toArray(env, samples->broadcastUs));
          object.Set("overlapPct",
                     samples->overlapPct < 0 ? env.Null() : Napi::Number::New(env, samples->overlapPct));
          return object;
        });
  });
}

Napi::Value probeReplicated(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplicatedKind);
    auto result = std::make_shared<ProbeResult>();
    return runOnWorkLane(
        info.Env(),
        [state, result] {
          *result = state->require().probe(GateRef(state->world->gate->gate()), processControl());
        },
        [result](Napi::Env env) { return probeObject(env, *result); });
  });
}

Napi::Value factsReplicated(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplicatedKind);
    auto facts = std::make_shared<ReplicatedFacts>();
    return runOnWorkLane(
        info.Env(), [state, facts] { *facts = state->require().facts(); },
        [facts](Napi::Env env) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          const std::pair<const char*, uint64_t> numbers[] = {
              {"payloadBytes", facts->payloadBytes},  {"loadBytes", facts->loadBytes},
              {"selfBytes", facts->selfBytes},        {"ipcBytes", facts->ipcBytes},
              {"networkBytes", facts->networkBytes},  {"pcieBytes", facts->pcieBytes},
              {"diskBytes", facts->diskBytes},        {"numChunks", facts->numChunks},
              {"numOperations", facts->numOperations}};
          for (const auto& [name, value] : numbers) object.Set(name, static_cast<double>(value));
          object.Set("strategyUsed", replicatedStrategyName(facts->strategyUsed));
          object.Set("diskIo", facts->diskIo);
          object.Set("networkTransport", facts->networkTransport);
          return object;
        });
  });
}

Napi::Value closeReplicated(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplicatedKind);
    if (!info[0].IsBoolean()) throw argumentError("together", "a boolean");
    const bool together = info[0].As<Napi::Boolean>().Value();
    const int64_t deadlineNs = requireDeadline(info[1]);
    return runOnWorkLane(info.Env(), [state, together, deadlineNs] {
      if (!state->transfer) return;
      const std::unique_ptr<ReplicatedTransfer> closing = std::move(state->transfer);
      closing->close(together ? state->exchange.get() : nullptr, deadlineNs);
    });
  });
}

Napi::Value replicatedHandle(Napi::Env env, const std::shared_ptr<OpenedReplicated>& state) {
  return makeHandle(env, state, kReplicatedKind,
                    {{"measure", measureReplicated},
                     {"probe", probeReplicated},
                     {"facts", factsReplicated},
                     {"close", closeReplicated}});
}

Napi::Value openReplicatedHandle(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedReplicated>();
    state->device = requireDevice(info.This(), "this");
    state->world = requireWorld(info[0], "world");
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    const Napi::Object object = requireObject(info[1], "options");
    if (!object.Get("source").IsNull()) state->source = requirePool(object.Get("source"), "source");
    state->target = requirePool(object.Get("target"), "target");
    if (!object.Get("communicator").IsNull()) {
      state->communicator = requireCommunicator(object.Get("communicator"), "communicator");
    }
    ReplicatedRequest request = requireRequest(object, state->world->world->info().nodeOfRank);
    const int64_t deadlineNs = requireDeadline(object.Get("timeoutMs"));
    return runOnWorkLane(
        info.Env(),
        [state, request = std::move(request), deadlineNs]() mutable {
          if (state->source) request.source = &state->source->require();
          request.target = &state->target->require();
          if (state->communicator) request.communicator = &state->communicator->require();
          state->transfer = openReplicated(*state->exchange, processControl(), *state->device,
                                           std::move(request), deadlineNs);
        },
        [state](Napi::Env env) { return replicatedHandle(env, state); });
  });
}

}  // namespace

void addReplicatedMethods(Napi::Env env, Napi::Object device) {
  device.Set("openReplicated", Napi::Function::New(env, openReplicatedHandle, "openReplicated"));
}

}  // namespace railrunner::binding
