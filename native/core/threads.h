#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace railrunner {

// Threads that work for one owner and end with it. A thread that the system refuses is an error of the owner's caller
// (kAllocation, naming the limit), and never the end of the process: those that run already are ended and joined while
// the stack unwinds. Declare it after everything that its threads use.
class ThreadGroup {
 public:
  // `purpose` names the threads in errors, in the plural ("copy threads"). `end` makes every body return; it is called
  // once, before threads are joined, and possibly before a body has begun.
  ThreadGroup(const char* purpose, std::function<void()> end);
  ~ThreadGroup();
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  // `body` must not throw.
  void start(std::function<void()> body);
  uint32_t size() const { return static_cast<uint32_t>(threads_.size()); }

  // Waits for bodies that return by themselves.
  void join();
  // Ends them and waits. Both are idempotent.
  void finish();
  // Ends them and waits until `deadlineNs` (nowNs based). False: some did not return and are left to themselves, so
  // that what they use must outlive them.
  bool finishBy(int64_t deadlineNs);

 private:
  void callEnd();

  const char* purpose_;
  std::function<void()> end_;
  std::shared_ptr<std::atomic<uint32_t>>
      running_;  // shared: a thread that is left behind still counts itself out
  std::vector<std::thread> threads_;
};

// A thread that nobody joins, for work that may be stuck in foreign code when the process ends. Throws as
// ThreadGroup::start() does.
void startDetached(const char* purpose, std::function<void()> body);

}  // namespace railrunner
