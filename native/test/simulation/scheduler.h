#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/pattern.h"

// Every thread of every rank as a fiber of one thread, under one virtual clock, in an order that a seed decides. The
// threads know nothing of it: system_calls.cc stands in for what they ask the system (time, naps, mutexes, threads).
namespace railrunner::simulation {

class Random {
 public:
  explicit Random(uint64_t seed = 0) : state_(seed) {}
  uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15ULL); }
  uint64_t below(uint64_t bound) { return next() % bound; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(uint64_t percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

inline constexpr int64_t kUs = 1'000;
inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;

class Scheduler {
 public:
  // Of this process: a simulated world is a process.
  static Scheduler& get();
  // False outside a fiber: then calls of the system are the system's.
  bool isInside() const { return current_ != nullptr; }

  void begin(uint64_t seed, int numRanks, bool prints);
  // Returns the fiber's number.
  int spawn(int rank, std::string name, std::function<void()> body);
  // Until no fiber is left that will ever run, or the clock passes the limit. False: some were still at work then.
  bool run(int64_t limitNs);

  int64_t nowNs() const { return nowNs_; }
  int rank() const;
  int fiber() const;
  Random& random() { return random_; }

  // Of the running fiber. A pause is as long as its rank has been quiet, in proportion: what polls for a long time
  // polls rarely, so that silence costs few steps.
  void sleep(int64_t ns);
  void pause(int64_t leastNs, const void* place);
  // What a quiet rank oversleeps.
  int64_t lateness();
  // Until somebody wakes it by this address, or the time comes (0: never). False: the time came.
  bool block(const void* address, int64_t untilNs, const char* why);
  // All, or one of those that are blocked there.
  void wake(const void* address, bool all);
  // Reading the clock takes time; who only reads it is made to pause now and then.
  int64_t readClock();
  // Something came for the rank: its pauses are short again.
  void touch(int rank) { ranks_[static_cast<size_t>(rank)].touchedNs = nowNs_; }

  // Faults. A rank that is gone never runs again; one that is frozen (or one of its fibers, by name) goes on later.
  void crash(int rank) { ranks_[static_cast<size_t>(rank)].goneNs = nowNs_; }
  bool isGone(int rank) const { return ranks_[static_cast<size_t>(rank)].goneNs >= 0; }
  int64_t goneNs(int rank) const { return ranks_[static_cast<size_t>(rank)].goneNs; }
  void freeze(int rank, int64_t ns) { ranks_[static_cast<size_t>(rank)].frozenUntilNs = nowNs_ + ns; }

  // An event of the run: goes into the hash, and is printed where that was asked for.
  void trace(const char* what, int64_t a = 0, int64_t b = 0, int64_t c = 0);
  uint64_t traceHash() const { return hash_; }
  uint64_t numEvents() const { return numEvents_; }

  // What a checker found; the run goes on, and fails.
  void violate(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }
  // Where every fiber that is not over stands.
  std::string describe() const;
  // The same, into a printed trace.
  void explain() const {
    if (prints_) std::printf("%s", describe().c_str());
  }

 private:
  struct Fiber {
    int number = 0;
    int rank = 0;
    std::string name;
    std::function<void()> body;
    ucontext_t start{};
    jmp_buf context{};
    bool isStarted = false;
    bool isOver = false;
    const void* blockedOn = nullptr;
    const char* why = "";
    bool wasWoken = false;
    uint64_t turn = 0;  // entries of the queue for an earlier turn are void
    int64_t quietSinceNs = 0;
    const void* pausedAt = nullptr;
    uint32_t clockReads = 0;
    void* exceptions[2] = {};  // the thread's exceptions in flight, while another fiber runs
  };
  struct Rank {
    int64_t goneNs = -1;
    int64_t frozenUntilNs = 0;
    int64_t touchedNs = 0;
  };
  struct Turn {
    int64_t timeNs;
    uint64_t order;
    int fiber;
    uint64_t turn;
    bool operator>(const Turn& other) const {
      return timeNs != other.timeNs ? timeNs > other.timeNs : order > other.order;
    }
  };

  static void enter();
  void resume(Fiber& fiber);
  void leave();
  void schedule(Fiber& fiber, int64_t timeNs);

  int64_t nowNs_ = kSecond;
  Random random_;
  bool prints_ = false;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Rank> ranks_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  Fiber* current_ = nullptr;
  jmp_buf loop_{};
  uint32_t numBlocked_ = 0;
  uint64_t hash_ = 0;
  uint64_t numEvents_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace railrunner::simulation
