#include "moe/network_probe.h"

#include <string>

#include "core/error.h"
#include "core/sampler.h"
#include "peers/agreement.h"

namespace railrunner::moe {

// What core/sampler.h asks for.
struct StreamSamples {
  NetworkStreams& streams;
  StreamWords& words;

  void beforeSample(uint32_t, bool) {}
  double run() {
    const double startUs = nowUs();
    streams.streamToPeers(words.nextEpoch());
    return nowUs() - startUs;
  }
};

void StreamWords::open(Network& network, Exchange& exchange, int64_t deadlineNs) {
  if (region_) return;
  region_ = network.registerMemory(exchange, words_.data(), words_.size() * sizeof(uint64_t),
                                   DeviceKind::kHost, deadlineNs);
}

void StreamWords::close(Network& network, Exchange& exchange, int64_t deadlineNs) {
  if (region_) network.unregisterMemory(exchange, *region_, deadlineNs);
  region_.reset();
}

bool StreamWords::isReached(uint32_t source, uint64_t epoch) const {
  for (uint32_t slot = 0; slot < numSlots_; ++slot) {
    if (__atomic_load_n(words_.data() + source * numSlots_ + slot, __ATOMIC_ACQUIRE) < epoch) return false;
  }
  return true;
}

void closeNetwork(std::unique_ptr<Network> network, uint32_t region, StreamWords& words, Exchange* exchange,
                  int64_t deadlineNs) {
  try {
    if (exchange != nullptr) {
      network->unregisterMemory(*exchange, region, deadlineNs);
      words.close(*network, *exchange, deadlineNs);
    }
    network->close(exchange, deadlineNs);
  } catch (...) {
    static_cast<void>(attempt([&] { network->close(nullptr, 0); }));
    throw;
  }
}

NetworkStreams::NetworkStreams(StreamPlace place, StreamWords& words, std::vector<uint32_t> peers,
                               std::vector<uint64_t> bytesTo, std::span<const std::byte> source,
                               RunControl& control)
    : place_(std::move(place)),
      words_(words),
      peers_(std::move(peers)),
      bytesTo_(std::move(bytesTo)),
      runs_(source, place_.shareBytes),
      control_(control) {}

ProbedWay NetworkStreams::run(GateRef gate, uint32_t repeats) {
  StreamSamples samples{*this, words_};
  const SampleSet set = sample(samples, gate, {kProbeWarmup, repeats, false}, control_);
  uint64_t bytes = 0;
  for (const uint32_t peer : peers_) bytes += bytesTo_[peer];
  return {medianRate(bytes, set.timesUs), set.stopped};
}

void NetworkStreams::streamToPeers(uint64_t epoch) {
  runs_.restart();
  Network& network = *place_.network;
  for (const uint32_t peer : peers_) {
    uint64_t left = bytesTo_[peer];
    uint64_t writeAt = 0;
    for (uint32_t i = 0; i < place_.numSlots; ++i) {
      const uint32_t slot = place_.firstSlot + i;
      const uint64_t part = left / (place_.numSlots - i);
      left -= part;
      runs_.forEach(part, writeAt, [&](uint64_t offset, const std::byte* data, uint64_t bytes) {
        network.put({peer, slot, epoch, place_.region, place_.shareOffset[peer] + offset, data, bytes});
      });
      network.signal({peer, slot, epoch, words_.region(), words_.offset(place_.rank, i), epoch});
    }
  }
  for (const uint32_t peer : peers_) awaitStreamsOf(peer, epoch);
  network.flush(0);
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
