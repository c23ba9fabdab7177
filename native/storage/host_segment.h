#pragma once

#include <memory>

#include "device/device.h"
#include "device/host/shared_segment.h"

namespace railrunner {

// Memory of the host tier: a shared segment, so that any same-node rank can map the root's tier, registered
// with the device, so that its copies and kernels reach it (pinned, on cuda). The device must outlive it.
class HostSegment {
 public:
  HostSegment(Device& device, uint64_t bytes);
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
  // Explicit and idempotent. Throws where the device does not let go, which a lost CUDA context does not; the
  // memory is given back all the same.
  void close();

 private:
  Device& device_;
  std::unique_ptr<SharedSegment> segment_;
};

}  // namespace railrunner
