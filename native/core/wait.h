#pragma once

#include <sched.h>
#include <time.h>

#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "core/run_control.h"

namespace railrunner {

// One step of a polite spin: bare polls, as many as RunControl says, then yields, then naps. Bare spinning
// alone costs up to 170 us where the scheduler puts both sides on one core; napping at once costs the latency
// that is being measured.
class Backoff {
 public:
  Backoff() = default;
  explicit Backoff(const RunControl& control)
      : barePolls_(control.barePolls.load(std::memory_order_relaxed)) {}

  void pause() {
    ++polls_;
    if (polls_ < barePolls_) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("isb" ::: "memory");  // `yield` is a no-op on most cores; isb gives the pipeline a pause
#endif
    } else if (polls_ < 20'000) {
      sched_yield();
    } else {
      const timespec nap{0, 50'000};
      nanosleep(&nap, nullptr);
    }
  }
  void reset() { polls_ = 0; }

 private:
  uint32_t barePolls_ = RunControl::kBarePolls;
  uint32_t polls_ = 0;
};

// Waits until ready() is true. Throws kAborted when the rank is told to stop waiting, kTimeout at the
// deadline (nowNs based; 0 = the caller's stage deadline aborts instead). `what` names the wait for the
// message.
template <class Ready>
void waitUntil(Ready&& ready, const RunControl& control, int64_t deadlineNs, const char* what) {
  Backoff backoff(control);
  for (uint32_t polls = 0; !ready(); ++polls) {
    if (control.abort.load(std::memory_order_relaxed) != 0) {
      throw Error(ErrorCode::kAborted, std::string("stopped waiting for ") + what);
    }
    if (deadlineNs != 0 && (polls & 63U) == 63U && nowNs() > deadlineNs) {
      throw Error(ErrorCode::kTimeout, std::string("deadline passed waiting for ") + what);
    }
    backoff.pause();
  }
}

}  // namespace railrunner
