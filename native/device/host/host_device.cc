#include "device/host/host_device.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <fstream>

#include "device/host/memory_limit.h"
#include "device/host/numa.h"
#include "device/host/private_memory.h"
#include "device/host/shared_segment.h"

namespace railrunner {

namespace {

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

uint64_t totalMemoryBytes() {
  struct sysinfo info {};
  return sysinfo(&info) == 0 ? static_cast<uint64_t>(info.totalram) * info.mem_unit : 0;
}

}  // namespace

HostDevice::HostDevice(int ordinal) : ordinal_(ordinal), numaNode_(numaNodeOfProcess()) {
  if (numaNode_ < 0) {
    const std::vector<int> nodes = numaNodes();
    numaNode_ = nodes[static_cast<size_t>(ordinal) % nodes.size()];
  }
  // Where memory cannot be placed (containers without the right to), nothing is known of where it lies.
  if (!canPlaceOnNode(numaNode_)) numaNode_ = -1;
}

DeviceProperties HostDevice::properties() const {
  char hostname[256] = {};
  gethostname(hostname, sizeof(hostname) - 1);
  DeviceProperties properties;
  properties.kind = DeviceKind::kHost;
  properties.ordinal = ordinal_;
  properties.name = processorName();
  properties.uuid = std::string("host-") + hostname + "-numa" + std::to_string(numaNode_);
  properties.totalBytes = totalMemoryBytes();
  properties.freeBytes = availableMemory().bytes;
  properties.numaNode = numaNode_;
  return properties;
}

std::unique_ptr<DeviceMemory> HostDevice::allocate(uint64_t bytes, Sharing sharing) {
  if (sharing == Sharing::kNone) return PrivateMemory::create(bytes, numaNode_, "device memory");
  return SharedSegment::create(bytes, numaNode_, "device memory");
}

std::unique_ptr<DeviceMemory> HostDevice::open(const ShareHandle& handle) {
  return SharedSegment::open(handle);
}

}  // namespace railrunner
