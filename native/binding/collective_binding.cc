#include "binding/collective_binding.h"

#include "binding/arguments.h"
#include "binding/device_binding.h"
#include "binding/exports.h"
#include "binding/handle.h"
#include "binding/worker_thread.h"
#include "collective/nccl_config.h"
#include "core/clock.h"

namespace railrunner::binding {

namespace {

const HandleKind<OpenedCommunicator> kCommunicatorKind{{0x7261696c72756e6eULL, 0x6572436f6d6d0001ULL},
                                                       "a NativeCommunicator"};

std::vector<std::string> requireCandidates(const Napi::Value& value) {
  if (!value.IsArray()) throw argumentError("libraries", "an array of paths and names");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> candidates;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value candidate = array.Get(i);
    if (!candidate.IsString()) throw argumentError("libraries", "an array of paths and names");
    candidates.push_back(candidate.As<Napi::String>().Utf8Value());
  }
  return candidates;
}

Napi::Value probeNccl(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto candidates = requireCandidates(info[0]);
    auto library = std::make_shared<std::shared_ptr<const NcclLibrary>>();
    return runOnWorker(
        info.Env(),
        [candidates = std::move(candidates), library] { *library = NcclLibrary::open(candidates); },
        [library](Napi::Env env) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("version", ncclVersionText((*library)->version()));
          object.Set("path", (*library)->path());
          return object;
        });
  });
}

Napi::Value createRecord(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto candidates = requireCandidates(info[0]);
    const auto worldSize = static_cast<int>(requireInteger(info[1], "worldSize", 1, INT32_MAX));
    auto bytes = std::make_shared<std::array<uint8_t, BootstrapRecord::kBytes>>();
    return runOnWorker(
        info.Env(),
        [candidates = std::move(candidates), worldSize, bytes] {
          *bytes = encodeRecord(NcclLibrary::open(candidates)->makeRecord(worldSize));
        },
        [bytes](Napi::Env env) -> Napi::Value {
          return Napi::Buffer<uint8_t>::Copy(env, bytes->data(), bytes->size());
        });
  });
}

Napi::Value closeCommunicator(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kCommunicatorKind);
    const int64_t deadlineNs = requireDeadline(info[0]);
    return runOnWorker(info.Env(), [state, deadlineNs] {
      if (state->communicator) state->communicator->close(deadlineNs);
      state->communicator.reset();
    });
  });
}

Napi::Value abandonCommunicator(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kCommunicatorKind);
    return runOnWorker(info.Env(), [state] {
      // It stays, closed: a transfer that is still open refers to it, and so does its last call.
      if (state->communicator) state->communicator->giveUp();
    });
  });
}

Napi::Value communicatorHandle(Napi::Env env, const std::shared_ptr<OpenedCommunicator>& state) {
  Napi::Object object = makeHandle(env, state, kCommunicatorKind,
                                   {{"close", closeCommunicator}, {"abandon", abandonCommunicator}});
  object.Set("version", ncclVersionText(state->communicator->library().version()));
  object.Set("path", state->communicator->library().path());
  return object;
}

Napi::Value openCommunicator(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = std::make_shared<OpenedCommunicator>();
    state->device = requireDevice(info.This(), "this");
    const Napi::Object object = requireObject(info[0], "options");
    auto candidates = requireCandidates(object.Get("libraries"));
    const Napi::Value record = object.Get("record");
    if (!record.IsTypedArray() || record.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw argumentError("record", "a Uint8Array");
    }
    const auto view = record.As<Napi::Uint8Array>();
    std::vector<uint8_t> bytes(view.Data(), view.Data() + view.ByteLength());
    const auto worldSize = static_cast<int32_t>(requireInteger(object, "worldSize", 1, INT32_MAX));
    CommunicatorOptions options;
    options.rank = static_cast<int>(requireInteger(object, "rank", 0, INT32_MAX));
    const auto maxCtas = static_cast<int>(requireInteger(object, "maxCtas", 0, 1024));
    if (maxCtas > 0) options.maxCtas = maxCtas;
    options.deadlineNs = requireDeadline(object.Get("timeoutMs"));
    return runOnWorker(
        info.Env(),
        [state, candidates = std::move(candidates), bytes = std::move(bytes), worldSize, options] {
          auto library = NcclLibrary::open(candidates);
          const BootstrapRecord decoded = decodeRecord(bytes, worldSize);
          state->communicator = Communicator::open(std::move(library), decoded, options, processControl());
        },
        [state](Napi::Env env) { return communicatorHandle(env, state); });
  });
}

}  // namespace

Communicator& OpenedCommunicator::require() const {
  if (!communicator || !communicator->isOpen()) throw Error(ErrorCode::kState, "the communicator is closed");
  return *communicator;
}

std::shared_ptr<OpenedCommunicator> requireCommunicator(const Napi::Value& value, const char* name) {
  return requireState(value, name, kCommunicatorKind);
}

void addCollectiveMethods(Napi::Env env, Napi::Object device) {
  device.Set("openCommunicator", Napi::Function::New(env, openCommunicator, "openCommunicator"));
}

void exportCollective(Napi::Env env, Napi::Object exports) {
  exports.Set("probeNccl", Napi::Function::New(env, probeNccl, "probeNccl"));
  exports.Set("createNcclRecord", Napi::Function::New(env, createRecord, "createNcclRecord"));
}

}  // namespace railrunner::binding
