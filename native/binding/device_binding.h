#pragma once

#include <memory>

#include "binding/call.h"
#include "device/device.h"

namespace railrunner::binding {

// The state of a NativeDevice.
struct OpenedDevice {
  std::shared_ptr<Device> device;  // null after close()

  static const HandleKind kKind;
};

// The device that a method is called on. Pools and what else is made on it share it: it ends with the last.
// Throws kArgument where it is called on anything else, kState after close(). Null in a description.
std::shared_ptr<Device> deviceOf(const Call& call);

}  // namespace railrunner::binding
