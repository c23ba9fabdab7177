#include "binding/arguments.h"
#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/kv_binding.h"
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
  static Napi::Value toJs(Napi::Env env, const RankTransferFacts& facts);
  void close(bool together, int64_t deadlineNs) {
    const std::unique_ptr<RankTransfer> closing = std::move(transfer);
    if (closing) closing->close(together ? exchange.get() : nullptr, deadlineNs);
  }
};

const HandleKind<OpenedRankTransfer> kRankTransferKind{{0x7261696c72756e6eULL, 0x657252616e6b0001ULL},
                                                       "a NativeRankTransfer"};

NetworkMemory requireNetworkMemory(const Napi::Object& options) {
  const std::string text = requireString(options, "networkMemory");
  if (text == "auto") return NetworkMemory::kAuto;
  if (text == "staged") return NetworkMemory::kStaged;
  if (text == "device") return NetworkMemory::kDevice;
  throw argumentError("networkMemory", "auto, staged or device");
}

Napi::Array requireArray(const Napi::Object& object, const char* name) {
  if (!object.Get(name).IsArray()) throw argumentError(name, "an array");
  return object.Get(name).As<Napi::Array>();
}

RankMove requireMove(const Napi::Object& object, uint32_t worldSize) {
  RankMove move;
  move.peer = static_cast<uint32_t>(requireInteger(object, "peer", 0, int64_t{worldSize} - 1));
  move.pages.sourcePages = requireBlockIds(object, "sourcePages");
  move.pages.targetPages = requireBlockIds(object, "targetPages");
  const Napi::Array heads = requireArray(object, "heads");
  for (uint32_t i = 0; i < heads.Length(); ++i) {
    const Napi::Object span = requireObject(heads.Get(i), "heads");
    move.pages.heads.push_back({requireUint32(span, "begin"), requireUint32(span, "end")});
  }
  return move;
}

// Pools are put in on the worker thread.
RankTransferOptions requireOptions(const Napi::Object& object, uint32_t worldSize) {
  RankTransferOptions options;
  const std::string op = requireString(object, "op");
  if (op != "read" && op != "write") throw argumentError("op", "\"read\" or \"write\"");
  options.op = op == "read" ? TransferOp::kRead : TransferOp::kWrite;
  const uint32_t layerBegin = requireUint32(object, "layerBegin");
  const uint32_t layerEnd = requireUint32(object, "layerEnd");
  const Napi::Array moves = requireArray(object, "moves");
  for (uint32_t i = 0; i < moves.Length(); ++i) {
    options.moves.push_back(requireMove(requireObject(moves.Get(i), "moves"), worldSize));
    options.moves.back().pages.layerBegin = layerBegin;
    options.moves.back().pages.layerEnd = layerEnd;
  }
  const Napi::Value over = object.Get("overNetwork");
  if (!over.IsTypedArray() || over.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
      over.As<Napi::Uint8Array>().ElementLength() != worldSize) {
    throw argumentError("overNetwork", "a Uint8Array with an entry for each rank");
  }
  const auto bytes = over.As<Napi::Uint8Array>();
  options.overNetwork.assign(bytes.Data(), bytes.Data() + bytes.ElementLength());
  options.maxConcurrentTransfers =
      static_cast<uint32_t>(requireInteger(object, "maxConcurrentTransfers", 1, 1024));
  options.threads = static_cast<uint32_t>(requireInteger(object, "threads", 1, 1024));
  options.maxCtas = static_cast<uint32_t>(requireInteger(object, "maxCtas", 1, 1024));
  options.networkMemory = requireNetworkMemory(object);
  options.bounceBytes =
      static_cast<uint64_t>(requireInteger(object, "bounceBytes", kMinBounceBytes, kMaxBounceBytes));
  options.demandedTransports = requireString(object, "demandedTransports");
  options.faults = requireFaults(object);
  return options;
}

Napi::Value OpenedRankTransfer::toJs(Napi::Env env, const RankTransferFacts& facts) {
  Napi::Object setup = Napi::Object::New(env);
  setup.Set("registerUs", facts.setup.registerUs);
  setup.Set("exportUs", facts.setup.exportUs);
  setup.Set("importUs", facts.setup.importUs);
  setup.Set("connectUs", facts.setup.connectUs);
  setup.Set("metadataBytes", static_cast<double>(facts.setup.metadataBytes));
  Napi::Array strategies = Napi::Array::New(env);
  for (const std::string& strategy : facts.strategies) strategies.Set(strategies.Length(), strategy);
  Napi::Object object = Napi::Object::New(env);
  object.Set("setup", setup);
  object.Set("numRegions", static_cast<double>(facts.numRegions));
  object.Set("numPieces", static_cast<double>(facts.numPieces));
  object.Set("strategies", strategies);
  object.Set("networkTransport", facts.networkTransport);
  object.Set("networkMemory", facts.networkMemory);
  return object;
}

// As measureOperation, and what was seen too early.
Napi::Value measureRankTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kRankTransferKind);
    const SampleProtocol protocol = requireProtocol(info[0]);
    return resolveWith(
        info.Env(), [state, protocol] { return state->measure(protocol); },
        [](Napi::Env env, const RankTransferSamples& samples) -> Napi::Value {
          Napi::Object object = toJs(env, samples.measured);
          object.Set("early", samples.early);
          return object;
        });
  });
}

Napi::Value openRankTransfer(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedRankTransfer>();
    state->device = requireDevice(info.This(), "this");
    state->world = requireWorld(info[0], "world");
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    const Napi::Object object = requireObject(info[1], "options");
    if (!object.Get("source").IsNull()) state->source = requirePool(object.Get("source"), "source");
    if (!object.Get("target").IsNull()) state->target = requirePool(object.Get("target"), "target");
    RankTransferOptions options =
        requireOptions(object, static_cast<uint32_t>(state->world->world->info().worldSize));
    const int64_t deadlineNs = requireDeadline(object.Get("timeoutMs"));
    return runOnWorker(
        info.Env(),
        [state, options = std::move(options), deadlineNs]() mutable {
          if (state->source) options.source = &state->source->require();
          if (state->target) options.target = &state->target->require();
          state->transfer = RankTransfer::open(*state->exchange, processControl(), *state->device,
                                               std::move(options), deadlineNs);
        },
        [state](Napi::Env env) -> Napi::Value {
          return makeHandle(env, state, kRankTransferKind,
                            {{"probe", probeOperation<OpenedRankTransfer, kRankTransferKind>},
                             {"measure", measureRankTransfer},
                             {"facts", factsOperation<OpenedRankTransfer, kRankTransferKind>},
                             {"close", closeOperation<OpenedRankTransfer, kRankTransferKind>}});
        });
  });
}

}  // namespace

void addRankTransferMethods(Napi::Env env, Napi::Object device) {
  device.Set("openRankTransfer", Napi::Function::New(env, openRankTransfer, "openRankTransfer"));
}

}  // namespace railrunner::binding
