#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "binding/arguments.h"
#include "binding/device_binding.h"
#include "binding/operation.h"
#include "core/clock.h"
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
  static Napi::Value toJs(Napi::Env env, const moe::BenchFacts& use);

 private:
  moe::Bench& require() const {
    if (!bench) throw Error(ErrorCode::kState, "the MoE point is closed");
    return *bench;
  }
};

const HandleKind<OpenedMoe> kMoeKind{{0x7261696c72756e6eULL, 0x65724d6f65507401ULL}, "a NativeMoe"};

template <class T, class TypedArray>
std::vector<T> requireArray(const Napi::Object& object, const char* name, napi_typedarray_type type,
                            const char* expected) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw argumentError(name, expected);
  }
  const auto array = value.As<TypedArray>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

moe::Shape shapeOf(const Napi::Object& object, uint32_t worldSize) {
  moe::Shape shape;
  shape.worldSize = worldSize;
  shape.numExperts = requireUint32(object, "numExperts");
  shape.numTopk = requireUint32(object, "numTopk");
  shape.hidden = requireUint32(object, "hidden");
  shape.maxDispatchTokensPerRank = requireUint32(object, "maxDispatchTokensPerRank");
  const std::string dtype = requireString(object, "dispatchDtype");
  if (dtype != "bf16" && dtype != "fp8_e4m3") throw argumentError("dispatchDtype", "bf16 or fp8_e4m3");
  shape.payload = dtype == "bf16" ? moe::DispatchDtype::kBf16 : moe::DispatchDtype::kFp8E4m3;
  shape.roundScale = requireBoolean(object, "roundScale");
  shape.dedup = requireBoolean(object, "dedup");
  const std::string layout = requireString(object, "outputLayout");
  if (layout != "expertMajor" && layout != "rankMajor")
    throw argumentError("outputLayout", "expertMajor or rankMajor");
  shape.outputLayout =
      layout == "expertMajor" ? moe::OutputLayout::kExpertMajor : moe::OutputLayout::kRankMajor;
  shape.zeroCopy = requireBoolean(object, "zeroCopy");
  return shape;
}

// `highThroughput`: null for low latency.
std::optional<moe::high_throughput::Options> highThroughputOf(const Napi::Object& options) {
  using namespace moe::high_throughput;
  if (options.Get("highThroughput").IsNull()) return std::nullopt;
  const Napi::Object object = requireObject(options.Get("highThroughput"), "highThroughput");
  Options asked;
  const std::string strategy = requireString(object, "strategy");
  if (strategy != "sparse" && strategy != "allGather") throw argumentError("strategy", "sparse or allGather");
  asked.strategy = strategy == "sparse" ? Strategy::kSparse : Strategy::kAllGather;
  asked.expertAlignment = requireUint32(object, "expertAlignment");
  asked.reuseLayout = requireBoolean(object, "reuseLayout");
  asked.weighted = requireBoolean(object, "weighted");
  asked.numProcessors = requireUint32(object, "smCount");
  const Napi::Value rows = object.Get("receiveRows");
  if (rows.IsNumber()) {
    asked.receive = Receive::kFixed;
    asked.fixedRows = requireSize(object, "receiveRows");
    return asked;
  }
  const std::string receive = requireString(object, "receiveRows");
  if (receive != "exact" && receive != "worstCase") {
    throw argumentError("receiveRows", "exact, worstCase or a number of rows");
  }
  asked.receive = receive == "exact" ? Receive::kExact : Receive::kWorstCase;
  return asked;
}

moe::BenchOptions optionsOf(const Napi::Object& object, const World& world) {
  moe::BenchOptions options;
  options.shape = shapeOf(object, static_cast<uint32_t>(world.info().worldSize));
  options.seed = requireUint32(object, "seed");
  options.overNetwork =
      requireArray<uint8_t, Napi::Uint8Array>(object, "overNetwork", napi_uint8_array, "a Uint8Array");
  options.nodeOfRank =
      requireArray<uint32_t, Napi::Uint32Array>(object, "nodeOfRank", napi_uint32_array, "a Uint32Array");
  options.numProxies = requireUint32(object, "numProxies");
  options.split = requireBoolean(object, "split");
  options.highThroughput = highThroughputOf(object);
  const InjectedFaults faults = requireFaults(object);
  options.seam.silentFromEpoch = faults.at(FaultKind::kSilence).value_or(0);
  options.seam.corruptFromEpoch = faults.at(FaultKind::kCorrupt).value_or(0);
  return options;
}

template <class TypedArray, class T>
TypedArray copyOf(Napi::Env env, const std::vector<T>& values) {
  TypedArray array = TypedArray::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

Napi::Value OpenedMoe::toJs(Napi::Env env, const moe::BenchFacts& use) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("networkTransport", use.transport);
  object.Set("networkMemory", use.memory);
  object.Set("strategy", use.strategy);
  object.Set("processors", use.processors);
  object.Set("dispatchFirstUs", use.dispatchFirstUs);
  object.Set("combineFirstUs", use.combineFirstUs);
  return object;
}

