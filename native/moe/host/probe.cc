#include "moe/host/probe.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/sampler.h"

namespace railrunner::moe::host {

namespace {

constexpr uint32_t kWarmup = 2;
constexpr uint64_t kCacheLineBytes = 64;

double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

// What core/sampler.h asks for.
struct PeerCopies {
  PeerProbe& probe;
  GateRef gate;

  // What peers wrote is read before it is written again, as a receiver does: a copy into lines that only
  // their writer touches never leaves its caches, which no exchange can have.
  void beforeSample(uint32_t, bool) {
    if (gate.arrive(0) != 0) throw Error(ErrorCode::kAborted, "a rank failed while peer copies were probed");
    probe.readArrived();
  }
  double run() {
    const double startUs = nowUs();
    probe.copyToPeers();
    return nowUs() - startUs;
  }
};

struct NetworkStreams {
  PeerProbe& probe;
  uint64_t& epoch;

  void beforeSample(uint32_t, bool) {}
  // Ends as an exchange does: when all that peers send has come.
  double run() {
    const double startUs = nowUs();
    probe.streamToPeers(++epoch);
    return nowUs() - startUs;
  }
};

PeerProbe::PeerProbe(ProbePlace place, std::vector<uint64_t> bytesTo, std::vector<uint64_t> bytesFrom,
                     const LazyMemory<std::byte>& source, RunControl& control)
    : place_(std::move(place)),
      bytesTo_(std::move(bytesTo)),
      bytesFrom_(std::move(bytesFrom)),
      source_(source),
      control_(control),
      shareBytes_(place_.areaBytes / place_.peers.base.size() / kCacheLineBytes * kCacheLineBytes),
      shareOffset_(place_.areaOffset + place_.peers.rank * shareBytes_) {
  const auto worldSize = static_cast<uint32_t>(place_.peers.base.size());
  for (uint32_t step = 1; step < worldSize; ++step) {
    otherRanks_.push_back((place_.peers.rank + step) % worldSize);
  }
}

ProbeRates PeerProbe::run(GateRef gate, uint32_t repeats, uint64_t& epoch) {
  const SampleProtocol protocol{kWarmup, repeats, false};
  PeerCopies copies{*this, gate};
  const SampleSet copied = sample(copies, gate, protocol, control_);
  ProbeRates rates;
  rates.stopped = copied.stopped;
  rates.ipcGBps = rateOver(false, copied.timesUs);
  if (place_.network == nullptr || rates.stopped) return rates;
  NetworkStreams streams{*this, epoch};
  const SampleSet streamed = sample(streams, gate, protocol, control_);
  rates.stopped = streamed.stopped;
  rates.networkGBps = rateOver(true, streamed.timesUs);
  return rates;
}

double PeerProbe::rateOver(bool network, const std::vector<double>& timesUs) const {
  uint64_t bytes = 0;
  for (const uint32_t peer : otherRanks_) {
    if (overNetwork(peer) == network) bytes += bytesTo_[peer];
  }
  const double timeUs = timesUs.empty() ? 0 : medianOf(timesUs);
  return timeUs > 0 ? static_cast<double>(bytes) / (timeUs * 1e3) : 0;
}

// Calls piece(offset in the peer's buffer, data, bytes) for whole runs of the source and, from writeAt on, of
// the share.
template <class Piece>
void PeerProbe::forEachPiece(uint64_t bytes, uint64_t& writeAt, Piece&& piece) {
  while (bytes > 0) {
    const uint64_t count = std::min({bytes, shareBytes_ - writeAt, source_.count() - readAt_});
    piece(shareOffset_ + writeAt, source_.data() + readAt_, count);
    bytes -= count;
    writeAt = (writeAt + count) % shareBytes_;
    readAt_ = (readAt_ + count) % source_.count();
  }
}

void PeerProbe::copyToPeers() {
  readAt_ = 0;
  for (const uint32_t peer : otherRanks_) {
    if (overNetwork(peer)) continue;
    std::byte* base = place_.peers.base[peer];
    uint64_t writeAt = 0;
    forEachPiece(bytesTo_[peer], writeAt, [base](uint64_t offset, const std::byte* data, uint64_t bytes) {
      std::memcpy(base + offset, data, bytes);
    });
  }
}

void PeerProbe::streamToPeers(uint64_t epoch) {
  readAt_ = 0;
  Network& network = *place_.network;
  const uint32_t rank = place_.peers.rank;
  for (const uint32_t peer : otherRanks_) {
    if (!overNetwork(peer)) continue;
    uint64_t left = bytesTo_[peer];
    uint64_t writeAt = 0;
    for (uint32_t i = 0; i < place_.numSlots; ++i) {
      const uint32_t slot = place_.firstSlot + i;
      const uint64_t part = left / (place_.numSlots - i);
      left -= part;
      forEachPiece(part, writeAt, [&](uint64_t offset, const std::byte* data, uint64_t bytes) {
        network.put({peer, slot, epoch, place_.region, offset, data, bytes});
      });
      const uint64_t word = (static_cast<uint64_t>(rank) * place_.numSlots + i) * sizeof(uint64_t);
      network.signal({peer, slot, epoch, place_.wordsRegion, word, epoch});
    }
  }
  for (const uint32_t peer : otherRanks_) {
    if (overNetwork(peer)) awaitStreamsOf(peer, epoch);
  }
  network.flush(0);
}

void PeerProbe::awaitStreamsOf(uint32_t peer, uint64_t epoch) {
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
    throw Error(ErrorCode::kAborted, "probe: rank " + std::to_string(place_.peers.rank) +
                                         " stopped waiting for rank " + std::to_string(peer) +
                                         ": the end of its stream did not arrive");
  }
}

void PeerProbe::readArrived() const {
  const std::byte* area = place_.peers.base[place_.peers.rank] + place_.areaOffset;
  for (const uint32_t peer : otherRanks_) {
    if (overNetwork(peer)) continue;
    const volatile std::byte* share = area + peer * shareBytes_;
    const uint64_t bytes = std::min(bytesFrom_[peer], shareBytes_);
    for (uint64_t at = 0; at < bytes; at += kCacheLineBytes) static_cast<void>(share[at]);
  }
}

}  // namespace railrunner::moe::host
