#include <unistd.h>

#include "binding/arguments.h"
#include "binding/errors.h"
#include "binding/exports.h"
#include "binding/main_thread.h"
#include "binding/napi_setup.h"
#include "binding/worker_thread.h"

namespace railrunner::binding {

namespace {

Napi::Value buildInfo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("version", RAILRUNNER_VERSION);
  result.Set("compiler", __VERSION__);
#ifdef NDEBUG
  result.Set("buildType", "Release");
#else
  result.Set("buildType", "Debug");
#endif
#ifdef RAILRUNNER_CUDA_VERSION
  result.Set("cuda", RAILRUNNER_CUDA_VERSION);
#else
  result.Set("cuda", env.Null());
#endif
  result.Set("sanitizers", RAILRUNNER_SANITIZERS);
  return result;
}

Napi::Value isWorkerBusyNow(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), isWorkerBusy());
}

// Leaves without exit hooks: for when a thread is stuck in native code, or MPI cannot be finalized.
Napi::Value exitNow(const Napi::CallbackInfo& info) {
  return guarded(
      info, [&]() -> Napi::Value { _exit(static_cast<int>(requireInteger(info[0], "status", 0, 255))); });
}

// What the worker thread waits for though it was told to stop; null where it does not.
Napi::Value heldUpBy(const Napi::CallbackInfo& info) {
  const char* what = processControl().heldUpBy.load(std::memory_order_relaxed);
  return what == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), what);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  try {
    MainThread::initialize(env);
  } catch (const Error&) {
    throw toJsError(env, std::current_exception());
  }
  exports.Set("buildInfo", Napi::Function::New(env, buildInfo, "buildInfo"));
  exports.Set("isWorkerBusy", Napi::Function::New(env, isWorkerBusyNow, "isWorkerBusy"));
  exports.Set("heldUpBy", Napi::Function::New(env, heldUpBy, "heldUpBy"));
  exports.Set("exitNow", Napi::Function::New(env, exitNow, "exitNow"));
  // One line per module: each binding file adds its own part of the surface.
  exportWorld(env, exports);
  exportCollective(env, exports);
  exportDevice(env, exports);
  exportGpus(env, exports);
  exportNetwork(env, exports);
  exportStorage(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(railrunner, initialize)

}  // namespace railrunner::binding
