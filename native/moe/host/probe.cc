#include "moe/host/probe.h"

#include <cstring>

#include "core/error.h"
#include "core/sampler.h"
#include "moe/payload.h"

namespace railrunner::moe::host {

// What core/sampler.h asks for.
struct CopySamples {
  PeerCopies& copies;
  GateRef gate;

  // What peers wrote is read before it is written again, as a receiver does: a copy into lines that only
  // their writer touches never leaves its caches, which no exchange can have.
  void beforeSample(uint32_t, bool) {
    if (gate.arrive(0) != 0) throw Error(ErrorCode::kAborted, "a rank failed while peer copies were probed");
    copies.readArrived();
  }
  double run() {
    const double startUs = nowUs();
    copies.copyToPeers();
    return nowUs() - startUs;
  }
};

ProbeSource openProbeSource(Exchange& exchange, const ProbeRequest& request, uint32_t rank,
                            int64_t deadlineNs) {
  ProbeSource source;
  const auto bytes = agreeOnProbe(
      exchange, request,
      [&] {
        source.memory =
            std::make_unique<LazyMemory<std::byte>>(probeSourceBytes(request), "source of the probe");
        std::memset(source.memory->data(), kPoisonByte, source.memory->count());  // the pages come now
      },
      deadlineNs);
  for (const auto& to : bytes) source.bytesFrom.push_back(to[rank]);
  return source;
}

PeerCopies::PeerCopies(CopyPlace place, std::vector<uint64_t> bytesTo, std::vector<uint64_t> bytesFrom,
                       std::span<const std::byte> source, RunControl& control)
    : place_(std::move(place)),
      bytesTo_(std::move(bytesTo)),
      bytesFrom_(std::move(bytesFrom)),
      runs_(source, place_.shareBytes),
      control_(control) {
  const auto worldSize = static_cast<uint32_t>(place_.peers.base.size());
  for (const uint32_t peer : ranksAfter(place_.peers.rank, worldSize)) {
    if (place_.peers.base[peer] != nullptr) copiedTo_.push_back(peer);
  }
}

PathRate PeerCopies::run(GateRef gate, uint32_t repeats) {
  CopySamples samples{*this, gate};
  const SampleSet set = sample(samples, gate, {kProbeWarmup, repeats, false}, control_);
  uint64_t bytes = 0;
  for (const uint32_t peer : copiedTo_) bytes += bytesTo_[peer];
  return {medianRate(bytes, set.timesUs), set.stopped};
}

void PeerCopies::copyToPeers() {
  runs_.restart();
  for (const uint32_t peer : copiedTo_) {
    std::byte* share = place_.peers.base[peer] + place_.areaOffset + place_.peers.rank * place_.shareBytes;
    uint64_t writeAt = 0;
    runs_.forEach(bytesTo_[peer], writeAt, [share](uint64_t offset, const std::byte* data, uint64_t bytes) {
      std::memcpy(share + offset, data, bytes);
    });
  }
}

void PeerCopies::readArrived() const {
  const std::byte* area = place_.peers.base[place_.peers.rank] + place_.areaOffset;
  for (const uint32_t peer : copiedTo_) {
    const volatile std::byte* share = area + peer * place_.shareBytes;
    const uint64_t bytes = std::min(bytesFrom_[peer], place_.shareBytes);
    for (uint64_t at = 0; at < bytes; at += kCacheLineBytes) static_cast<void>(share[at]);
  }
}

ProbeRates probeCopies(PointProbe& probe, const ProbedPoint& point, const ProbedShare& share) {
  ProbeSource source = openProbeSource(point.exchange, point.request, point.rank, point.deadlineNs);
  const std::vector<std::byte*>& bases = point.links.buffer->bases();
  PeerCopies copies({{point.rank, bases, {}}, share.areaOffset, share.shareBytes}, point.request.bytesTo,
                    std::move(source.bytesFrom), source.bytes(), point.control);
  return probe.run(
      point, [&] { return copies.run(point.gate, point.request.repeats); },
      [&] {
        StreamPlace place = streamPlaceOf(point, [&](uint32_t peer) { return bases[peer] == nullptr; });
        place.shareOffset.assign(bases.size(), share.areaOffset + point.rank * share.shareBytes);
        place.shareBytes = share.shareBytes;
        place.source = source.bytes();
        place.firstSlot = share.firstSlot;
        return place;
      });
}

}  // namespace railrunner::moe::host
