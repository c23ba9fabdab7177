#include <memory>

#include "binding/arguments.h"
#include "binding/exports.h"
#include "binding/napi_setup.h"
#include "binding/worker_thread.h"
#include "network/network.h"
#include "network/ucx_settings.h"

namespace railrunner::binding {

namespace {

Napi::Value toJs(Napi::Env env, const NetworkProbe& probe) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("available", probe.available);
  result.Set("version", probe.version);
  Napi::Array transports = Napi::Array::New(env, probe.transports.size());
  for (uint32_t i = 0; i < probe.transports.size(); ++i) transports.Set(i, probe.transports[i]);
  result.Set("transports", transports);
  result.Set("cudaMemory", probe.cudaMemory);
  result.Set("reason", probe.reason);
  return result;
}

// Off the main thread: UCX looks at every device of the machine.
Napi::Value probe(const Napi::CallbackInfo& info) {
  auto found = std::make_shared<NetworkProbe>();
  return runOnWorker(
      info.Env(), [found] { *found = probeNetwork(); }, [found](Napi::Env env) { return toJs(env, *found); });
}

// setUcxVariables(named: string)
Napi::Value nameVariables(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (!info[0].IsString()) throw argumentError("named", "a string");
    setUcxVariables(info[0].As<Napi::String>().Utf8Value());
    return info.Env().Undefined();
  });
}

}  // namespace

void exportNetwork(Napi::Env env, Napi::Object exports) {
  exports.Set("setUcxVariables", Napi::Function::New(env, nameVariables, "setUcxVariables"));
  exports.Set("probeNetwork", Napi::Function::New(env, probe, "probeNetwork"));
}

}  // namespace railrunner::binding
