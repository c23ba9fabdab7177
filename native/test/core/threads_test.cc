// Every team of threads where the system refuses one: an error that names the limits, and none is left behind.
#include "core/threads.h"

#include "core/clock.h"
#include "core/error.h"
#include "kv/copy_team.h"
#include "kv/parallel.h"
#include "storage/disk_threads.h"
#include "test/core/process_counts.h"
#include "test/core/refused_threads.h"
#include "test/support/named_cases.h"

namespace railrunner::test {
namespace {

constexpr int kAllowed = 2;

void refusedWith(const char* purpose, const std::function<void()>& body) {
  const int before = countProcess().threads;
  threadsLeft.store(kAllowed);
  std::string said;
  try {
    body();
  } catch (const Error& error) {
    said = error.what();
    expectEqual(std::string(errorCodeName(error.code())), std::string("E_ALLOCATION"), said);
  }
  threadsLeft.store(-1);
  for (const char* part : {purpose, "thread 3 could not be started", "pids.max", "RLIMIT_NPROC"})
    ok(said.find(part) != std::string::npos, "`" + said + "` lacks `" + part + "`");
  // A joined thread is gone from /proc a moment after it has been joined.
  for (int i = 0; i < 1000 && countProcess().threads != before; ++i) usleep(1000);
  expectEqual(countProcess().threads, before, "threads afterwards");
}

TEST("a copy team that is refused a thread") {
  refusedWith("copy threads", [] { CopyTeam team(8); });
}

TEST("threads that fill a pool") {
  refusedWith("threads that fill or check a pool", [] {
    RunControl control;
    parallelFor(64, 1, 8, control, [](uint64_t, uint64_t, uint32_t) { usleep(1000); });
  });
}

TEST("disk threads") {
  refusedWith("disk threads", [] { DiskThreads threads(0, 8); });
}

TEST("a thread that nobody joins") {
  threadsLeft.store(0);
  throws(ErrorCode::kAllocation, "the control thread: thread 1 could not be started",
         [] { startDetached("the control thread", [] {}); });
  threadsLeft.store(-1);
}

TEST("a thread that does not end is left behind at the deadline, one that ends is joined") {
  auto release = std::make_shared<std::atomic<bool>>(false);
  ThreadGroup stuck("stuck threads", [] {});
  stuck.start([release] {
    while (!release->load()) usleep(1000);
  });
  ok(!stuck.finishBy(nowNs() + 20'000'000), "a thread that still runs was called ended");
  release->store(true);
  std::atomic<bool> ended{false};
  ThreadGroup willing("willing threads", [&] { ended.store(true); });
  willing.start([&] {
    while (!ended.load()) usleep(1000);
  });
  ok(willing.finishBy(nowNs() + 60'000'000'000), "a thread that ends was not joined");
}

}  // namespace
}  // namespace railrunner::test

int main() { return railrunner::test::runAll(); }
