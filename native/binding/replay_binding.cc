#include <map>

#include "binding/arguments.h"
#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/handle.h"
#include "binding/kv_binding.h"
#include "binding/operation.h"
#include "replay/replayer.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

// The state of a NativeReplay; members are released in reverse order.
struct OpenedReplay {
  std::shared_ptr<OpenedWorld> world;
  std::unique_ptr<WorldExchange> exchange;
  std::shared_ptr<Device> device;
  std::array<std::shared_ptr<OpenedPool>, 3> pools;  // null where this rank has no such tier
  std::shared_ptr<OpenedCommunicator> communicator;  // null but in replicated mode on cuda
  std::unique_ptr<Replayer> replayer;

  Replayer& require() const {
    if (!replayer) throw Error(ErrorCode::kState, "the replay is closed");
    return *replayer;
  }
};

const HandleKind<OpenedReplay> kReplayKind{{0x7261696c72756e6eULL, 0x65725265706c6179ULL}, "a NativeReplay"};

constexpr std::array<const char*, 3> kTierNames{"device", "host", "disk"};

Pacing pacingOf(const std::string& name) {
  static const std::map<std::string, Pacing> kPacings{
      {"asFastAsPossible", Pacing::kNone}, {"recorded", Pacing::kRecorded}, {"sessions", Pacing::kSessions}};
  const auto found = kPacings.find(name);
  if (found == kPacings.end()) throw argumentError("pacing", "asFastAsPossible, recorded or sessions");
  return found->second;
}

template <class Array>
Array requireTyped(const Napi::Object& object, const char* name, napi_typedarray_type type) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw argumentError(name, "a typed array of its kind");
  return value.As<Array>();
}

MoveWindow requireWindow(const Napi::Value& value) {
  const Napi::Object object = requireObject(value, "window");
  MoveWindow window;
  window.firstRequest = requireInteger(object, "firstRequest", 0, int64_t{1} << 53);
  const auto due = requireTyped<Napi::Float64Array>(object, "dueUs", napi_float64_array);
  const auto delay = requireTyped<Napi::Float64Array>(object, "delayUs", napi_float64_array);
  const auto previous = requireTyped<Napi::Int32Array>(object, "previous", napi_int32_array);
  if (delay.ElementLength() != due.ElementLength() || previous.ElementLength() != due.ElementLength())
    throw argumentError("window", "as many delays and previous requests as due times");
  for (size_t i = 0; i < due.ElementLength(); ++i) {
    if (!(due[i] >= 0) || !std::isfinite(due[i]) || !std::isfinite(delay[i]))
      throw argumentError("dueUs", "finite times from 0");
    window.arrivals.push_back({due[i], previous[i], delay[i]});
  }
  window.counts = requireBlockIds(object, "counts");
  const std::vector<uint32_t> source = requireBlockIds(object, "source");
  const std::vector<uint32_t> target = requireBlockIds(object, "target");
  const auto content = requireTyped<Napi::Uint32Array>(object, "content", napi_uint32_array);
  if (source.size() != target.size() || content.ElementLength() != 2 * source.size())
    throw argumentError("window", "a source, a target and two words of content for each move");
  window.moves.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i)
    window.moves.push_back({source[i], target[i], (uint64_t{content[2 * i + 1]} << 32) | content[2 * i]});
  return window;
}

