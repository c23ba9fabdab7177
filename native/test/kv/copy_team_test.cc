// links: core/error.cc core/threads.cc kv/copy_team.cc kv/stream_copy.cc kv/span_copier.cc
// Teams of 3 to 6 threads whose number of active workers changes from run to run: each takes part once, and nothing is
// in flight when a run has returned. Made for ThreadSanitizer, and says the same without it.
// usage: copy_team_test [runs]
#include "kv/copy_team.h"

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "core/error.h"
#include "kv/span_copier.h"
#include "test/support/named_cases.h"

namespace railrunner::test {
namespace {

constexpr uint32_t kSmallest = 3;
constexpr uint32_t kLargest = 6;
uint32_t numRuns = 3000;

// A number in [low, high], the same in every run of the test.
class Sequence {
 public:
  uint32_t next(uint32_t low, uint32_t high) {
    state_ = state_ * 1664525U + 1013904223U;
    return low + (state_ >> 16) % (high - low + 1);
  }

 private:
  uint32_t state_ = 7;
};

TEST("each active worker is called once, and none is inside when a run returns") {
  for (uint32_t size = kSmallest; size <= kLargest; ++size) {
    RunControl control;
    CopyTeam team(size);
    Sequence sequence;
    std::vector<uint32_t> calls(size);  // plain: an overlap is a race
    for (uint32_t run = 0; run < numRuns; ++run) {
      const uint32_t active = sequence.next(1, size);
      std::fill(calls.begin(), calls.end(), 0U);
      auto body = [&](uint32_t worker) { ++calls[worker]; };
      team.run(body, active, control);
      for (uint32_t worker = 0; worker < size; ++worker) {
        expectEqual(calls[worker], worker < active ? 1U : 0U,
                    "calls of worker " + std::to_string(worker) + " of " + std::to_string(active));
      }
    }
  }
}

TEST("lists of spans of any length are copied whole, and their bytes counted") {
  constexpr uint64_t kSpanBytes = 1024;
  for (uint32_t threads = kSmallest; threads <= kLargest; ++threads) {
    RunControl control;
    SpanCopier copier(threads, false);
    Sequence sequence;
    const uint32_t most = 4 * threads + 3;
    std::vector<std::byte> source(most * kSpanBytes);
    std::vector<std::byte> target(source.size());
    for (uint32_t run = 0; run < numRuns / 4; ++run) {
      std::vector<CopySpan> spans;
      const uint32_t count = sequence.next(1, most);
      for (uint32_t i = 0; i < count; ++i) spans.push_back({i * kSpanBytes, i * kSpanBytes, kSpanBytes});
      std::memset(source.data(), static_cast<int>(run % 251), source.size());
      const uint64_t bytes = copier.copy(spans, source.data(), target.data(), control);
      expectEqual(bytes, count * kSpanBytes, "bytes of run " + std::to_string(run));
      ok(std::memcmp(source.data(), target.data(), bytes) == 0,
         "the target differs when copy() has returned");
    }
  }
}

TEST("a helper that stays away after the abort word is named while it is waited for") {
  RunControl control;
  CopyTeam team(3);
  std::atomic<bool> release{false};
  std::atomic<const char*> seen{nullptr};
  auto body = [&](uint32_t worker) {
    while (worker == 2 && !release.load()) std::this_thread::yield();
  };
  std::thread watcher([&] {
    control.abort.store(1);
    while (control.heldUpBy.load() == nullptr) std::this_thread::yield();
    seen.store(control.heldUpBy.load());
    release.store(true);
  });
  team.run(body, 3, control);
  watcher.join();
  ok(std::string(seen.load()).find("copy threads") != std::string::npos, "what was held up by");
  ok(control.heldUpBy.load() == nullptr, "nothing is held up afterwards");
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  if (argc > 1) railrunner::test::numRuns = static_cast<uint32_t>(std::atoi(argv[1]));
  return railrunner::test::runAll();
}
