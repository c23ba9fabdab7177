#include "kv/copy_team.h"

#include <sched.h>

#include "core/wait.h"

namespace railrunner {

namespace {

// Yields before a helper sleeps: long enough to be awake for the next sample of a quick loop, short enough
// not to take a core from other ranks while this one waits at the gate.
constexpr uint32_t kSpins = 300;

constexpr uint64_t kNextRun = uint64_t{1} << 32;

uint32_t activeOf(uint64_t run) { return static_cast<uint32_t>(run); }

}  // namespace

CopyTeam::CopyTeam(uint32_t size)
    : threads_("copy threads", [this] {
        ending_.store(true, std::memory_order_relaxed);
        run_.fetch_add(kNextRun, std::memory_order_release);
        run_.notify_all();
      }) {
  for (uint32_t worker = 1; worker < size; ++worker) threads_.start([this, worker] { helperLoop(worker); });
}

void CopyTeam::start(uint32_t active) {
  if (active <= 1) return;
  pending_.store(active - 1, std::memory_order_relaxed);
  // Only run() writes it, and the destructor.
  const uint64_t number = run_.load(std::memory_order_relaxed) & ~(kNextRun - 1);
  run_.store((number + kNextRun) | active, std::memory_order_release);
  run_.notify_all();
}

void CopyTeam::finish(uint32_t active, RunControl& control) {
  if (active <= 1) return;
  Backoff backoff;
  bool told = false;
  while (pending_.load(std::memory_order_acquire) != 0) {
    if (!told && control.abort.load(std::memory_order_relaxed) != 0) {
      told = true;
      control.heldUpBy.store("copy threads that have not ended", std::memory_order_relaxed);
    }
    backoff.pause();
  }
  if (told) control.heldUpBy.store(nullptr, std::memory_order_relaxed);
}

void CopyTeam::helperLoop(uint32_t worker) {
  uint64_t seen = 0;
  for (;;) {
    for (uint32_t spin = 0; spin < kSpins && run_.load(std::memory_order_acquire) == seen; ++spin)
      sched_yield();
    run_.wait(seen, std::memory_order_acquire);
    seen = run_.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_relaxed)) return;
    if (worker >= activeOf(seen)) continue;
    call_(context_, worker);
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace railrunner
