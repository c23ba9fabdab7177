#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/kv_binding.h"
#include "binding/methods.h"
#include "binding/operation.h"
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
  static void write(Result& result, const ReplicatedFacts& facts);
  static const HandleKind kKind;

 private:
  ReplicatedTransfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the replicated transfer is closed");
    return *transfer;
  }
};

constexpr Method kMethods[] = {
    {"probe", probeOperation<OpenedReplicated>},
    {"measure", measureOperation<OpenedReplicated>},
    {"facts", factsOperation<OpenedReplicated>},
    {"close", closeOperation<OpenedReplicated>},
};

const HandleKind OpenedReplicated::kKind{
    {0x7261696c72756e6eULL, 0x65725265706c0001ULL}, "NativeReplicated", kMethods};

// The request of JavaScript; pools, communicator and nodes are put in where they are known.
ReplicatedRequest readRequest(Arguments& object) {
  ReplicatedRequest request;
  request.strategy = readReplicatedStrategy(object);
  request.root = static_cast<int>(object.integer("root", 0, INT32_MAX));
  request.sourceTier = readTier(object, "sourceTier");
  request.sourceShape = readLayout(object, "sourceLayout");
  request.sourceBlocks = readUint32s(object, "sourceBlocks");
  request.targetShape = readLayout(object, "targetLayout");
  request.targetBlocks = readUint32s(object, "targetBlocks");
  request.sourceIds = readBlockIds(object, "sourceIds");
  request.targetIds = readBlockIds(object, "targetIds");
  request.layerBegin = object.uint32("layerBegin");
  request.layerEnd = object.uint32("layerEnd");
  Arguments loads = object.object("loads");
  request.options = readTransferOptions(loads);
  request.faults = readFaults(object);
  return request;
}

void OpenedReplicated::write(Result& result, const ReplicatedFacts& facts) {
  const bool overlaps = facts.overlapPct >= 0;
  result.set("numChunks", facts.numChunks);
  result.set("numOperations", facts.numOperations);
  result.set("strategyUsed", replicatedStrategyName(facts.strategyUsed));
  result.set("diskIo", facts.diskIo);
  result.set("networkTransport", facts.networkTransport);
  result.set("handedOnBy", facts.handedOnBy);
  result.set("overlapPct", overlaps ? std::optional(facts.overlapPct) : std::nullopt);
}

}  // namespace

void methods::openReplicated(Call& call) {
  auto state = std::make_shared<OpenedReplicated>();
  state->device = deviceOf(call);
  state->world = call.handle<OpenedWorld>("world");
  Arguments options = call.object("options");
  state->source = options.handleOrNull<OpenedPool>("source");
  state->target = options.handle<OpenedPool>("target");
  state->communicator = options.handleOrNull<OpenedCommunicator>("communicator");
  ReplicatedRequest request = readRequest(options);
  const int64_t deadlineNs = options.deadlineNs();
  if (!call.isDescription()) {
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    request.nodeOfRank = state->world->world->info().nodeOfRank;
    options.expect(static_cast<size_t>(request.root) < request.nodeOfRank.size(), "root", "a rank");
  }
  resolveHandle(call, state, [state, request, deadlineNs]() mutable {
    if (state->source) request.source = &state->source->require();
    request.target = &state->target->require();
    if (state->communicator) request.communicator = &state->communicator->require();
    state->transfer = railrunner::openReplicated(*state->exchange, processControl(), *state->device,
                                                 std::move(request), deadlineNs);
  });
}

ReplicatedStrategy readReplicatedStrategy(Arguments& options) {
  using enum ReplicatedStrategy;
  static const Choices<ReplicatedStrategy> kStrategies = namedChoices<ReplicatedStrategy>(
      std::initializer_list<ReplicatedStrategy>{kAuto, kRootBroadcast, kPipelined, kScatterAllgather, kIpc,
                                                kIndependent},
      replicatedStrategyName);
  return options.choice("strategy", kStrategies);
}

}  // namespace railrunner::binding