Napi::Float64Array toArray(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Array directionsOf(Napi::Env env, const WindowResult& result) {
  Napi::Array array = Napi::Array::New(env);
  for (size_t i = 0; i < kDirections.size(); ++i) {
    const DirectionTotals& totals = result.directions[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("direction", std::string(tierName(kDirections[i].from)) + "->" + tierName(kDirections[i].to));
    object.Set("slots", static_cast<double>(totals.slots));
    object.Set("busyUs", totals.busyUs);
    object.Set("bytes", toJs(env, totals.bytes));
    array.Set(static_cast<uint32_t>(i), object);
  }
  return array;
}

Napi::Object toObject(Napi::Env env, const WindowResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("dueUs", toArray(env, result.dueUs));
  object.Set("beginUs", toArray(env, result.beginUs));
  object.Set("loadedUs", toArray(env, result.loadedUs));
  object.Set("endUs", toArray(env, result.endUs));
  object.Set("stallUs", toArray(env, result.stallUs));
  object.Set("directions", directionsOf(env, result));
  object.Set("hits", static_cast<double>(result.hits));
  object.Set("fills", static_cast<double>(result.fills));
  object.Set("failedLoads", static_cast<double>(result.failedLoads));
  Napi::Array failed = Napi::Array::New(env);
  for (const FailedSlot& slot : result.failedSlots) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("tier", tierName(slot.tier));
    entry.Set("slot", slot.slot);
    failed.Set(failed.Length(), entry);
  }
  object.Set("failedSlots", failed);
  object.Set("firstFailure", result.firstFailure);
  object.Set("check", checkObject(env, result.report));
  object.Set("firstBadRequest", static_cast<double>(result.firstBadRequest));
  object.Set("firstBadSlot", result.firstBadSlot);
  object.Set("fillUs", result.fillUs);
  object.Set("checkUs", result.checkUs);
  object.Set("setUpUs", result.setUpUs);
  object.Set("stopped", result.stopped);
  return object;
}

Napi::Value runReplay(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplayKind);
    auto window = std::make_shared<MoveWindow>(requireWindow(info[0]));
    return resolveWith(
        info.Env(),
        [state, window] {
          return state->require().run(*window, GateRef(state->world->gate->gate()), processControl());
        },
        [](Napi::Env env, const WindowResult& result) { return toObject(env, result); });
  });
}

Napi::Value checkReplay(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplayKind);
    const Napi::Object object = requireObject(info[0], "content");
    const std::string name = requireString(object, "tier");
    const auto found = std::find(kTierNames.begin(), kTierNames.end(), name);
    if (found == kTierNames.end()) throw argumentError("tier", "\"device\", \"host\" or \"disk\"");
    const auto tier = static_cast<Tier>(found - kTierNames.begin());
    std::vector<uint32_t> slots = requireBlockIds(object, "slots");
    const auto words = requireTyped<Napi::Uint32Array>(object, "content", napi_uint32_array);
    if (words.ElementLength() != 2 * slots.size()) throw argumentError("content", "two words for each slot");
    std::vector<uint64_t> contents;
    for (size_t i = 0; i < slots.size(); ++i)
      contents.push_back((uint64_t{words[2 * i + 1]} << 32) | words[2 * i]);
    return resolveWith(
        info.Env(),
        [state, tier, slots = std::move(slots), contents = std::move(contents)] {
          return state->require().checkAll(tier, slots, contents, processControl());
        },
        [](Napi::Env env, const CheckReport& report) -> Napi::Value { return checkObject(env, report); });
  });
}

struct ReplayFacts {
  std::string strategyUsed, diskIo, networkTransport;
};

Napi::Value replayFacts(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplayKind);
    return resolveWith(
        info.Env(),
        [state] {
          const Replayer& replayer = state->require();
          return ReplayFacts{replayer.strategyUsed(), replayer.diskIo(), replayer.networkTransport()};
        },
        [](Napi::Env env, const ReplayFacts& facts) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("strategyUsed", facts.strategyUsed);
          object.Set("diskIo", facts.diskIo);
          object.Set("networkTransport", facts.networkTransport);
          return object;
        });
  });
}

Napi::Value closeReplay(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kReplayKind);
    if (!info[0].IsBoolean()) throw argumentError("together", "a boolean");
    const bool together = info[0].As<Napi::Boolean>().Value();
    const int64_t deadlineNs = requireDeadline(info[1]);
    return runOnWorker(info.Env(), [state, together, deadlineNs] {
      const std::unique_ptr<Replayer> closing = std::move(state->replayer);
      if (closing) closing->close(together, deadlineNs);
    });
  });
}

