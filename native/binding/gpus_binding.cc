#include <optional>

#include "binding/methods.h"
#include "device/gpus.h"

namespace railrunner::binding {

namespace {

std::optional<int64_t> known(int64_t value) {
  return value == kNotKnown ? std::nullopt : std::optional<int64_t>(value);
}

void writeState(Result& result, const GpuState& state) {
  result.set("throttleReasons", known(state.throttleReasons));
  result.set("utilizationPercent", known(state.utilizationPercent));
  result.set("usedBytes", known(state.usedBytes));
  result.set("numProcesses", known(state.numProcesses));
  result.set("smClockMHz", known(state.smClockMHz));
  result.set("maxSmClockMHz", known(state.maxSmClockMHz));
  result.set("temperatureCelsius", known(state.temperatureCelsius));
  result.set("powerLimitMilliwatts", known(state.powerLimitMilliwatts));
  result.set("defaultPowerLimitMilliwatts", known(state.defaultPowerLimitMilliwatts));
  result.set("persistence", known(state.persistence));
  result.set("mig", known(state.mig));
  result.set("pcieWidth", known(state.pcieWidth));
  result.set("maxPcieWidth", known(state.maxPcieWidth));
  result.set("activeNvlinks", known(state.activeNvlinks));
  result.set("nvlinkSentBytes", known(state.nvlinkSentBytes));
  result.set("uncorrectedEccErrors", known(state.uncorrectedEccErrors));
}

void writeGpu(Result& result, const GpuDescription& gpu) {
  result.set("ordinal", gpu.ordinal);
  result.set("name", gpu.name);
  result.set("uuid", gpu.uuid);
  result.set("pciBusId", gpu.pciBusId);
  result.set("numaNode", gpu.numaNode);
  result.set("totalBytes", gpu.totalBytes);
  result.set("computeCapability", gpu.computeCapability);
  result.set("computeMode", gpu.computeMode);
  result.set("peerAccess", gpu.peerAccess);
  result.setObject("state", gpu.state, writeState);
}

void writeReport(Result& result, const GpuReport& report) {
  result.set("driverVersion", report.driverVersion);
  result.set("installedGpus", known(report.installedGpus));
  result.set("reason", report.reason);
  result.setArray("gpus", report.gpus, writeGpu);
}

}  // namespace

// Off the main thread: starting the driver and its management library can take seconds.
void methods::describeGpus(Call& call) {
  call.resolves(
      [] { return railrunner::describeGpus(); },
      [](Result& result, const std::optional<GpuReport>& report) { result.putOrNull(report, writeReport); });
}

}  // namespace railrunner::binding
