#pragma once

#include <memory>

#include "device/device.h"

namespace railrunner {

// Memory of the host tier, registered with the device, so that its copies and kernels reach it (pinned, on cuda).
// Shared with the node, it is a segment that any same-node rank can map. The device must outlive it.
class HostSegment {
 public:
  HostSegment(Device& device, uint64_t bytes, Sharing sharing);
  // A same-node peer's tier, registered with this rank's device as well.
  HostSegment(Device& device, const ShareHandle& handle);
  ~HostSegment();
  HostSegment(const HostSegment&) = delete;
  HostSegment& operator=(const HostSegment&) = delete;

  void* data() const { return segment_ ? segment_->data() : nullptr; }
  uint64_t bytes() const { return segment_ ? segment_->bytes() : 0; }
  ShareHandle share(uint64_t offset, uint64_t rangeBytes) const {
    return segment_->share(offset, rangeBytes);
  }
  // Explicit and idempotent. Throws if the device does not release it, as with a lost CUDA context; the
  // memory is given back all the same.
  void close();

 private:
  Device& device_;
  std::unique_ptr<DeviceMemory> segment_;
};

}  // namespace railrunner