ReplayOptions requireReplayOptions(const Napi::Object& object) {
  ReplayOptions options;
  options.blocksPerSlot = requireUint32(object, "blocksPerSlot");
  const std::vector<uint32_t> slots = requireSectionBlocks(object, "slots");
  if (slots.size() != options.slots.size()) throw argumentError("slots", "those of device, host and disk");
  std::copy(slots.begin(), slots.end(), options.slots.begin());
  options.seed = requireSize(object, "seed");
  options.owner = requireUint32(object, "owner");
  options.pacing = pacingOf(requireString(object, "pacing"));
  const std::string check = requireString(object, "check");
  options.wordStep = check == "full" ? kCheckAllWords : check == "sample" ? kCheckSampledWords : 0;
  options.copies = requireTransferOptions(requireObject(object.Get("copies"), "copies"));
  options.faults = requireFaults(object);
  return options;
}

// Of host and disk; pools and communicator are put in on the worker thread.
std::array<ReplicatedRequest, 2> requireShared(const Napi::Object& shared, const ReplayOptions& options,
                                               const std::vector<int>& nodeOfRank) {
  std::array<ReplicatedRequest, 2> requests;
  for (const Tier tier : {Tier::kHost, Tier::kDisk}) {
    ReplicatedRequest& request = requests[tier == Tier::kHost ? 0 : 1];
    const Napi::Object source =
        requireObject(shared.Get(tier == Tier::kHost ? "host" : "disk"), "shared tier");
    const Napi::Object target = requireObject(shared.Get("device"), "shared tier");
    request.strategy = replicatedStrategyOf(requireString(shared, "strategy"));
    request.root =
        static_cast<int>(requireInteger(shared, "root", 0, static_cast<int64_t>(nodeOfRank.size()) - 1));
    request.sourceTier = tier;
    request.sourceShape = requireLayout(source, "layout");
    request.sourceBlocks = requireSectionBlocks(source, "sectionBlocks");
    request.targetShape = requireLayout(target, "layout");
    request.targetBlocks = requireSectionBlocks(target, "sectionBlocks");
    request.nodeOfRank = nodeOfRank;
    request.options = options.copies;
    request.options.strategy = Strategy::kAuto;
  }
  return requests;
}

Napi::Value openReplay(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedReplay>();
    state->device = requireDevice(info.This(), "this");
    state->world = requireWorld(info[0], "world");
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    const Napi::Object object = requireObject(info[1], "options");
    const Napi::Object pools = requireObject(object.Get("pools"), "pools");
    for (size_t tier = 0; tier < kTierNames.size(); ++tier) {
      const Napi::Value pool = pools.Get(kTierNames[tier]);
      if (!pool.IsNull()) state->pools[tier] = requirePool(pool, kTierNames[tier]);
    }
    ReplayOptions options = requireReplayOptions(object);
    const bool isShared = !object.Get("shared").IsNull();
    std::array<ReplicatedRequest, 2> requests;
    if (isShared) {
      const Napi::Object shared = requireObject(object.Get("shared"), "shared");
      requests = requireShared(shared, options, state->world->world->info().nodeOfRank);
      if (!shared.Get("communicator").IsNull())
        state->communicator = requireCommunicator(shared.Get("communicator"), "communicator");
    }
    return runOnWorker(
        info.Env(),
        [state, isShared, options = std::move(options), requests = std::move(requests)]() mutable {
          for (size_t tier = 0; tier < kTierNames.size(); ++tier) {
            if (state->pools[tier]) options.pools[tier] = &state->pools[tier]->require();
          }
          std::unique_ptr<SharedLoads> shared;
          if (isShared) {
            for (size_t i = 0; i < requests.size(); ++i) {
              requests[i].source = options.pools[i + 1];
              requests[i].target = options.pools[0];
              requests[i].layerEnd = options.pools[0]->layout().numLayers;
              if (state->communicator) requests[i].communicator = &state->communicator->require();
            }
            shared = std::make_unique<SharedLoads>(*state->exchange, *state->device, std::move(requests));
          }
          state->replayer = std::make_unique<Replayer>(*state->device, std::move(options), std::move(shared),
                                                       processControl());
        },
        [state](Napi::Env env) -> Napi::Value {
          return makeHandle(
              env, state, kReplayKind,
              {{"run", runReplay}, {"check", checkReplay}, {"facts", replayFacts}, {"close", closeReplay}});
        });
  });
}

}  // namespace

void addReplayMethods(Napi::Env env, Napi::Object device) {
  device.Set("openReplay", Napi::Function::New(env, openReplay, "openReplay"));
}

}  // namespace railrunner::binding
