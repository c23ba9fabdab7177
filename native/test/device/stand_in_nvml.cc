// Stands in for the driver's management library, so that reading it is tested without a GPU. Two GPUs; what a
// real library of some version or GPU lacks is lacking here too: nvmlDeviceGetMigMode is not there, and the
// second GPU answers "not supported" to what the first knows.
#include <cstring>

namespace {
constexpr int kSuccess = 0;
constexpr int kNotSupported = 3;
constexpr int kNotFound = 6;
constexpr int kInsufficientSize = 7;
int devices[2];

bool isFirst(const void* device) { return device == &devices[0]; }

int answer(const void* device, unsigned* target, unsigned value) {
  if (!isFirst(device)) return kNotSupported;
  *target = value;
  return kSuccess;
}
}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int standInInitStatus;
EXPORTED int standInOpen;
int standInInitStatus = kSuccess;
int standInOpen = 0;

EXPORTED int nvmlInit_v2() {
  if (standInInitStatus == kSuccess) ++standInOpen;
  return standInInitStatus;
}
EXPORTED int nvmlShutdown() {
  --standInOpen;
  return kSuccess;
}
EXPORTED const char* nvmlErrorString(int) { return "Driver Not Loaded"; }
EXPORTED int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  std::strncpy(text, "580.95.05", length);
  return kSuccess;
}
EXPORTED int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 4;
  return kSuccess;
}
EXPORTED int nvmlDeviceGetHandleByPciBusId_v2(const char* slot, void** device) {
  if (std::strcmp(slot, "0000:01:00.0") == 0) {
    *device = &devices[0];
  } else if (std::strcmp(slot, "0000:02:00.0") == 0) {
    *device = &devices[1];
  } else {
    return kNotFound;
  }
  return kSuccess;
}
EXPORTED int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* reasons) {
  *reasons = isFirst(device) ? 0x28 : 1ULL << 40;
  return kSuccess;
}
EXPORTED int nvmlDeviceGetUtilizationRates(void*, unsigned* gpuAndMemory) {
  gpuAndMemory[0] = 37;
  gpuAndMemory[1] = 11;
  return kSuccess;
}
EXPORTED int nvmlDeviceGetMemoryInfo(void*, unsigned long long* totalFreeUsed) {
  totalFreeUsed[0] = 100;
  totalFreeUsed[1] = 60;
  totalFreeUsed[2] = 40;
  return kSuccess;
}
EXPORTED int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, void*) {
  if (!isFirst(device)) return *count = 0, kSuccess;
  *count = 3;
  return kInsufficientSize;
}
EXPORTED int nvmlDeviceGetClockInfo(void* device, unsigned type, unsigned* value) {
  return answer(device, value, type == 1 ? 1200 : 9);
}
EXPORTED int nvmlDeviceGetMaxClockInfo(void* device, unsigned type, unsigned* value) {
  return answer(device, value, type == 1 ? 1980 : 9);
}
EXPORTED int nvmlDeviceGetTemperature(void* device, unsigned sensor, unsigned* value) {
  return answer(device, value, sensor == 0 ? 61 : 9);
}
EXPORTED int nvmlDeviceGetEnforcedPowerLimit(void* device, unsigned* value) {
  return answer(device, value, 400000);
}
EXPORTED int nvmlDeviceGetPowerManagementDefaultLimit(void* device, unsigned* value) {
  return answer(device, value, 700000);
}
EXPORTED int nvmlDeviceGetPersistenceMode(void* device, unsigned* value) { return answer(device, value, 0); }
EXPORTED int nvmlDeviceGetCurrPcieLinkWidth(void* device, unsigned* value) {
  return answer(device, value, 8);
}
EXPORTED int nvmlDeviceGetMaxPcieLinkWidth(void* device, unsigned* value) {
  return answer(device, value, 16);
}
EXPORTED int nvmlDeviceGetNvLinkState(void* device, unsigned link, unsigned* active) {
  return link < 18 ? answer(device, active, link == 5 ? 0 : 1) : kNotSupported;
}
struct FieldValue {
  unsigned field, scope;
  long long timestamp, latencyUs;
  unsigned type;
  int status;
  unsigned long long value;
};
EXPORTED int nvmlDeviceGetFieldValues(void* device, int count, FieldValue* values) {
  if (!isFirst(device)) return kNotSupported;
  for (int i = 0; i < count; ++i) {
    values[i].status = values[i].field == 138 && values[i].scope < 18 ? kSuccess : kNotSupported;
    values[i].value = 1000 + values[i].scope;
  }
  return kSuccess;
}
EXPORTED int nvmlDeviceGetTotalEccErrors(void* device, unsigned type, unsigned counter,
                                         unsigned long long* errors) {
  if (!isFirst(device)) return kNotSupported;
  *errors = type == 1 && counter == 0 ? 2 : 99;
  return kSuccess;
}
