#pragma once

#include <cstdint>
#include <vector>

#include "moe/probe.h"

namespace railrunner::moe::host {

constexpr uint64_t kCacheLineBytes = 64;

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
  ProbedWay run(GateRef gate, uint32_t repeats);

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

}  // namespace railrunner::moe::host
