#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

#include "core/error.h"
#include "core/run_control.h"
#include "core/threads.h"

namespace railrunner {

// Splits [0, count) into pieces of `step` and calls body(begin, end, worker) on up to `threads` threads,
// polling the abort word before each piece. Returns when all have ended; the first exception is thrown then.
// For preparation and checks, not for timed spans: threads are started each time.
template <class Body>
void parallelFor(uint64_t count, uint64_t step, uint32_t threads, const RunControl& control, Body&& body) {
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&](uint32_t worker) {
    try {
      for (;;) {
        const uint64_t begin = next.fetch_add(step);
        if (begin >= count || failed.load(std::memory_order_relaxed)) return;
        if (control.abort.load(std::memory_order_relaxed) != 0) {
          throw Error(ErrorCode::kAborted, "stopped while filling or checking a pool");
        }
        body(begin, std::min(begin + step, count), worker);
      }
    } catch (...) {
      failed.store(true, std::memory_order_relaxed);
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  const uint64_t pieces = (count + step - 1) / step;
  const auto extra = static_cast<uint32_t>(std::min<uint64_t>(threads, pieces));
  ThreadGroup helpers("threads that fill or check a pool", [&] { failed.store(true); });
  for (uint32_t worker = 1; worker < extra; ++worker) helpers.start([&work, worker] { work(worker); });
  work(0);
  helpers.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
