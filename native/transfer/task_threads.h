#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/run_control.h"
#include "core/threads.h"
#include "kv/span_copier.h"
#include "transfer/copy_task.h"

namespace railrunner {

// Threads that carry out tasks, at most `maxConcurrent` at once, each with a team of its own to copy with.
class TaskThreads {
 public:
  // Given the chunk that was started.
  using Body = std::function<void(SpanCopier&, uint32_t chunk)>;

  // `threadsPerTask`: of the team; `streaming` as SpanCopier has it. Throws kAllocation.
  TaskThreads(RunControl& control, uint32_t maxConcurrent, uint32_t threadsPerTask, bool streaming);
  ~TaskThreads();
  TaskThreads(const TaskThreads&) = delete;
  TaskThreads& operator=(const TaskThreads&) = delete;

  // A task of these threads, which outlive it.
  std::unique_ptr<CopyTask> makeTask(Body body);

  // Handed over and not ended, and the most there were at once.
  uint32_t mostRunning() const { return mostRunning_.load(std::memory_order_relaxed); }

 private:
  class Task;
  void push(Task& task);
  bool withdraw(Task& task);
  void loop();
  Task* next();

  RunControl& control_;
  const uint32_t threadsPerTask_;
  const bool streaming_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task*> queue_;
  std::atomic<uint32_t> queued_{0};
  std::atomic<uint32_t> running_{0};
  std::atomic<uint32_t> mostRunning_{0};
  bool ended_ = false;
  ThreadGroup threads_;  // last: its threads use all else
};

}  // namespace railrunner
