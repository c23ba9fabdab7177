#include "core/threads.h"

#include <sys/resource.h>

#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/wait.h"

namespace railrunner {

namespace {

std::string textOf(rlim_t limit) { return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit); }

// The pids.max that binds: the nearest one with a number, from this process's cgroup up. Version 2 has one tree, version
// 1 one for each controller.
std::string pidsLimit() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "pids") continue;
    const std::string root = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      const std::string name = root + (path == "/" ? "" : path) + "/pids.max";
      std::string value;
      if (std::ifstream(name) >> value && value != "max") return name + " is " + value;
      if (path.rfind('/') == std::string::npos) break;
    }
  }
  return "pids.max of its cgroup is not set";
}

std::string threadsOfProcess() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Threads:", 0) == 0) return line.substr(line.find_first_not_of(" \t", 8));
  }
  return "an unknown number of";
}

// EAGAIN is all that the kernel says, whichever limit was reached: all that can be meant are named.
Error refused(const char* purpose, size_t running, const std::system_error& cause) {
  rlimit processes{};
  rlimit memory{};
  getrlimit(RLIMIT_NPROC, &processes);
  getrlimit(RLIMIT_AS, &memory);
  return Error(ErrorCode::kAllocation,
               std::string(purpose) + ": thread " + std::to_string(running + 1) +
                   " could not be started: " + cause.code().message() + ". This process has " +
                   threadsOfProcess() + " threads; " + pidsLimit() + ", RLIMIT_NPROC (ulimit -u) is " +
                   textOf(processes.rlim_cur) + ", RLIMIT_AS (ulimit -v) is " + textOf(memory.rlim_cur) +
                   ". Raise the limit that was reached, or use fewer threads per rank.");
}

}  // namespace

ThreadGroup::ThreadGroup(const char* purpose, std::function<void()> end)
    : purpose_(purpose), end_(std::move(end)), running_(std::make_shared<std::atomic<uint32_t>>(0)) {}

ThreadGroup::~ThreadGroup() { finish(); }

void ThreadGroup::start(std::function<void()> body) {
  threads_.reserve(threads_.size() + 1);
  running_->fetch_add(1, std::memory_order_relaxed);
  try {
    threads_.emplace_back([body = std::move(body), running = running_] {
      body();
      running->fetch_sub(1, std::memory_order_release);
    });
  } catch (const std::system_error& cause) {
    running_->fetch_sub(1, std::memory_order_relaxed);
    throw refused(purpose_, threads_.size(), cause);
  }
}

void ThreadGroup::callEnd() {
  if (const auto end = std::exchange(end_, nullptr)) end();
}

void ThreadGroup::join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ThreadGroup::finish() {
  callEnd();
  join();
}

bool ThreadGroup::finishBy(int64_t deadlineNs) {
  callEnd();
  Backoff backoff;
  while (running_->load(std::memory_order_acquire) != 0 && nowNs() < deadlineNs) backoff.pause();
  if (running_->load(std::memory_order_acquire) == 0) {
    join();
    return true;
  }
  for (std::thread& thread : threads_) thread.detach();
  threads_.clear();
  return false;
}

void startDetached(const char* purpose, std::function<void()> body) {
  try {
    std::thread(std::move(body)).detach();
  } catch (const std::system_error& cause) {
    throw refused(purpose, 0, cause);
  }
}

}  // namespace railrunner
