#pragma once

#include <cstdint>
#include <vector>

#include "core/gate.h"
#include "core/run_control.h"
#include "moe/bench.h"
#include "moe/host/lazy_memory.h"
#include "network/network.h"

namespace railrunner::moe::host {

// Where the probe of one rank sends to.
struct ProbePlace {
  PeerBases peers;
  uint64_t areaOffset = 0;          // in every rank's symmetric buffer: payloads, never signals
  uint64_t areaBytes = 0;           // shared out among the sources
  Network* network = nullptr;       // null where every peer shares memory
  uint32_t region = 0;              // number of the symmetric buffer
  uint32_t wordsRegion = 0;         // number of `words`
  const uint64_t* words = nullptr;  // [worldSize, numSlots]: what peers signal here
  uint32_t firstSlot = 0;           // slots that no exchange uses, one a proxy
  uint32_t numSlots = 1;
};

// The limit beside dispatch or combine: all ranks at once send the bytes of one call to the same peers in
// whole runs, copied from private memory into that of same-node peers, streamed to the others.
class PeerProbe {
 public:
  // bytesTo, bytesFrom: by rank. `source` is read round and round.
  PeerProbe(ProbePlace place, std::vector<uint64_t> bytesTo, std::vector<uint64_t> bytesFrom,
            const LazyMemory<std::byte>& source, RunControl& control);

  // Collective over the gate. `epoch` is the network's and counts on from call to call.
  ProbeRates run(GateRef gate, uint32_t repeats, uint64_t& epoch);

 private:
  friend struct PeerCopies;
  friend struct NetworkStreams;

  bool overNetwork(uint32_t peer) const { return place_.peers.base[peer] == nullptr; }
  double rateOver(bool network, const std::vector<double>& timesUs) const;
  template <class Piece>
  void forEachPiece(uint64_t bytes, uint64_t& writeAt, Piece&& piece);
  void copyToPeers();
  void streamToPeers(uint64_t epoch);
  void awaitStreamsOf(uint32_t peer, uint64_t epoch);
  void readArrived() const;

  const ProbePlace place_;
  const std::vector<uint64_t> bytesTo_;
  const std::vector<uint64_t> bytesFrom_;
  const LazyMemory<std::byte>& source_;
  RunControl& control_;
  const uint64_t shareBytes_;         // of the area, a source
  const uint64_t shareOffset_;        // of this rank's share in a peer's buffer
  uint64_t readAt_ = 0;               // in source
  std::vector<uint32_t> otherRanks_;  // from the next one on, so that not all begin with the same
};

}  // namespace railrunner::moe::host
