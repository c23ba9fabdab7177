#include "storage/host_segment.h"

#include <utility>

#include "core/error.h"
#include "device/host/private_memory.h"
#include "device/host/shared_segment.h"

namespace railrunner {

namespace {

std::unique_ptr<DeviceMemory> hostMemory(uint64_t bytes, int numaNode, Sharing sharing) {
  if (sharing == Sharing::kNone) return PrivateMemory::create(bytes, numaNode, "host tier");
  return SharedSegment::create(bytes, numaNode, "host tier");
}

}  // namespace

HostSegment::HostSegment(Device& device, uint64_t bytes, Sharing sharing) : device_(device) {
  std::unique_ptr<DeviceMemory> segment = hostMemory(bytes, device.numaNode(), sharing);
  device.registerHost(segment->data(), segment->bytes());
  segment_ = std::move(segment);
}

HostSegment::HostSegment(Device& device, const ShareHandle& handle) : device_(device) {
  std::unique_ptr<SharedSegment> segment = SharedSegment::open(handle);
  device.registerHost(segment->data(), segment->bytes());
  segment_ = std::move(segment);
}

HostSegment::~HostSegment() {
  try {
    close();
  } catch (const Error&) {
    // The context is lost, and its registrations with it; who needs to know closes explicitly.
  }
}

void HostSegment::close() {
  if (!segment_) return;
  const std::unique_ptr<DeviceMemory> segment = std::move(segment_);
  device_.unregisterHost(segment->data());
}

}  // namespace railrunner
