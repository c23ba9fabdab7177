#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace railrunner {

constexpr int64_t kNotKnown = -1;

// What the driver's management library says of a GPU at this moment; kNotKnown where it does not say.
struct GpuState {
  int64_t throttleReasons = kNotKnown;  // NVML's bits: nvmlClocksThrottleReason*
  int64_t utilizationPercent = kNotKnown;
  int64_t usedBytes = kNotKnown;
  int64_t numProcesses = kNotKnown;  // with a compute context, this process without one not among them
  int64_t smClockMHz = kNotKnown;
  int64_t maxSmClockMHz = kNotKnown;
  int64_t temperatureCelsius = kNotKnown;
  int64_t powerLimitMilliwatts = kNotKnown;
  int64_t defaultPowerLimitMilliwatts = kNotKnown;
  int64_t persistence = kNotKnown;  // 0 or 1
  int64_t mig = kNotKnown;          // 0 or 1
  int64_t pcieWidth = kNotKnown;
  int64_t maxPcieWidth = kNotKnown;
  int64_t activeNvlinks = kNotKnown;
  int64_t nvlinkSentBytes = kNotKnown;  // payload over all links, since the driver was loaded; counted in KiB
  int64_t uncorrectedEccErrors = kNotKnown;  // since the driver was loaded
};

struct GpuDescription {
  int ordinal = 0;
  std::string name;
  std::string uuid;
  std::string pciBusId;
  int numaNode = -1;  // -1 where the kernel does not say
  uint64_t totalBytes = 0;
  std::string computeCapability;  // "9.0"
  std::string computeMode;        // default, exclusive, prohibited
  std::vector<bool> peerAccess;   // by ordinal; of itself false
  GpuState state;
};

struct GpuReport {
  std::string driverVersion;          // '' where the management library does not load
  int64_t installedGpus = kNotKnown;  // visible to this process or not
  std::string reason;                 // why there is no state of any GPU; '' where there is
  std::vector<GpuDescription> gpus;   // the visible ones
};

// Reads and never sets; makes no CUDA context. nullopt where this build has no cuda device. Throws kCuda.
std::optional<GpuReport> describeGpus();

}  // namespace railrunner
