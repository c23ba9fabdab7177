#include <memory>

#include "binding/arguments.h"
#include "binding/exports.h"
#include "binding/napi_setup.h"
#include "binding/worker_thread.h"
#include "storage/byte_lock.h"
#include "storage/probe.h"

namespace railrunner::binding {

namespace {

const char* directName(DirectIo kind) {
  switch (kind) {
    case DirectIo::kDirect:
      return "direct";
    case DirectIo::kUnconfirmed:
      return "unconfirmed";
    case DirectIo::kBuffered:
      return "buffered";
  }
  return "buffered";
}

Napi::Value toJs(Napi::Env env, const StorageProbe& probe) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("direct", directName(probe.direct.kind));
  object.Set("directReason", probe.direct.reason);
  object.Set("alignmentBytes", probe.direct.alignmentBytes);
  object.Set("ringRefusal", probe.ringRefusal);
  object.Set("diskIo", probe.diskIo);
  return object;
}

// probeStorage(folder: string, queueDepth: number)
Napi::Value probe(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (!info[0].IsString()) throw argumentError("folder", "a string");
    const std::string folder = info[0].As<Napi::String>().Utf8Value();
    const auto queueDepth = static_cast<uint32_t>(requireInteger(info[1], "queueDepth", 1, 4096));
    auto found = std::make_shared<StorageProbe>();
    return runOnWorker(
        info.Env(), [found, folder, queueDepth] { *found = probeStorage(folder, queueDepth); },
        [found](Napi::Env env) { return toJs(env, *found); });
  });
}

const char* lockName(ByteLock lock) {
  switch (lock) {
    case ByteLock::kHeld:
      return "held";
    case ByteLock::kTaken:
      return "taken";
    case ByteLock::kUnsupported:
      return "unsupported";
  }
  return "unsupported";
}

// lockByte(path: string, offset: number)
Napi::Value lock(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (!info[0].IsString()) throw argumentError("path", "a string");
    const std::string path = info[0].As<Napi::String>().Utf8Value();
    const auto offset = static_cast<uint64_t>(requireInteger(info[1], "offset", 0, int64_t{1} << 53));
    auto found = std::make_shared<ByteLock>(ByteLock::kUnsupported);
    return runOnWorker(
        info.Env(), [found, path, offset] { *found = lockByte(path, offset); },
        [found](Napi::Env env) -> Napi::Value { return Napi::String::New(env, lockName(*found)); });
  });
}

}  // namespace

void exportStorage(Napi::Env env, Napi::Object exports) {
  exports.Set("lockByte", Napi::Function::New(env, lock, "lockByte"));
  exports.Set("probeStorage", Napi::Function::New(env, probe, "probeStorage"));
}

}  // namespace railrunner::binding
