#include "storage/host_segment.h"

namespace railrunner {

HostSegment::HostSegment(Device& device, uint64_t bytes) : device_(device) {
  std::unique_ptr<SharedSegment> segment =
      SharedSegment::create(bytes, device.properties().numaNode, "host tier");
  device.registerHost(segment->data(), segment->bytes());
  segment_ = std::move(segment);
}

HostSegment::HostSegment(Device& device, const ShareHandle& handle) : device_(device) {
  std::unique_ptr<SharedSegment> segment = SharedSegment::open(handle);
  device.registerHost(segment->data(), segment->bytes());
  segment_ = std::move(segment);
}

void HostSegment::close() {
  if (!segment_) return;
  device_.unregisterHost(segment_->data());
  segment_.reset();
}

}  // namespace railrunner
