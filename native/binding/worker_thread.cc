#include "binding/worker_thread.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "binding/main_thread.h"
#include "core/threads.h"

namespace railrunner::binding {

namespace {

struct Task {
  std::function<void()> execute;
  std::function<Napi::Value(Napi::Env)> result;
  std::shared_ptr<PendingPromise> pending;
};

class WorkerThread {
 public:
  void push(Task task) {
    std::lock_guard lock(mutex_);
    if (!started_) {
      // Detached: a thread stuck in native code is left behind by _exit, never joined.
      startDetached("the worker thread", [this] { loop(); });
      started_ = true;
    }
    tasks_.push_back(std::move(task));
    wake_.notify_one();
  }

  bool busy() const { return busy_; }

 private:
  void loop() {
    for (;;) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      busy_ = true;
      std::exception_ptr failure;
      try {
        task.execute();
      } catch (...) {
        failure = std::current_exception();
      }
      // What execute captured may own memory: it ends here, on the thread that used it.
      task.execute = nullptr;
      busy_ = false;
      task.pending->settle(failure, std::move(task.result));
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool started_ = false;
  std::atomic<bool> busy_{false};
};

// Never destroyed, see MainThread.
WorkerThread& worker() {
  static auto* instance = new WorkerThread();
  return *instance;
}

}  // namespace

RunControl& processControl() {
  static auto* control = new RunControl();
  return *control;
}

Napi::Promise runOnWorker(Napi::Env env, std::function<void()> execute,
                          std::function<Napi::Value(Napi::Env)> result) {
  auto pending = std::make_shared<PendingPromise>(env);
  try {
    worker().push({std::move(execute), std::move(result), pending});
  } catch (...) {
    pending->settle(std::current_exception(), {});
  }
  return pending->promise();
}

Napi::Promise runOnWorker(Napi::Env env, std::function<void()> execute) {
  return runOnWorker(env, std::move(execute), [](Napi::Env e) { return e.Undefined(); });
}

bool isWorkerBusy() { return worker().busy(); }

}  // namespace railrunner::binding
