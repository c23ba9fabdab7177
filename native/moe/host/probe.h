#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "moe/host/lazy_memory.h"
#include "moe/point_probe.h"

namespace railrunner::moe::host {

constexpr uint64_t kCacheLineBytes = 64;

// What the probe of this rank sends from, and how many bytes every rank sends to it.
struct ProbeSource {
  std::unique_ptr<LazyMemory<std::byte>> memory;
  std::vector<uint64_t> bytesFrom;

  std::span<const std::byte> bytes() const { return {memory->data(), memory->count()}; }
};

// Collective, with agreement: allocates the source on every rank or throws on every rank.
ProbeSource openProbeSource(Exchange& exchange, const ProbeRequest& request, uint32_t rank,
                            int64_t deadlineNs);

// Where the copies of one rank go.
struct CopyPlace {
  PeerBases peers;          // null: reached over the network, not copied to
  uint64_t areaOffset = 0;  // in every rank's symmetric buffer: payloads, never signals
  uint64_t shareBytes = 0;  // of the area, a source
};

// The limit of shared memory for dispatch or combine: all ranks at once copy the bytes of one call from
// private memory into that of the same peers, in whole runs.
class PeerCopies {
 public:
  // bytesTo, bytesFrom: by rank. `source` is read round and round.
  PeerCopies(CopyPlace place, std::vector<uint64_t> bytesTo, std::vector<uint64_t> bytesFrom,
             std::span<const std::byte> source, RunControl& control);

  // Collective over the gate.
  PathRate run(GateRef gate, uint32_t repeats);

 private:
  friend struct CopySamples;

  void copyToPeers();
  void readArrived() const;

  const CopyPlace place_;
  const std::vector<uint64_t> bytesTo_;
  const std::vector<uint64_t> bytesFrom_;
  WholeRuns runs_;
  RunControl& control_;
  std::vector<uint32_t> copiedTo_;
};

// Where the probe of a point writes at its peers: payloads, never signals. The share of source r begins at
// areaOffset + r * shareBytes.
struct ProbedShare {
  uint64_t areaOffset = 0;
  uint64_t shareBytes = 0;
  uint32_t firstSlot = 0;  // of the network: slots that no exchange uses
};

// The probe of a point on the host device. Collective.
ProbeRates probeCopies(PointProbe& probe, const ProbedPoint& point, const ProbedShare& share);

}  // namespace railrunner::moe::host
