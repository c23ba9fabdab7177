#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "kv/copy_plan.h"
#include "transfer/copy_task.h"

namespace railrunner::cuda {

// All pieces of a plan by one kernel and one table, whatever their number, between memories that the device reaches: its
// own, a peer's that is mapped, registered host memory. `whenDone` is called once per start, by poll().
std::unique_ptr<CopyTask> makeCudaCopyTask(int ordinal, const CopyPlan& plan, const std::byte* source,
                                           std::byte* target, uint32_t maxCtas,
                                           std::function<void()> whenDone);

}  // namespace railrunner::cuda
