#pragma once

#include <functional>

#include "binding/napi_setup.h"
#include "core/run_control.h"

namespace railrunner::binding {

// The run control words of this process: one rank per process.
RunControl& processControl();

// The one native thread on which prepare, measure and verify work runs, in the order in which it was asked
// for. libuv's pool is not used: four blocking tasks would fill it and starve file and DNS work of Node
// itself.
//
// `execute` runs on the worker thread and must touch nothing of JS; `result` runs on the main thread
// afterwards. All JS arguments are converted to C++ values before the call.
Napi::Promise runOnWorker(Napi::Env env, std::function<void()> execute,
                          std::function<Napi::Value(Napi::Env)> result);

// As above for work that brings back nothing.
Napi::Promise runOnWorker(Napi::Env env, std::function<void()> execute);

// True while the worker thread is inside a task.
bool isWorkerBusy();

}  // namespace railrunner::binding
