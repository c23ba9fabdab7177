#pragma once

#include <memory>

#include "binding/handle.h"
#include "world/world.h"
#include "world/world_gate.h"

namespace railrunner::binding {

// The state of a NativeWorld; a shared_ptr of it, so that work on the worker thread keeps it.
struct OpenedWorld {
  std::shared_ptr<World> world;
  std::unique_ptr<WorldGate> gate;  // used on the worker thread, before each measured loop

  static const HandleKind kKind;
};

}  // namespace railrunner::binding
