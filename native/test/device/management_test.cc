// What is read from a management library that stands in for the driver's; the loader must find it first.
//
// links: device/cuda/management.cc
#include "device/cuda/management.h"

#include <dlfcn.h>
#include <unistd.h>

#include "test/support/expect.h"

namespace railrunner::test {
namespace {

GpuReport reportOf(const char* first, const char* second) {
  GpuReport report;
  report.gpus.resize(2);
  report.gpus[0].pciBusId = first;
  report.gpus[1].pciBusId = second;
  cuda::readManagement(report);
  return report;
}

void readsWhatIsThere() {
  const GpuReport report = reportOf("0000:01:00.0", "0000:02:00.0");
  EXPECT(report.reason.empty(), "%s", report.reason.c_str());
  EXPECT(report.driverVersion == "580.95.05", "%s", report.driverVersion.c_str());
  EXPECT(report.installedGpus == 4, "%ld", static_cast<long>(report.installedGpus));
  const GpuState& state = report.gpus[0].state;
  EXPECT(state.throttleReasons == 0x28, "throttle reasons");
  EXPECT(state.utilizationPercent == 37 && state.usedBytes == 40, "use");
  EXPECT(state.numProcesses == 3, "processes are counted though they do not fit");
  EXPECT(state.smClockMHz == 1200 && state.maxSmClockMHz == 1980, "clocks of the multiprocessors");
  EXPECT(state.temperatureCelsius == 61, "temperature");
  EXPECT(state.powerLimitMilliwatts == 400000 && state.defaultPowerLimitMilliwatts == 700000, "power");
  EXPECT(state.persistence == 0, "persistence");
  EXPECT(state.pcieWidth == 8 && state.maxPcieWidth == 16, "lanes");
  EXPECT(state.activeNvlinks == 17, "17 of 18 links are active");
  EXPECT(state.nvlinkSentBytes == (18 * 1000 + 153) * 1024, "KiB of all links");
  EXPECT(state.uncorrectedEccErrors == 2, "uncorrected errors since the driver was loaded");
}

void leavesTheRestUnknown() {
  const GpuReport report = reportOf("0000:02:00.0", "0000:09:00.0");
  const GpuState& state = report.gpus[0].state;
  EXPECT(state.mig == kNotKnown, "a function that the library lacks");
  EXPECT(state.smClockMHz == kNotKnown && state.activeNvlinks == kNotKnown, "what the GPU does not support");
  EXPECT(state.uncorrectedEccErrors == kNotKnown, "errors of a GPU without ECC");
  EXPECT(state.numProcesses == 0, "a GPU without processes");
  EXPECT(state.throttleReasons == 1LL << 40, "all 64 bits");
  EXPECT(report.gpus[1].state.utilizationPercent == kNotKnown, "a GPU that the library does not know");
}

void saysWhyNothingIsKnown(int* initStatus) {
  *initStatus = 9;
  const GpuReport report = reportOf("0000:01:00.0", "0000:02:00.0");
  *initStatus = 0;
  EXPECT(report.reason == "nvmlInit_v2 of libnvidia-ml.so.1 answers Driver Not Loaded", "%s",
         report.reason.c_str());
  EXPECT(report.gpus[0].state.throttleReasons == kNotKnown, "nothing is made up");
}

}  // namespace
}  // namespace railrunner::test

int main() {
  using namespace railrunner::test;
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  auto* initStatus = static_cast<int*>(library == nullptr ? nullptr : dlsym(library, "standInInitStatus"));
  auto* open = static_cast<int*>(library == nullptr ? nullptr : dlsym(library, "standInOpen"));
  EXPECT(initStatus != nullptr && open != nullptr, "the stand-in is not the one that the loader finds");
  readsWhatIsThere();
  leavesTheRestUnknown();
  saysWhyNothingIsKnown(initStatus);
  EXPECT(*open == 0, "what was opened %d times is not closed", *open);
  std::puts("ok");
  return 0;
}