Napi::Value ratesObject(Napi::Env env, const moe::ProbeRates& rates) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ipcGBps", rates.ipcGBps);
  object.Set("networkGBps", rates.networkGBps);
  object.Set("stopped", rates.stopped);
  return object;
}

Napi::Value resultsObject(Napi::Env env, const moe::BenchResults& results) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("salt", results.salt);
  object.Set("count", copyOf<Napi::Int32Array>(env, results.count));
  object.Set("layoutRange", copyOf<Napi::BigUint64Array>(env, results.layoutRange));
  object.Set("sourceToken", copyOf<Napi::Int32Array>(env, results.sourceToken));
  object.Set("x", copyOf<Napi::Uint8Array>(env, results.x));
  object.Set("scales", copyOf<Napi::Float32Array>(env, results.scales));
  object.Set("guard", copyOf<Napi::Uint8Array>(env, results.guard));
  object.Set("combined", copyOf<Napi::Uint16Array>(env, results.combined));
  object.Set("expertBegin", copyOf<Napi::Int32Array>(env, results.expertBegin));
  object.Set("sourceBegin", copyOf<Napi::Int32Array>(env, results.sourceBegin));
  object.Set("rowToken", copyOf<Napi::Int32Array>(env, results.rowToken));
  object.Set("tokenRow", copyOf<Napi::Int32Array>(env, results.tokenRow));
  object.Set("tokenExpert", copyOf<Napi::Int32Array>(env, results.tokenExpert));
  object.Set("tokenWeight", copyOf<Napi::Float32Array>(env, results.tokenWeight));
  return object;
}

moe::ProbeRequest probeRequestOf(const Napi::Object& object) {
  moe::ProbeRequest request;
  for (const double bytes :
       requireArray<double, Napi::Float64Array>(object, "bytesTo", napi_float64_array, "a Float64Array")) {
    if (!(bytes >= 0 && bytes < 9007199254740992.0)) throw argumentError("bytesTo", "sizes in bytes");
    request.bytesTo.push_back(static_cast<uint64_t>(bytes));
  }
  request.repeats = requireUint32(object, "repeats");
  request.sourceBytes = requireSize(object, "sourceBytes");
  return request;
}

// By path, and for the bytes of one call: the one probe that asks for more than the operation knows.
Napi::Value probe(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto opened = requireState(info.This(), "this", kMoeKind);
    const moe::ProbeRequest request = probeRequestOf(requireObject(info[0], "request"));
    const int64_t deadlineNs = requireDeadline(info[1]);
    return resolveWith(
        info.Env(), [opened, request, deadlineNs] { return opened->probe(request, deadlineNs); },
        ratesObject);
  });
}

Napi::Value results(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto opened = requireState(info.This(), "this", kMoeKind);
    return resolveWith(
        info.Env(), [opened] { return opened->results(); }, resultsObject);
  });
}

Napi::Value moeHandle(Napi::Env env, const std::shared_ptr<OpenedMoe>& opened) {
  return makeHandle(env, opened, kMoeKind,
                    {{"probe", probe},
                     {"measure", measureOperation<OpenedMoe, kMoeKind>},
                     {"facts", factsOperation<OpenedMoe, kMoeKind>},
                     {"results", results},
                     {"close", closeOperation<OpenedMoe, kMoeKind>}});
}

Napi::Value openMoe(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto opened = std::make_shared<OpenedMoe>();
    opened->device = requireDevice(info.This(), "this");
    opened->world = requireWorld(info[0], "world");
    const Napi::Object object = requireObject(info[1], "options");
    const moe::BenchOptions options = optionsOf(object, *opened->world->world);
    moe::Routing routing;
    routing.topkIdx =
        requireArray<int32_t, Napi::Int32Array>(object, "topkIdx", napi_int32_array, "an Int32Array");
    routing.topkWeights =
        requireArray<float, Napi::Float32Array>(object, "topkWeights", napi_float32_array, "a Float32Array");
    routing.numTokens = requireUint32(object, "numTokens");
    const int64_t deadlineNs = requireDeadline(object.Get("timeoutMs"));
    return runOnWorker(
        info.Env(),
        [opened, options, routing, deadlineNs] {
          WorldExchange exchange(*opened->world->world);
          opened->bench = moe::openBench(exchange, *opened->device, opened->world->world->control(), options,
                                         routing, deadlineNs);
        },
        [opened](Napi::Env env) { return moeHandle(env, opened); });
  });
}

}  // namespace

void addMoeMethods(Napi::Env env, Napi::Object device) {
  device.Set("openMoe", Napi::Function::New(env, openMoe, "openMoe"));
}

}  // namespace railrunner::binding
