#include "kv/copy_team.h"

#include <sched.h>

#include "core/wait.h"

namespace railrunner {

namespace {

// Yields before a helper sleeps: long enough to be awake for the next sample of a quick loop, short enough
// not to take a core from other ranks while this one waits at the gate.
constexpr uint32_t kSpins = 300;

}  // namespace

CopyTeam::CopyTeam(uint32_t size) {
  for (uint32_t worker = 1; worker < size; ++worker)
    helpers_.emplace_back([this, worker] { helperLoop(worker); });
}

CopyTeam::~CopyTeam() {
  ending_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void CopyTeam::start(uint32_t active) {
  active_ = active;
  if (active <= 1) return;
  pending_.store(active - 1, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
}

void CopyTeam::finish() {
  if (active_ <= 1) return;
  Backoff backoff;
  while (pending_.load(std::memory_order_acquire) != 0) backoff.pause();
}

void CopyTeam::helperLoop(uint32_t worker) {
  uint32_t seen = 0;
  for (;;) {
    for (uint32_t spin = 0; spin < kSpins && epoch_.load(std::memory_order_acquire) == seen; ++spin)
      sched_yield();
    epoch_.wait(seen, std::memory_order_acquire);
    seen = epoch_.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_relaxed)) return;
    if (worker >= active_) continue;
    call_(context_, worker);
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace railrunner
