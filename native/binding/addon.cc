#include <unistd.h>

#include <algorithm>
#include <optional>

#include "binding/errors.h"
#include "binding/main_thread.h"
#include "binding/methods.h"
#include "binding/napi_setup.h"

namespace railrunner::binding {

namespace {

struct BuildInfo {
  std::string version = RAILRUNNER_VERSION;
  std::string compiler = __VERSION__;
#ifdef NDEBUG
  std::string buildType = "Release";
#else
  std::string buildType = "Debug";
#endif
#ifdef RAILRUNNER_CUDA_VERSION
  std::optional<std::string> cuda = RAILRUNNER_CUDA_VERSION;
#else
  std::optional<std::string> cuda;
#endif
  std::string sanitizers = RAILRUNNER_SANITIZERS;
};

void buildInfo(Call& call) {
  call.returns([] { return BuildInfo(); },
               [](Result& result, const BuildInfo& info) {
                 result.set("version", info.version);
                 result.set("compiler", info.compiler);
                 result.set("buildType", info.buildType);
                 result.set("cuda", info.cuda);
                 result.set("sanitizers", info.sanitizers);
               });
}

void workerIsBusy(Call& call) {
  call.returns([] { return isWorkerBusy(); });
}

// What the worker thread waits for though it was told to stop; null where it does not.
void heldUpBy(Call& call) {
  call.returns([]() -> std::optional<std::string> {
    const char* what = processControl().heldUpBy.load(std::memory_order_relaxed);
    return what == nullptr ? std::nullopt : std::optional<std::string>(what);
  });
}

// Leaves without exit hooks: for when a thread is stuck in native code, or MPI cannot be finalized.
void exitNow(Call& call) {
  const auto status = static_cast<int>(call.integer("status", 0, 255));
  call.returns([status] { _exit(status); });
}

void surface(Call& call);

constexpr Method kMethods[] = {
    {"buildInfo", buildInfo},
    {"isWorkerBusy", workerIsBusy},
    {"heldUpBy", heldUpBy},
    {"exitNow", exitNow},
    {"surface", surface},
    {"openWorld", methods::openWorld},
    {"probeDevices", methods::probeDevices},
    {"describeGpus", methods::describeGpus},
    {"setUcxVariables", methods::setUcxVariables},
    {"probeNetwork", methods::probeNetwork},
    {"probeStorage", methods::probeStorage},
    {"lockByte", methods::lockByte},
    {"probeNccl", methods::probeNccl},
    {"createNcclRecord", methods::createNcclRecord},
    {"openDevice", methods::openDevice},
};

// The descriptions of all methods of the addon and of the handles that they make.
std::vector<std::string> surfaceLines() {
  std::vector<std::string> lines;
  std::vector<const HandleKind*> kinds;
  const auto addMethods = [&](const char* interface, std::span<const Method> methods) {
    for (const Method& method : methods) addLines(lines, interface, method.name, describe(method, kinds));
  };
  addMethods("NativeAddon", kMethods);
  for (size_t next = 0; next < kinds.size(); ++next) {
    const bool isNew = std::find(kinds.begin(), kinds.begin() + next, kinds[next]) == kinds.begin() + next;
    if (isNew) addMethods(kinds[next]->name, kinds[next]->methods);
  }
  return lines;
}

void surface(Call& call) { call.returns(surfaceLines); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  try {
    MainThread::initialize(env);
  } catch (const Error&) {
    throw toJsError(env, std::current_exception());
  }
  setMethods(env, exports, kMethods);
  return exports;
}

}  // namespace

NODE_API_MODULE(railrunner, initialize)

}  // namespace railrunner::binding
