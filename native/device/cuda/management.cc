#include "device/cuda/management.h"

#include <dlfcn.h>

#include <string>

namespace railrunner::cuda {

namespace {

// The part of NVML's public interface (NVML API reference) that is used here: its header is not a part of the
// CUDA toolkit's minimum, and the library comes with the driver.
using Device = void*;
using Status = int;
constexpr Status kSuccess = 0;
constexpr Status kInsufficientSize = 7;
constexpr unsigned kClockSm = 1;
constexpr unsigned kTemperatureGpu = 0;
constexpr unsigned kUncorrectedErrors = 1;
constexpr unsigned kVolatileCounter = 0;
constexpr unsigned kMostNvlinks = 36;
constexpr unsigned kNvlinkDataSent =
    138;  // NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, in KiB, of the link in `scope`

// nvmlFieldValue_t.
struct FieldValue {
  unsigned field;
  unsigned scope;
  long long timestamp;
  long long latencyUs;
  unsigned type;
  Status status;
  unsigned long long value;
};
static_assert(sizeof(FieldValue) == 40);

struct Utilization {
  unsigned gpu;
  unsigned memory;
};
struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

// One loaded library. Functions that this version lacks are null, and their values stay unknown.
class Management {
 public:
  explicit Management(void* library) : library_(library) {}

  // NVML's answer, or kNoSuchFunction.
  template <class... Arguments>
  Status call(const char* name, Arguments... arguments) const {
    using Function = Status (*)(Arguments...);
    const auto function = reinterpret_cast<Function>(dlsym(library_, name));
    return function == nullptr ? kNoSuchFunction : function(arguments...);
  }

  std::string explain(const char* name, Status status) const {
    const std::string call = std::string(name) + " of libnvidia-ml.so.1 ";
    if (status == kNoSuchFunction) return call + "is not there";
    using Explain = const char* (*)(Status);
    const auto explanation = reinterpret_cast<Explain>(dlsym(library_, "nvmlErrorString"));
    return call + "answers " + (explanation == nullptr ? std::to_string(status) : explanation(status));
  }

  // A value of type unsigned, or kNotKnown.
  template <class... Arguments>
  int64_t number(const char* name, Arguments... arguments) const {
    unsigned value = 0;
    return call(name, arguments..., &value) == kSuccess ? static_cast<int64_t>(value) : kNotKnown;
  }

 private:
  static constexpr Status kNoSuchFunction = -1;
  void* library_;
};

int64_t countNvlinks(const Management& nvml, Device device) {
  int64_t active = kNotKnown;
  for (unsigned link = 0; link < kMostNvlinks; ++link) {
    const int64_t state = nvml.number("nvmlDeviceGetNvLinkState", device, link);
    if (state == kNotKnown) continue;
    active = (active == kNotKnown ? 0 : active) + (state != 0 ? 1 : 0);
  }
  return active;
}

int64_t sumNvlinkSent(const Management& nvml, Device device) {
  FieldValue links[kMostNvlinks]{};
  for (unsigned link = 0; link < kMostNvlinks; ++link) links[link] = {kNvlinkDataSent, link, 0, 0, 0, -1, 0};
  if (nvml.call("nvmlDeviceGetFieldValues", device, static_cast<int>(kMostNvlinks), &links[0]) != kSuccess)
    return kNotKnown;
  int64_t sent = kNotKnown;
  for (const FieldValue& link : links) {
    if (link.status == kSuccess)
      sent = (sent == kNotKnown ? 0 : sent) + static_cast<int64_t>(link.value) * 1024;
  }
  return sent;
}

int64_t countProcesses(const Management& nvml, Device device) {
  // With room for none NVML tells their number.
  unsigned count = 0;
  const Status status =
      nvml.call("nvmlDeviceGetComputeRunningProcesses_v3", device, &count, static_cast<void*>(nullptr));
  return status == kSuccess || status == kInsufficientSize ? static_cast<int64_t>(count) : kNotKnown;
}

GpuState readState(const Management& nvml, Device device) {
  GpuState state;
  unsigned long long reasons = 0;
  if (nvml.call("nvmlDeviceGetCurrentClocksThrottleReasons", device, &reasons) == kSuccess) {
    state.throttleReasons = static_cast<int64_t>(reasons);
  }
  Utilization utilization{};
  if (nvml.call("nvmlDeviceGetUtilizationRates", device, &utilization) == kSuccess) {
    state.utilizationPercent = utilization.gpu;
  }
  Memory memory{};
  if (nvml.call("nvmlDeviceGetMemoryInfo", device, &memory) == kSuccess) {
    state.usedBytes = static_cast<int64_t>(memory.used);
  }
  state.numProcesses = countProcesses(nvml, device);
  state.smClockMHz = nvml.number("nvmlDeviceGetClockInfo", device, kClockSm);
  state.maxSmClockMHz = nvml.number("nvmlDeviceGetMaxClockInfo", device, kClockSm);
  state.temperatureCelsius = nvml.number("nvmlDeviceGetTemperature", device, kTemperatureGpu);
  state.powerLimitMilliwatts = nvml.number("nvmlDeviceGetEnforcedPowerLimit", device);
  state.defaultPowerLimitMilliwatts = nvml.number("nvmlDeviceGetPowerManagementDefaultLimit", device);
  state.persistence = nvml.number("nvmlDeviceGetPersistenceMode", device);
  unsigned pendingMig = 0;
  unsigned currentMig = 0;
  if (nvml.call("nvmlDeviceGetMigMode", device, &currentMig, &pendingMig) == kSuccess) {
    state.mig = currentMig != 0 ? 1 : 0;
  }
  state.pcieWidth = nvml.number("nvmlDeviceGetCurrPcieLinkWidth", device);
  state.maxPcieWidth = nvml.number("nvmlDeviceGetMaxPcieLinkWidth", device);
  state.activeNvlinks = countNvlinks(nvml, device);
  state.nvlinkSentBytes = sumNvlinkSent(nvml, device);
  unsigned long long errors = 0;
  if (nvml.call("nvmlDeviceGetTotalEccErrors", device, kUncorrectedErrors, kVolatileCounter, &errors) ==
      kSuccess) {
    state.uncorrectedEccErrors = static_cast<int64_t>(errors);
  }
  return state;
}

}  // namespace

void readManagement(GpuReport& report) {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    report.reason =
        std::string("libnvidia-ml.so.1 does not load: ") + (why != nullptr ? why : "no reason given");
    return;
  }
  const Management nvml(library);
  const Status started = nvml.call("nvmlInit_v2");
  if (started != kSuccess) {
    report.reason = nvml.explain("nvmlInit_v2", started);
    return;
  }
  char version[96] = {};
  if (nvml.call("nvmlSystemGetDriverVersion", static_cast<char*>(version),
                static_cast<unsigned>(sizeof(version))) == kSuccess) {
    report.driverVersion = version;
  }
  report.installedGpus = nvml.number("nvmlDeviceGetCount_v2");
  for (GpuDescription& gpu : report.gpus) {
    Device device = nullptr;
    if (nvml.call("nvmlDeviceGetHandleByPciBusId_v2", gpu.pciBusId.c_str(), &device) == kSuccess) {
      gpu.state = readState(nvml, device);
    }
  }
  nvml.call("nvmlShutdown");
}

}  // namespace railrunner::cuda
