#include "network/proxy.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <sched.h>
#include <time.h>

#include <algorithm>

namespace railrunner {

namespace {

// How an idle proxy rests. Yields first (a message often follows the last), then naps that grow to a
// millisecond: a receiver that waits polls by itself, so a nap delays only those who expect nothing. With
// triggers attached it naps short, since a kernel waits for it.
class ProxyRest {
 public:
  void rest(bool hasTriggers) {
    ++idleRounds_;
    if (idleRounds_ < (hasTriggers ? 20'000U : 200U)) {
      sched_yield();
    } else {
      nap(hasTriggers ? 20'000 : std::min<int64_t>(1'000'000, 20'000 + idleRounds_ * 100));
    }
  }
  static void nap(int64_t nanoseconds) {
    const timespec duration{0, nanoseconds};
    nanosleep(&duration, nullptr);
  }
  void reset() { idleRounds_ = 0; }

 private:
  uint32_t idleRounds_ = 0;
};

// Where a put's payload lies in this rank's memory. Kernels are checked like peers: their memory may be
// corrupt. Regions change under all workers' locks, so that any one will do: the proxy's own, since another's
// may be held by a send that waits.
const uint8_t* sourceOf(Network::State& state, NetworkWorker& worker, const Trigger& trigger) {
  std::lock_guard<std::mutex> hold(worker.mutex());
  const std::vector<ArrivalRegion>& regions = state.arrivalRegions;
  if (trigger.region >= regions.size() || trigger.sourceOrValue > regions[trigger.region].bytes ||
      trigger.bytes > regions[trigger.region].bytes - trigger.sourceOrValue) {
    throw Error(ErrorCode::kArgument,
                "network: a kernel's put reads outside region " + std::to_string(trigger.region));
  }
  return regions[trigger.region].base + trigger.sourceOrValue;
}

void forwardTrigger(Network::State& state, NetworkWorker& worker, const Trigger& trigger) {
  // A peer that is lost must not block the kernel's ring: its triggers are consumed, and the waits above
  // report it.
  try {
    if (trigger.kind == TriggerKind::kSignal) {
      state.signal(
          {trigger.peer, trigger.slot, trigger.epoch, trigger.region, trigger.offset, trigger.sourceOrValue},
          true);
      return;
    }
    const uint8_t* source = sourceOf(state, worker, trigger);
    state.put(
        {trigger.peer, trigger.slot, trigger.epoch, trigger.region, trigger.offset, source, trigger.bytes});
  } catch (const Error& error) {
    if (trigger.peer < state.shared.worldSize) state.peers.markLost(trigger.peer, error.what());
  }
}

}  // namespace

void runProxy(Network::State& state, uint32_t index) {
  Network::State::Proxy& self = *state.proxies[index];
  NetworkWorker& worker = *state.workers[index];
  ProxyRest rest;
  uint64_t consumed = 0;
  uint64_t seenPolls = 0;
  while (!state.stopProxies.load(std::memory_order_relaxed)) {
    const bool hasTriggers = self.hasTriggers.load(std::memory_order_acquire);
    bool happened = false;
    Trigger trigger;
    for (int i = 0; hasTriggers && i < 64 && self.triggers.pop(trigger, consumed); ++i) {
      forwardTrigger(state, worker, trigger);
      happened = true;
    }
    const uint64_t polls = state.callerPolls.load(std::memory_order_relaxed);
    const bool callerPolls = polls != seenPolls;
    seenPolls = polls;
    if (callerPolls && !hasTriggers) {
      ProxyRest::nap(500'000);
      continue;
    }
    {
      std::unique_lock<std::mutex> hold(worker.mutex(), std::try_to_lock);
      if (hold.owns_lock()) happened |= worker.progress();
    }
    if (happened) {
      rest.reset();
    } else {
      rest.rest(hasTriggers);
    }
  }
}

}  // namespace railrunner

#endif
