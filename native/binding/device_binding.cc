#include "binding/device_binding.h"

#include "binding/methods.h"
#include "device/probe.h"

namespace railrunner::binding {

namespace {

void writeProperties(Result& result, const DeviceProperties& properties) {
  result.set("kind", properties.kind == DeviceKind::kCuda ? "cuda" : "host");
  result.set("ordinal", properties.ordinal);
  result.set("name", properties.name);
  result.set("uuid", properties.uuid);
  result.set("totalBytes", properties.totalBytes);
  result.set("freeBytes", properties.freeBytes);
  result.set("numaNode", properties.numaNode);
}

void closeDevice(Call& call) {
  const auto state = call.self<OpenedDevice>();
  call.resolves([state] { state->device.reset(); });
}

constexpr Method kMethods[] = {
    {"createPool", methods::createPool},
    {"openTransfer", methods::openTransfer},
    {"openCommunicator", methods::openCommunicator},
    {"openReplicated", methods::openReplicated},
    {"openRankTransfer", methods::openRankTransfer},
    {"openReplay", methods::openReplay},
    {"openMoe", methods::openMoe},
    {"close", closeDevice},
};

void writeProbe(Result& result, const CudaProbe& probe) {
  const bool hasDriver = !probe.driverVersion.empty();
  result.set("cudaDevices", probe.devices);
  result.set("cudaDriverVersion", hasDriver ? std::optional(probe.driverVersion) : std::nullopt);
  result.set("reason", probe.reason);
}

}  // namespace

const HandleKind OpenedDevice::kKind{
    {0x7261696c72756e6eULL, 0x6572446576696301ULL}, "NativeDevice", kMethods};

void methods::openDevice(Call& call) {
  static const Choices<DeviceKind> kKinds{{"host", DeviceKind::kHost}, {"cuda", DeviceKind::kCuda}};
  const DeviceKind kind = call.choice("kind", kKinds);
  const auto ordinal = static_cast<int>(call.integer("ordinal", 0, 1 << 20));
  auto state = std::make_shared<OpenedDevice>();
  call.resolves(
      [state, kind, ordinal] {
        state->device = railrunner::openDevice(kind, ordinal);
        return state->device->properties();
      },
      [state](Result& result, const DeviceProperties& properties) {
        result.putHandle(state);
        result.setObject("properties", properties, writeProperties);
      });
}

void methods::probeDevices(Call& call) {
  call.returns([] { return probeCudaDevices(); }, writeProbe);
}

std::shared_ptr<Device> deviceOf(const Call& call) {
  if (call.isDescription()) return nullptr;
  const auto state = call.self<OpenedDevice>();
  std::shared_ptr<Device> device = state->device;
  if (!device) throw Error(ErrorCode::kState, "this: the device is closed");
  return device;
}

}  // namespace railrunner::binding
