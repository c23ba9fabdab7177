#pragma once

#include <cstdint>
#include <vector>

#include "moe/probe.h"
#include "network/network.h"

namespace railrunner::moe {

// Where the streams of one rank go, whatever memory they are read from and land in.
struct StreamPlace {
  Network* network = nullptr;
  uint32_t rank = 0;
  uint32_t region = 0;       // whose memory the streams land in
  uint64_t shareOffset = 0;  // of this rank's share in every peer's region: payloads, never signals
  uint64_t shareBytes = 0;
  uint32_t wordsRegion = 0;         // number of `words`
  const uint64_t* words = nullptr;  // [worldSize, numSlots]: what peers signal here
  uint32_t firstSlot = 0;           // slots that no exchange uses, one a proxy
  uint32_t numSlots = 1;
};

// The network half of the limit: all ranks at once put the bytes of one call into the memory of the same
// peers, one run for each peer and proxy. It ends as a call does: when all that peers send has come.
class NetworkStreams {
 public:
  // peers: those that are reached over the network, all of which signal, also without bytes. bytesTo: by
  // rank, read for `peers` alone. `source` is read round and round.
  NetworkStreams(const StreamPlace& place, std::vector<uint32_t> peers, std::vector<uint64_t> bytesTo,
                 std::span<const std::byte> source, RunControl& control);

  // Collective over the gate. `epoch` is the network's and counts on from call to call.
  ProbedWay run(GateRef gate, uint32_t repeats, uint64_t& epoch);

 private:
  friend struct StreamSamples;

  void streamToPeers(uint64_t epoch);
  void awaitStreamsOf(uint32_t peer, uint64_t epoch);

  const StreamPlace place_;
  const std::vector<uint32_t> peers_;
  const std::vector<uint64_t> bytesTo_;
  WholeRuns runs_;
  RunControl& control_;
};

}  // namespace railrunner::moe
