#pragma once

#include <memory>
#include <string>

#include "binding/napi_setup.h"
#include "collective/communicator.h"
#include "device/device.h"
#include "replicated/transfer.h"

namespace railrunner::binding {

// The state of a NativeCommunicator. Used only on the worker thread; null after close() or abandon().
struct OpenedCommunicator {
  std::shared_ptr<Device> device;
  std::unique_ptr<Communicator> communicator;

  Communicator& require() const;  // kState after its end
};

std::shared_ptr<OpenedCommunicator> requireCommunicator(const Napi::Value& value, const char* name);

// openCommunicator, for every NativeDevice.
void addCollectiveMethods(Napi::Env env, Napi::Object device);

ReplicatedStrategy replicatedStrategyOf(const std::string& name);

// openReplicated, for every NativeDevice.
void addReplicatedMethods(Napi::Env env, Napi::Object device);
void addRankTransferMethods(Napi::Env env, Napi::Object device);
void addReplayMethods(Napi::Env env, Napi::Object device);

}  // namespace railrunner::binding
