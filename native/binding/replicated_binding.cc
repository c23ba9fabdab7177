#include "binding/arguments.h"
#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/kv_binding.h"
#include "binding/operation.h"
#include "core/clock.h"
#include "replicated/transfer.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

// The state of a NativeReplicated; members are released in reverse order.
struct OpenedReplicated {
  std::shared_ptr<OpenedWorld> world;
  std::unique_ptr<WorldExchange> exchange;
  std::shared_ptr<Device> device;
  std::shared_ptr<OpenedPool> source;  // null where this rank has none
  std::shared_ptr<OpenedPool> target;
  std::shared_ptr<OpenedCommunicator> communicator;  // null on the host device
  std::unique_ptr<ReplicatedTransfer> transfer;

  ProbeResult probe() const { return require().probe(GateRef(world->gate->gate()), processControl()); }
  MeasuredPhases measure(const SampleProtocol& protocol) const {
    return require().measure(GateRef(world->gate->gate()), protocol, processControl());
  }
  ReplicatedFacts facts() const { return require().facts(); }
  void close(bool together, int64_t deadlineNs) {
    if (!transfer) return;
    const std::unique_ptr<ReplicatedTransfer> closing = std::move(transfer);
    closing->close(together ? exchange.get() : nullptr, deadlineNs);
  }
  static Napi::Value toJs(Napi::Env env, const ReplicatedFacts& facts);

 private:
  ReplicatedTransfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the replicated transfer is closed");
    return *transfer;
  }
};

const HandleKind<OpenedReplicated> kReplicatedKind{{0x7261696c72756e6eULL, 0x65725265706c0001ULL},
                                                   "a NativeReplicated"};

Tier tierOf(const std::string& name) {
  for (const Tier tier : {Tier::kDevice, Tier::kHost, Tier::kDisk}) {
    if (name == tierName(tier)) return tier;
  }
  throw argumentError("sourceTier", "\"device\", \"host\" or \"disk\"");
}

// The request of JavaScript; pools and communicator are put in on the worker thread.
ReplicatedRequest requireRequest(const Napi::Object& object, const std::vector<int>& nodeOfRank) {
  ReplicatedRequest request;
  request.strategy = replicatedStrategyOf(requireString(object, "strategy"));
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
  request.faults = requireFaults(object);
  return request;
}

Napi::Value OpenedReplicated::toJs(Napi::Env env, const ReplicatedFacts& facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("numChunks", static_cast<double>(facts.numChunks));
  object.Set("numOperations", static_cast<double>(facts.numOperations));
  object.Set("strategyUsed", replicatedStrategyName(facts.strategyUsed));
  object.Set("diskIo", facts.diskIo);
  object.Set("networkTransport", facts.networkTransport);
  object.Set("handedOnBy", facts.handedOnBy);
  object.Set("overlapPct", facts.overlapPct < 0 ? env.Null() : Napi::Number::New(env, facts.overlapPct));
  return object;
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
    return runOnWorker(
        info.Env(),
        [state, request = std::move(request), deadlineNs]() mutable {
          if (state->source) request.source = &state->source->require();
          request.target = &state->target->require();
          if (state->communicator) request.communicator = &state->communicator->require();
          state->transfer = openReplicated(*state->exchange, processControl(), *state->device,
                                           std::move(request), deadlineNs);
        },
        [state](Napi::Env env) { return makeOperation<OpenedReplicated, kReplicatedKind>(env, state); });
  });
}

}  // namespace

ReplicatedStrategy replicatedStrategyOf(const std::string& name) {
  for (const ReplicatedStrategy strategy :
       {ReplicatedStrategy::kAuto, ReplicatedStrategy::kRootBroadcast, ReplicatedStrategy::kPipelined,
        ReplicatedStrategy::kScatterAllgather, ReplicatedStrategy::kIpc, ReplicatedStrategy::kIndependent}) {
    if (name == replicatedStrategyName(strategy)) return strategy;
  }
  throw argumentError("strategy", "a replicated strategy");
}

void addReplicatedMethods(Napi::Env env, Napi::Object device) {
  device.Set("openReplicated", Napi::Function::New(env, openReplicatedHandle, "openReplicated"));
}

}  // namespace railrunner::binding
