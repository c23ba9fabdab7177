#include "test/simulation/scheduler.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace railrunner::simulation {

namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr int64_t kLongestPauseNs = 20 * kMs;
constexpr int64_t kClockReadNs = 20;
constexpr uint32_t kClockReadsPerPause = 500;

char* newStack() {
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE) != 0) {
    std::perror("the stack of a fiber");
    std::abort();
  }
  return static_cast<char*>(stack);
}

}  // namespace

Scheduler& Scheduler::get() {
  static Scheduler scheduler;
  return scheduler;
}

void Scheduler::begin(uint64_t seed, int numRanks, bool prints) {
  random_ = Random(mix64(seed));
  ranks_.assign(static_cast<size_t>(numRanks), Rank{});
  prints_ = prints;
}

int Scheduler::spawn(int rank, std::string name, std::function<void()> body) {
  auto& fiber = *fibers_.emplace_back(std::make_unique<Fiber>());
  fiber.number = static_cast<int>(fibers_.size()) - 1;
  fiber.rank = rank;
  fiber.name = std::move(name);
  fiber.body = std::move(body);
  schedule(fiber, nowNs_ + random_.between(0, 50 * kUs));
  return fiber.number;
}

void Scheduler::schedule(Fiber& fiber, int64_t timeNs) {
  turns_.push({timeNs, random_.next(), fiber.number, ++fiber.turn});
}

int Scheduler::rank() const { return current_->rank; }
int Scheduler::fiber() const { return current_->number; }

void Scheduler::enter() {
  Scheduler& self = get();
  try {
    self.current_->body();
  } catch (const std::exception& error) {
    self.violate("a thread of rank " + std::to_string(self.current_->rank) + " (" + self.current_->name +
                 ") let an exception escape: " + error.what());
  }
  self.current_->isOver = true;
  self.current_->body = nullptr;
  self.leave();
}

// From the loop into a fiber; comes back when the fiber leaves.
void Scheduler::resume(Fiber& fiber) {
  current_ = &fiber;
  void* exceptions = abi::__cxa_get_globals();
  std::memcpy(exceptions, fiber.exceptions, sizeof fiber.exceptions);
  if (_setjmp(loop_) == 0) {
    if (fiber.isStarted) _longjmp(fiber.context, 1);
    fiber.isStarted = true;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = newStack();
    fiber.start.uc_stack.ss_size = kStackBytes;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, &Scheduler::enter, 0);
    setcontext(&fiber.start);
  }
  std::memcpy(current_->exceptions, abi::__cxa_get_globals(), sizeof current_->exceptions);
  current_ = nullptr;
}

void Scheduler::leave() {
  if (_setjmp(current_->context) == 0) _longjmp(loop_, 1);
}

bool Scheduler::run(int64_t limitNs) {
  while (!turns_.empty()) {
    const Turn turn = turns_.top();
    if (turn.timeNs > limitNs) return false;
    turns_.pop();
    Fiber& fiber = *fibers_[static_cast<size_t>(turn.fiber)];
    if (turn.turn != fiber.turn || fiber.isOver) continue;
    Rank& rank = ranks_[static_cast<size_t>(fiber.rank)];
    if (rank.goneNs >= 0) continue;
    if (rank.frozenUntilNs > turn.timeNs) {
      schedule(fiber, rank.frozenUntilNs + random_.between(0, kMs));
      continue;
    }
    nowNs_ = std::max(nowNs_, turn.timeNs);
    if (fiber.blockedOn != nullptr) {
      fiber.blockedOn = nullptr;
      --numBlocked_;
    }
    fiber.clockReads = 0;
    hash_ = mix64(hash_ ^ static_cast<uint64_t>(nowNs_) ^ (static_cast<uint64_t>(fiber.number) << 48));
    ++numEvents_;
    resume(fiber);
  }
  return true;
}

void Scheduler::sleep(int64_t ns) {
  schedule(*current_, nowNs_ + std::max<int64_t>(ns, 1));
  leave();
}

void Scheduler::pause(int64_t leastNs, const void* place) {
  Fiber& fiber = *current_;
  if (fiber.pausedAt != place) {
    fiber.pausedAt = place;
    fiber.quietSinceNs = nowNs_;
  }
  const int64_t since = std::max(fiber.quietSinceNs, ranks_[static_cast<size_t>(fiber.rank)].touchedNs);
  const int64_t quietNs = std::min((nowNs_ - since) / 8, kLongestPauseNs);
  sleep(std::max(leastNs, quietNs) + random_.between(100, 2 * kUs));
}

int64_t Scheduler::lateness() {
  const int64_t quietNs = nowNs_ - ranks_[static_cast<size_t>(current_->rank)].touchedNs;
  return std::min(quietNs / 8, kLongestPauseNs) + random_.between(0, 2 * kUs);
}

bool Scheduler::block(const void* address, int64_t untilNs, const char* why) {
  Fiber& fiber = *current_;
  fiber.blockedOn = address;
  fiber.why = why;
  fiber.wasWoken = false;
  ++numBlocked_;
  if (untilNs != 0) {
    schedule(fiber, untilNs);
  } else {
    ++fiber.turn;
  }
  leave();
  return fiber.wasWoken;
}

void Scheduler::wake(const void* address, bool all) {
  if (numBlocked_ == 0) return;
  std::vector<Fiber*> found;
  for (const auto& fiber : fibers_) {
    if (fiber->blockedOn == address && !fiber->wasWoken) found.push_back(fiber.get());
  }
  if (!all && found.size() > 1) found = {found[random_.below(found.size())]};
  for (Fiber* fiber : found) {
    fiber->wasWoken = true;
    fiber->pausedAt = nullptr;
    schedule(*fiber, nowNs_ + random_.between(200, 5 * kUs));
  }
}

int64_t Scheduler::readClock() {
  nowNs_ += kClockReadNs;
  if (++current_->clockReads > kClockReadsPerPause) {
    current_->clockReads = 0;
    pause(kUs, nullptr);
  }
  return nowNs_;
}

void Scheduler::trace(const char* what, int64_t a, int64_t b, int64_t c) {
  for (const char* at = what; *at != '\0'; ++at) hash_ = mix64(hash_ ^ static_cast<uint8_t>(*at));
  for (const int64_t value : {a, b, c}) hash_ = mix64(hash_ ^ static_cast<uint64_t>(value));
  if (!prints_) return;
  std::printf("%14.3f us  rank %d %-10s %s %lld %lld %lld\n", static_cast<double>(nowNs_ - kSecond) * 1e-3,
              current_ != nullptr ? current_->rank : -1, current_ != nullptr ? current_->name.c_str() : "",
              what, static_cast<long long>(a), static_cast<long long>(b), static_cast<long long>(c));
}

void Scheduler::violate(const std::string& what) {
  violations_.push_back(what);
  if (prints_) std::printf("VIOLATION %s\n", what.c_str());
}

std::string Scheduler::describe() const {
  std::string text;
  for (const auto& fiber : fibers_) {
    if (fiber->isOver || isGone(fiber->rank)) continue;
    text += "  rank " + std::to_string(fiber->rank) + " " + fiber->name + ": " +
            (fiber->blockedOn != nullptr ? fiber->why : "polls") + "\n";
  }
  return text;
}

}  // namespace railrunner::simulation
