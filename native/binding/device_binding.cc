#include "binding/device_binding.h"

#include "binding/arguments.h"
#include "binding/collective_binding.h"
#include "binding/exports.h"
#include "binding/handle.h"
#include "binding/worker_thread.h"
#include "device/probe.h"

namespace railrunner::binding {

namespace {

struct OpenedDevice {
  std::shared_ptr<Device> device;  // null after close()
};

const HandleKind<OpenedDevice> kDeviceKind{{0x7261696c72756e6eULL, 0x6572446576696301ULL}, "a NativeDevice"};

Napi::Object toObject(Napi::Env env, const DeviceProperties& properties) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", properties.kind == DeviceKind::kCuda ? "cuda" : "host");
  object.Set("ordinal", properties.ordinal);
  object.Set("name", properties.name);
  object.Set("uuid", properties.uuid);
  object.Set("totalBytes", static_cast<double>(properties.totalBytes));
  object.Set("freeBytes", static_cast<double>(properties.freeBytes));
  object.Set("numaNode", properties.numaNode);
  return object;
}

Napi::Value closeDevice(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kDeviceKind);
    return runOnWorker(info.Env(), [state] { state->device.reset(); });
  });
}

Napi::Value toHandle(Napi::Env env, const std::shared_ptr<OpenedDevice>& state,
                     const DeviceProperties& properties) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("properties", toObject(env, properties));
  object.Set("close", Napi::Function::New(env, closeDevice, "close"));
  addKvMethods(env, object);
  addMoeMethods(env, object);
  addCollectiveMethods(env, object);
  addReplicatedMethods(env, object);
  addRankTransferMethods(env, object);
  addReplayMethods(env, object);
  attachState(env, object, state, kDeviceKind);
  return object;
}

Napi::Value openDeviceHandle(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const std::string kind = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    if (kind != "host" && kind != "cuda") throw argumentError("kind", "\"host\" or \"cuda\"");
    const auto ordinal = static_cast<int>(requireInteger(info[1], "ordinal", 0, 1 << 20));
    auto state = std::make_shared<OpenedDevice>();
    auto properties = std::make_shared<DeviceProperties>();
    return runOnWorker(
        info.Env(),
        [state, properties, kind, ordinal] {
          state->device = openDevice(kind == "cuda" ? DeviceKind::kCuda : DeviceKind::kHost, ordinal);
          *properties = state->device->properties();
        },
        [state, properties](Napi::Env env) { return toHandle(env, state, *properties); });
  });
}

Napi::Value probeDevices(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const CudaProbe probe = probeCudaDevices();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("cudaDevices", probe.devices);
    if (probe.driverVersion.empty()) {
      object.Set("cudaDriverVersion", info.Env().Null());
    } else {
      object.Set("cudaDriverVersion", probe.driverVersion);
    }
    object.Set("reason", probe.reason);
    return object;
  });
}

}  // namespace

std::shared_ptr<Device> requireDevice(const Napi::Value& value, const char* name) {
  const auto state = requireState(value, name, kDeviceKind);
  std::shared_ptr<Device> device = state->device;
  if (!device) throw Error(ErrorCode::kState, std::string(name) + ": the device is closed");
  return device;
}

void exportDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("openDevice", Napi::Function::New(env, openDeviceHandle, "openDevice"));
  exports.Set("probeDevices", Napi::Function::New(env, probeDevices, "probeDevices"));
}

}  // namespace railrunner::binding
