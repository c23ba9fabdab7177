#include <memory>
#include <optional>
#include <utility>

#include "binding/exports.h"
#include "binding/napi_setup.h"
#include "binding/worker_thread.h"
#include "device/gpus.h"

namespace railrunner::binding {

namespace {

Napi::Value numberOrNull(Napi::Env env, int64_t value) {
  if (value == kNotKnown) return env.Null();
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Object stateToJs(Napi::Env env, const GpuState& state) {
  const std::pair<const char*, int64_t> numbers[] = {
      {"throttleReasons", state.throttleReasons},
      {"utilizationPercent", state.utilizationPercent},
      {"usedBytes", state.usedBytes},
      {"numProcesses", state.numProcesses},
      {"smClockMHz", state.smClockMHz},
      {"maxSmClockMHz", state.maxSmClockMHz},
      {"temperatureCelsius", state.temperatureCelsius},
      {"powerLimitMilliwatts", state.powerLimitMilliwatts},
      {"defaultPowerLimitMilliwatts", state.defaultPowerLimitMilliwatts},
      {"persistence", state.persistence},
      {"mig", state.mig},
      {"pcieWidth", state.pcieWidth},
      {"maxPcieWidth", state.maxPcieWidth},
      {"activeNvlinks", state.activeNvlinks},
      {"nvlinkSentBytes", state.nvlinkSentBytes},
      {"uncorrectedEccErrors", state.uncorrectedEccErrors},
  };
  Napi::Object result = Napi::Object::New(env);
  for (const auto& [name, value] : numbers) result.Set(name, numberOrNull(env, value));
  return result;
}

Napi::Object gpuToJs(Napi::Env env, const GpuDescription& gpu) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("ordinal", gpu.ordinal);
  result.Set("name", gpu.name);
  result.Set("uuid", gpu.uuid);
  result.Set("pciBusId", gpu.pciBusId);
  result.Set("numaNode", gpu.numaNode);
  result.Set("totalBytes", static_cast<double>(gpu.totalBytes));
  result.Set("computeCapability", gpu.computeCapability);
  result.Set("computeMode", gpu.computeMode);
  Napi::Array peers = Napi::Array::New(env, gpu.peerAccess.size());
  for (uint32_t peer = 0; peer < gpu.peerAccess.size(); ++peer) {
    peers.Set(peer, Napi::Boolean::New(env, gpu.peerAccess[peer]));
  }
  result.Set("peerAccess", peers);
  result.Set("state", stateToJs(env, gpu.state));
  return result;
}

Napi::Value reportToJs(Napi::Env env, const std::optional<GpuReport>& report) {
  if (!report) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("driverVersion", report->driverVersion);
  result.Set("installedGpus", numberOrNull(env, report->installedGpus));
  result.Set("reason", report->reason);
  Napi::Array gpus = Napi::Array::New(env, report->gpus.size());
  for (uint32_t i = 0; i < report->gpus.size(); ++i) gpus.Set(i, gpuToJs(env, report->gpus[i]));
  result.Set("gpus", gpus);
  return result;
}

// Off the main thread: starting the driver and its management library can take seconds.
Napi::Value describe(const Napi::CallbackInfo& info) {
  auto report = std::make_shared<std::optional<GpuReport>>();
  return runOnWorker(
      info.Env(), [report] { *report = describeGpus(); },
      [report](Napi::Env env) { return reportToJs(env, *report); });
}

}  // namespace

void exportGpus(Napi::Env env, Napi::Object exports) {
  exports.Set("describeGpus", Napi::Function::New(env, describe, "describeGpus"));
}

}  // namespace railrunner::binding
