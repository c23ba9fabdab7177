#include <algorithm>

#include "binding/device_binding.h"
#include "binding/kv_binding.h"
#include "binding/methods.h"
#include "binding/operation.h"
#include "transfer/rank_transfer.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

// The state of a NativeRankTransfer; members are released in reverse order.
struct OpenedRankTransfer {
  std::shared_ptr<OpenedWorld> world;
  std::unique_ptr<WorldExchange> exchange;
  std::shared_ptr<Device> device;
  std::shared_ptr<OpenedPool> source, target;  // null where this rank has none
  std::unique_ptr<RankTransfer> transfer;

  RankTransfer& require() const {
    if (!transfer) throw Error(ErrorCode::kState, "the transfer between ranks is closed");
    return *transfer;
  }
  GateRef gate() const { return GateRef(world->gate->gate()); }
  ProbeResult probe() const { return require().probe(gate()); }
  RankTransferSamples measure(const SampleProtocol& protocol) const {
    return require().measure(gate(), protocol);
  }
  RankTransferFacts facts() const { return require().facts(); }
  static void write(Result& result, const RankTransferFacts& facts);
  static const HandleKind kKind;
  void close(bool together, int64_t deadlineNs) {
    const std::unique_ptr<RankTransfer> closing = std::move(transfer);
    if (closing) closing->close(together ? exchange.get() : nullptr, deadlineNs);
  }
};

// As measureOperation, and what was seen too early.
void measureRankTransfer(Call& call) {
  const auto state = call.self<OpenedRankTransfer>();
  const SampleProtocol protocol = readProtocol(call.object("samples"));
  call.resolves([state, protocol] { return state->measure(protocol); },
                [](Result& result, const RankTransferSamples& samples) {
                  writePhases(result, samples.measured);
                  result.set("early", samples.early);
                });
}

constexpr Method kMethods[] = {
    {"probe", probeOperation<OpenedRankTransfer>},
    {"measure", measureRankTransfer},
    {"facts", factsOperation<OpenedRankTransfer>},
    {"close", closeOperation<OpenedRankTransfer>},
};

const HandleKind OpenedRankTransfer::kKind{
    {0x7261696c72756e6eULL, 0x657252616e6b0001ULL}, "NativeRankTransfer", kMethods};

RankMove readMove(Arguments& object) {
  RankMove move;
  move.peer = object.uint32("peer");
  move.pages.sourcePages = readBlockIds(object, "sourcePages");
  move.pages.targetPages = readBlockIds(object, "targetPages");
  for (const auto& [begin, end] : object.objects("heads", [](Arguments& span) {
         const uint32_t first = span.uint32("begin");
         return std::pair(first, span.uint32("end"));
       })) {
    move.pages.heads.push_back({begin, end});
  }
  return move;
}

// Pools are put in on the worker thread.
RankTransferOptions readOptions(Arguments& object) {
  static const Choices<TransferOp> kOps{{"read", TransferOp::kRead}, {"write", TransferOp::kWrite}};
  static const Choices<NetworkMemory> kMemories{
      {"auto", NetworkMemory::kAuto}, {"staged", NetworkMemory::kStaged}, {"device", NetworkMemory::kDevice}};
  RankTransferOptions options;
  options.op = object.choice("op", kOps);
  options.moves = object.objects("moves", readMove);
  const uint32_t layerBegin = object.uint32("layerBegin");
  const uint32_t layerEnd = object.uint32("layerEnd");
  for (RankMove& move : options.moves) {
    move.pages.layerBegin = layerBegin;
    move.pages.layerEnd = layerEnd;
  }
  options.overNetwork = object.typed<uint8_t>("overNetwork");
  options.maxConcurrentTransfers = static_cast<uint32_t>(object.integer("maxConcurrentTransfers", 1, 1024));
  options.threads = static_cast<uint32_t>(object.integer("threads", 1, 1024));
  options.maxCtas = static_cast<uint32_t>(object.integer("maxCtas", 1, 1024));
  options.networkMemory = object.choice("networkMemory", kMemories);
  options.bounceBytes =
      static_cast<uint64_t>(object.integer("bounceBytes", kMinBounceBytes, kMaxBounceBytes));
  options.demandedTransports = object.text("demandedTransports");
  options.faults = readFaults(object);
  return options;
}

void requireRanks(const RankTransferOptions& options, uint32_t worldSize) {
  const auto isRank = [&](const RankMove& move) { return move.peer < worldSize; };
  if (!std::all_of(options.moves.begin(), options.moves.end(), isRank)) throw argumentError("peer", "a rank");
  if (options.overNetwork.size() != worldSize) {
    throw argumentError("overNetwork", "a Uint8Array with an entry for each rank");
  }
}

void writeSetup(Result& result, const RankTransferSetup& setup) {
  result.set("registerUs", setup.registerUs);
  result.set("exportUs", setup.exportUs);
  result.set("importUs", setup.importUs);
  result.set("connectUs", setup.connectUs);
  result.set("metadataBytes", setup.metadataBytes);
}

void OpenedRankTransfer::write(Result& result, const RankTransferFacts& facts) {
  result.setObject("setup", facts.setup, writeSetup);
  result.set("numRegions", facts.numRegions);
  result.set("numPieces", facts.numPieces);
  result.set("strategies", facts.strategies);
  result.set("networkTransport", facts.networkTransport);
  result.set("networkMemory", facts.networkMemory);
}

}  // namespace

void methods::openRankTransfer(Call& call) {
  auto state = std::make_shared<OpenedRankTransfer>();
  state->device = deviceOf(call);
  state->world = call.handle<OpenedWorld>("world");
  Arguments asked = call.object("options");
  state->source = asked.handleOrNull<OpenedPool>("source");
  state->target = asked.handleOrNull<OpenedPool>("target");
  RankTransferOptions options = readOptions(asked);
  const int64_t deadlineNs = asked.deadlineNs();
  if (!call.isDescription()) {
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    requireRanks(options, static_cast<uint32_t>(state->world->world->info().worldSize));
  }
  resolveHandle(call, state, [state, options, deadlineNs]() mutable {
    if (state->source) options.source = &state->source->require();
    if (state->target) options.target = &state->target->require();
    state->transfer = RankTransfer::open(*state->exchange, processControl(), *state->device,
                                         std::move(options), deadlineNs);
  });
}

}  // namespace railrunner::binding
