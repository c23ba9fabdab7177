#pragma once

#include "device/device.h"

namespace railrunner {

// The embedded device: its memory is shared segments, its kernels are loops of the CPU.
class HostDevice : public Device {
 public:
  // `ordinal` is the rank's place on its host; it chooses the NUMA node where the launcher bound the rank to
  // none.
  explicit HostDevice(int ordinal);

  DeviceKind kind() const override { return DeviceKind::kHost; }
  int ordinal() const override { return ordinal_; }
  int numaNode() const override { return numaNode_; }
  DeviceProperties properties() const override;
  std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing sharing) override;
  std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) override;
  void registerHost(void*, uint64_t) override {}
  void unregisterHost(void*) override {}

 private:
  int ordinal_;
  int numaNode_;
};

}  // namespace railrunner
