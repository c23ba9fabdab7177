#pragma once

#include <memory>

#include "binding/napi_setup.h"
#include "world/world.h"
#include "world/world_gate.h"

namespace railrunner::binding {

// The state of a NativeWorld.
struct OpenedWorld {
  std::shared_ptr<World> world;
  std::unique_ptr<WorldGate> gate;
};

// The world behind a NativeWorld object, for the other binding files; a shared_ptr, so that work on the lane
// keeps it. Throws kArgument for anything else. Use `opened->gate->gate()` on the worker thread, before each
// measured loop.
std::shared_ptr<OpenedWorld> requireWorld(const Napi::Value& value, const char* name);

}  // namespace railrunner::binding
