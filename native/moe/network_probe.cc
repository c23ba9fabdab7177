#include "moe/network_probe.h"

#include <atomic>
#include <functional>
#include <string>

#include "core/attempt.h"
#include "core/error.h"
#include "core/sampler.h"
#include "core/threads.h"
#include "core/wait.h"

namespace railrunner::moe {

// A thread for each slot but the first, which stream on command: proxies work side by side in a call, so what
// limits it is not what one thread can hand them.
class SlotThreads {
 public:
  using Stream = std::function<void(uint32_t slot, uint64_t epoch)>;

  SlotThreads(uint32_t numSlots, Stream stream, const RunControl& control)
      : stream_(std::move(stream)),
        control_(control),
        failures_(numSlots),
        threads_("threads that stream over the network", [this] { isOver_.store(true); }) {
    for (uint32_t slot = 1; slot < numSlots; ++slot) threads_.start([this, slot] { serve(slot); });
  }

  // Every slot's stream of this epoch (1, 2, ...). Throws what the first of them threw.
  void run(uint64_t epoch) {
    ended_.store(0, std::memory_order_relaxed);
    epoch_.store(epoch, std::memory_order_release);
    failures_[0] = attempt([&] { stream_(0, epoch); });
    // Their waits end with this rank's abort, as the first slot's does.
    Backoff backoff(control_);
    while (ended_.load(std::memory_order_acquire) < threads_.size()) backoff.pause();
    for (const std::exception_ptr& failure : failures_) {
      if (failure != nullptr) std::rethrow_exception(failure);
    }
  }

 private:
  void serve(uint32_t slot) {
    for (uint64_t served = 0; !isOver_.load(std::memory_order_relaxed);) {
      Backoff backoff(control_);
      uint64_t epoch = served;
      while ((epoch = epoch_.load(std::memory_order_acquire)) == served &&
             !isOver_.load(std::memory_order_relaxed))
        backoff.pause();
      if (epoch == served) return;
      failures_[slot] = attempt([&] { stream_(slot, epoch); });
      served = epoch;
      ended_.fetch_add(1, std::memory_order_release);
    }
  }

  const Stream stream_;
  const RunControl& control_;
  std::vector<std::exception_ptr> failures_;  // by slot
  std::atomic<uint64_t> epoch_{0};
  std::atomic<uint32_t> ended_{0};
  std::atomic<bool> isOver_{false};
  ThreadGroup threads_;  // last: they end before what they use
};

// What core/sampler.h asks for.
struct StreamSamples {
  NetworkStreams& streams;
  StreamWords& words;
  SlotThreads& threads;

  void beforeSample(uint32_t, bool) {}
  double run() {
    const double startUs = nowUs();
    const uint64_t epoch = words.nextEpoch();
    threads.run(epoch);
    for (const uint32_t peer : streams.place_.peers) streams.awaitStreamsOf(peer, epoch);
    streams.place_.network->flush(0);
    return nowUs() - startUs;
  }
};

void StreamWords::open(Network& network, Exchange& exchange, int64_t deadlineNs) {
  if (region_) return;
  region_ = network.registerMemory(exchange, words_.data(), words_.size() * sizeof(uint64_t),
                                   DeviceKind::kHost, deadlineNs);
}

bool StreamWords::isReached(uint32_t source, uint64_t epoch) const {
  for (uint32_t slot = 0; slot < numSlots_; ++slot) {
    if (__atomic_load_n(words_.data() + source * numSlots_ + slot, __ATOMIC_ACQUIRE) < epoch) return false;
  }
  return true;
}

NetworkStreams::NetworkStreams(StreamPlace place, StreamWords& words, std::vector<uint64_t> bytesTo,
                               RunControl& control)
    : place_(std::move(place)), words_(words), bytesTo_(std::move(bytesTo)), control_(control) {}

PathRate NetworkStreams::run(GateRef gate, uint32_t repeats) {
  SlotThreads threads(
      place_.numSlots, [this](uint32_t slot, uint64_t epoch) { streamSlot(slot, epoch); }, control_);
  StreamSamples samples{*this, words_, threads};
  const SampleSet set = sample(samples, gate, {kProbeWarmup, repeats, false}, control_);
  uint64_t bytes = 0;
  for (const uint32_t peer : place_.peers) bytes += bytesTo_[peer];
  return {medianRate(bytes, set.timesUs), set.stopped};
}

// Its part of what goes to each peer.
void NetworkStreams::streamSlot(uint32_t index, uint64_t epoch) const {
  WholeRuns runs(place_.source, place_.shareBytes);
  Network& network = *place_.network;
  const uint32_t slot = place_.firstSlot + index;
  for (const uint32_t peer : place_.peers) {
    const uint64_t begin = bytesTo_[peer] * index / place_.numSlots;
    const uint64_t end = bytesTo_[peer] * (index + 1) / place_.numSlots;
    uint64_t writeAt = begin % place_.shareBytes;
    runs.forEach(end - begin, writeAt, [&](uint64_t offset, const std::byte* data, uint64_t bytes) {
      network.put({peer, slot, epoch, place_.region, place_.shareOffset[peer] + offset, data, bytes});
    });
    network.signal({peer, slot, epoch, words_.region(), words_.offset(place_.rank, index), epoch});
  }
}

void NetworkStreams::awaitStreamsOf(uint32_t peer, uint64_t epoch) {
  try {
    place_.network->await([&] { return words_.isReached(peer, epoch); }, peer, 0, "a probed stream");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kAborted) throw;
    throw Error(ErrorCode::kAborted, "probe: rank " + std::to_string(place_.rank) +
                                         " stopped waiting for rank " + std::to_string(peer) +
                                         ": the end of its stream did not arrive");
  }
}

}  // namespace railrunner::moe
