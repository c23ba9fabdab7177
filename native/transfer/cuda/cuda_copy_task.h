#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kv/copy_plan.h"
#include "transfer/copy_task.h"
#include "transfer/cuda/copy_launcher.h"

namespace railrunner::cuda {

// What one task copies: all pieces of a chunk by one kernel and one table, whatever their number, between memories that
// the device reaches: its own, a peer's that is mapped, registered host memory. An empty chunk only tells.
struct CudaCopy {
  int ordinal = 0;
  std::vector<std::span<const CopySpan>> chunks;  // read while the task is made
  const std::byte* source = nullptr;
  std::byte* target = nullptr;
  uint32_t maxCtas = 1;
  // Behind the last chunk's bytes, by the kernel that wrote them: *arrivalWord = *epoch. Null: nobody is told.
  uint64_t* arrivalWord = nullptr;
  const uint64_t* epoch = nullptr;
  std::function<void()> whenDone;  // behind the last chunk, by poll(); may be empty
  // Of tasks that start together, on one thread. Null: one of its own.
  std::shared_ptr<CopyLauncher> launcher;
};

std::unique_ptr<CopyTask> makeCudaCopyTask(CudaCopy copy);

}  // namespace railrunner::cuda
