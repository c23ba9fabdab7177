#pragma once

#include "binding/napi_setup.h"

// What each module's binding file adds to the addon's exports; called once by addon.cc. One line per module.
namespace railrunner::binding {

void exportWorld(Napi::Env env, Napi::Object exports);
void exportCollective(Napi::Env env, Napi::Object exports);
void exportDevice(Napi::Env env, Napi::Object exports);
void exportGpus(Napi::Env env, Napi::Object exports);
void exportNetwork(Napi::Env env, Napi::Object exports);
void exportStorage(Napi::Env env, Napi::Object exports);

}  // namespace railrunner::binding
