#pragma once

#include <atomic>
#include <cstdint>

#include "core/run_control.h"
#include "core/threads.h"

namespace railrunner {

// A fixed team of threads that run one piece of work together, again and again. Starting it costs no
// allocation and no lock: helpers spin for a moment after each run, then sleep on a futex.
class CopyTeam {
 public:
  // `size` counts the caller of run(): a team of 1 has no thread of its own. Throws kAllocation.
  explicit CopyTeam(uint32_t size);
  CopyTeam(const CopyTeam&) = delete;
  CopyTeam& operator=(const CopyTeam&) = delete;

  uint32_t size() const { return threads_.size() + 1; }

  // Calls work(worker) once for each worker below `active` (at most size()), the caller being worker 0;
  // returns when all have ended: they use the caller's memory. `work` must not throw; it ends soon after the abort word
  // is set. Where a helper does not, control.heldUpBy says so.
  template <class Work>
  void run(Work& work, uint32_t active, RunControl& control) {
    call_ = [](void* context, uint32_t worker) { (*static_cast<Work*>(context))(worker); };
    context_ = &work;
    start(active);
    work(0);
    finish(active, control);
  }

 private:
  void start(uint32_t active);
  void finish(uint32_t active, RunControl& control);
  void helperLoop(uint32_t worker);

  void (*call_)(void*, uint32_t) = nullptr;
  void* context_ = nullptr;
  // The number of the run, and how many take part in it: one word, because a helper that wakes late must not take the
  // number of one run for that of another.
  alignas(64) std::atomic<uint64_t> run_{0};
  alignas(64) std::atomic<uint32_t> pending_{0};
  std::atomic<bool> ending_{false};
  ThreadGroup threads_;
};

}  // namespace railrunner
