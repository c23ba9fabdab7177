// What threads ask of the system, answered by the scheduler while a simulation runs. The program's own definitions come
// before those of the C library, also for the C++ library: nothing of railrunner is built differently for a simulation.
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/simulation/scheduler.h"

using railrunner::simulation::kSecond;
using railrunner::simulation::kUs;
using railrunner::simulation::Scheduler;

#define STANDS_IN extern "C" __attribute__((visibility("default")))

namespace {

constexpr uint64_t kPreemptPercent = 6;  // before a mutex is taken
constexpr pthread_t kFirstThread = 1'000'000;

Scheduler& scheduler() { return Scheduler::get(); }

int64_t nsOf(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

// Its first word tells whether it is held, as in the C library's own: zero is a free mutex.
int& heldOf(pthread_mutex_t* mutex) { return mutex->__data.__lock; }

int& endedOf(pthread_t thread) {
  static int ended[4096];
  return ended[(thread - kFirstThread) % 4096];
}

int waitOn(pthread_cond_t* condition, pthread_mutex_t* mutex, int64_t untilNs) {
  pthread_mutex_unlock(mutex);
  if (untilNs != 0) untilNs = std::max(untilNs, scheduler().nowNs() + kUs) + scheduler().lateness();
  const bool woken = scheduler().block(condition, untilNs, "waits on a condition");
  pthread_mutex_lock(mutex);
  return woken ? 0 : ETIMEDOUT;
}

}  // namespace

STANDS_IN int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (!scheduler().isInside()) return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  const int64_t ns = scheduler().readClock();
  time->tv_sec = ns / kSecond;
  time->tv_nsec = ns % kSecond;
  return 0;
}

STANDS_IN int sched_yield() noexcept {
  if (!scheduler().isInside()) return static_cast<int>(syscall(SYS_sched_yield));
  scheduler().pause(kUs / 2, __builtin_frame_address(0));
  return 0;
}

STANDS_IN int nanosleep(const timespec* wanted, timespec*) {
  scheduler().pause(nsOf(*wanted), __builtin_frame_address(0));
  return 0;
}

STANDS_IN int clock_nanosleep(clockid_t, int, const timespec* wanted, timespec*) {
  scheduler().pause(nsOf(*wanted), __builtin_frame_address(0));
  return 0;
}

STANDS_IN int usleep(useconds_t us) {
  scheduler().pause(static_cast<int64_t>(us) * kUs, __builtin_frame_address(0));
  return 0;
}

// A host of two cores: what ranks do of their own depends on it, and must not depend on this machine.
STANDS_IN int sched_getaffinity(pid_t, size_t bytes, cpu_set_t* cores) noexcept {
  std::memset(cores, 0, bytes);
  *reinterpret_cast<uint64_t*>(cores) = 3;
  return 0;
}

STANDS_IN int pthread_create(pthread_t* thread, const pthread_attr_t*, void* (*body)(void*),
                             void* argument) noexcept {
  if (!scheduler().isInside()) std::abort();
  auto number = std::make_shared<pthread_t>(0);
  const int fiber = scheduler().spawn(scheduler().rank(), "thread", [body, argument, number] {
    body(argument);
    endedOf(*number) = 1;
    scheduler().wake(&endedOf(*number), true);
  });
  *number = kFirstThread + static_cast<pthread_t>(fiber);
  endedOf(*number) = 0;
  *thread = *number;
  return 0;
}

STANDS_IN int pthread_join(pthread_t thread, void**) {
  while (endedOf(thread) == 0) scheduler().block(&endedOf(thread), 0, "joins a thread");
  return 0;
}

STANDS_IN int pthread_detach(pthread_t) noexcept { return 0; }

STANDS_IN int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  int& held = heldOf(mutex);
  if (held != 0) return EBUSY;
  held = 1;
  return 0;
}

STANDS_IN int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  int& held = heldOf(mutex);
  if (scheduler().isInside()) {
    if (scheduler().random().chance(kPreemptPercent)) scheduler().sleep(kUs);
    while (held != 0) scheduler().block(mutex, 0, "waits for a mutex");
  }
  held = 1;
  return 0;
}

STANDS_IN int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  heldOf(mutex) = 0;
  if (scheduler().isInside()) scheduler().wake(mutex, false);
  return 0;
}

STANDS_IN int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  return waitOn(condition, mutex, 0);
}

STANDS_IN int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                     const timespec* until) {
  return waitOn(condition, mutex, nsOf(*until));
}

STANDS_IN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t,
                                     const timespec* until) {
  return waitOn(condition, mutex, nsOf(*until));
}

STANDS_IN int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  if (scheduler().isInside()) scheduler().wake(condition, false);
  return 0;
}

STANDS_IN int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  if (scheduler().isInside()) scheduler().wake(condition, true);
  return 0;
}
