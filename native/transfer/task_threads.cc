#include "transfer/task_threads.h"

#include <algorithm>

#include "core/wait.h"

namespace railrunner {

namespace {

// A thread looks this often for its next task before it sleeps: waking it costs some 30 us.
constexpr uint32_t kPollsBeforeSleep = 20'000;

}  // namespace

class TaskThreads::Task final : public CopyTask {
 public:
  Task(TaskThreads& threads, Body body) : threads_(threads), body_(std::move(body)) {}
  ~Task() override { drain(); }

  void start(uint32_t chunk) override {
    failure_ = nullptr;
    chunk_ = chunk;
    state_.store(State::kQueued, std::memory_order_relaxed);
    threads_.push(*this);
  }
  bool poll() override {
    if (state_.load(std::memory_order_acquire) != State::kEnded) return false;
    if (failure_) std::rethrow_exception(failure_);
    return true;
  }
  void drain() noexcept override {
    if (threads_.withdraw(*this)) state_.store(State::kEnded, std::memory_order_relaxed);
    // A copy ends by itself, or at the abort word.
    Backoff backoff(threads_.control_);
    while (state_.load(std::memory_order_acquire) == State::kQueued) backoff.pause();
  }
  void run(SpanCopier& copier) {
    try {
      body_(copier, chunk_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    state_.store(State::kEnded, std::memory_order_release);
  }

 private:
  enum class State : uint32_t { kIdle, kQueued, kEnded };
  TaskThreads& threads_;
  Body body_;
  std::atomic<State> state_{State::kIdle};
  uint32_t chunk_ = 0;
  std::exception_ptr failure_;
};

TaskThreads::TaskThreads(RunControl& control, uint32_t maxConcurrent, uint32_t threadsPerTask, bool streaming)
    : control_(control),
      threadsPerTask_(std::max(1U, threadsPerTask)),
      streaming_(streaming),
      threads_("transfer threads", [this] {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        queued_.store(1, std::memory_order_release);  // those that poll for a task look no longer
        wake_.notify_all();
      }) {
  for (uint32_t i = 0; i < std::max(1U, maxConcurrent); ++i) threads_.start([this] { loop(); });
}

TaskThreads::~TaskThreads() { threads_.finish(); }

std::unique_ptr<CopyTask> TaskThreads::makeTask(Body body) {
  return std::make_unique<Task>(*this, std::move(body));
}

void TaskThreads::push(Task& task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(&task);
    queued_.store(static_cast<uint32_t>(queue_.size()), std::memory_order_release);
  }
  wake_.notify_one();
}

bool TaskThreads::withdraw(Task& task) {
  const std::lock_guard lock(mutex_);
  const bool was = std::erase(queue_, &task) > 0;
  queued_.store(static_cast<uint32_t>(queue_.size()), std::memory_order_relaxed);
  return was;
}

TaskThreads::Task* TaskThreads::next() {
  const bool crowded = control_.barePolls.load(std::memory_order_relaxed) < RunControl::kBarePolls;
  Backoff backoff(control_);
  for (uint32_t polls = 0; !crowded && polls < kPollsBeforeSleep; ++polls) {
    if (queued_.load(std::memory_order_acquire) != 0) break;
    backoff.pause();
  }
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return ended_ || !queue_.empty(); });
  if (queue_.empty()) return nullptr;
  Task* task = queue_.front();
  queue_.pop_front();
  queued_.store(static_cast<uint32_t>(queue_.size()), std::memory_order_relaxed);
  return task;
}

void TaskThreads::loop() {
  SpanCopier copier(threadsPerTask_, streaming_);
  while (Task* task = next()) {
    const uint32_t running = running_.fetch_add(1, std::memory_order_relaxed) + 1;
    uint32_t most = mostRunning_.load(std::memory_order_relaxed);
    while (running > most && !mostRunning_.compare_exchange_weak(most, running)) {
    }
    task->run(copier);
    running_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace railrunner
