#include "moe/network_probe.h"

#include <string>

#include "core/error.h"
#include "core/sampler.h"

namespace railrunner::moe {

// What core/sampler.h asks for.
struct StreamSamples {
  NetworkStreams& streams;
  uint64_t& epoch;

  void beforeSample(uint32_t, bool) {}
  double run() {
    const double startUs = nowUs();
    streams.streamToPeers(++epoch);
    return nowUs() - startUs;
  }
};

NetworkStreams::NetworkStreams(const StreamPlace& place, std::vector<uint32_t> peers,
                               std::vector<uint64_t> bytesTo, std::span<const std::byte> source,
                               RunControl& control)
    : place_(place),
      peers_(std::move(peers)),
      bytesTo_(std::move(bytesTo)),
      runs_(source, place.shareBytes),
      control_(control) {}

ProbedWay NetworkStreams::run(GateRef gate, uint32_t repeats, uint64_t& epoch) {
  StreamSamples samples{*this, epoch};
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
        network.put({peer, slot, epoch, place_.region, place_.shareOffset + offset, data, bytes});
      });
      const uint64_t word = (static_cast<uint64_t>(place_.rank) * place_.numSlots + i) * sizeof(uint64_t);
      network.signal({peer, slot, epoch, place_.wordsRegion, word, epoch});
    }
  }
  for (const uint32_t peer : peers_) awaitStreamsOf(peer, epoch);
  network.flush(0);
}

void NetworkStreams::awaitStreamsOf(uint32_t peer, uint64_t epoch) {
  const uint64_t* words = place_.words + static_cast<uint64_t>(peer) * place_.numSlots;
  const auto ready = [&] {
    for (uint32_t i = 0; i < place_.numSlots; ++i) {
      if (__atomic_load_n(words + i, __ATOMIC_ACQUIRE) < epoch) return false;
    }
    return true;
  };
  try {
    place_.network->await(ready, peer, 0, "a probed stream");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kAborted) throw;
    throw Error(ErrorCode::kAborted, "probe: rank " + std::to_string(place_.rank) +
                                         " stopped waiting for rank " + std::to_string(peer) +
                                         ": the end of its stream did not arrive");
  }
}

}  // namespace railrunner::moe
