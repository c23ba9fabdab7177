#pragma once

#include <memory>

#include "binding/call.h"
#include "collective/communicator.h"
#include "device/device.h"
#include "replicated/transfer.h"

namespace railrunner::binding {

// The state of a NativeCommunicator. Used only on the worker thread; null after close() or abandon().
struct OpenedCommunicator {
  std::shared_ptr<Device> device;
  std::unique_ptr<Communicator> communicator;

  Communicator& require() const;  // kState after its end
  static const HandleKind kKind;
};

ReplicatedStrategy readReplicatedStrategy(Arguments& options);

}  // namespace railrunner::binding
