#pragma once

#include <memory>

#include "binding/napi_setup.h"
#include "device/device.h"

namespace railrunner::binding {

// The device behind a NativeDevice of JavaScript. Pools and what else is made on it share it: it ends with
// the last. Throws kArgument for anything else, kState after close().
std::shared_ptr<Device> requireDevice(const Napi::Value& value, const char* name);

// Methods that other modules put on every NativeDevice; called once for each.
void addKvMethods(Napi::Env env, Napi::Object device);

// openMoe, for every NativeDevice.
void addMoeMethods(Napi::Env env, Napi::Object device);

}  // namespace railrunner::binding
