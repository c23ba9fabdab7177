#include "storage/host_segment.h"

#include <utility>

#include "core/error.h"

namespace railrunner {

HostSegment::HostSegment(Device& device, uint64_t bytes) : device_(device) {
  std::unique_ptr<SharedSegment> segment = SharedSegment::create(bytes, device.numaNode(), "host tier");
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
  const std::unique_ptr<SharedSegment> segment = std::move(segment_);
  device_.unregisterHost(segment->data());
}

}  // namespace railrunner
