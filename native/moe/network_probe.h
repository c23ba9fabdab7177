#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "moe/probe.h"
#include "network/network.h"

namespace railrunner::moe {

// Where the streams of one rank go, whatever memory they are read from and land in.
struct StreamPlace {
  Network* network = nullptr;
  uint32_t rank = 0;
  uint32_t region = 0;                // whose memory the streams land in
  std::vector<uint32_t> peers;        // all of them signal, also without bytes
  std::vector<uint64_t> shareOffset;  // by rank: of this rank's share in its region; payloads, never signals
  uint64_t shareBytes = 0;
  std::span<const std::byte> source;  // read round and round
  uint32_t firstSlot = 0;             // slots that no exchange uses, one a proxy
  uint32_t numSlots = 1;
};

// [worldSize, numSlots] words: where the streams of a probe are signalled, over all probes of a point. They outlive the
// network, whose end ends their region.
class StreamWords {
 public:
  StreamWords(uint32_t worldSize, uint32_t numSlots)
      : words_(static_cast<size_t>(worldSize) * numSlots), numSlots_(numSlots) {}

  // Collective; the first call makes the words a region of the network.
  void open(Network& network, Exchange& exchange, int64_t deadlineNs);

  uint32_t region() const { return *region_; }
  uint64_t nextEpoch() { return ++epoch_; }
  uint64_t offset(uint32_t source, uint32_t slot) const {
    return (static_cast<uint64_t>(source) * numSlots_ + slot) * sizeof(uint64_t);
  }
  bool isReached(uint32_t source, uint64_t epoch) const;

 private:
  std::vector<uint64_t> words_;
  const uint32_t numSlots_;
  std::optional<uint32_t> region_;
  uint64_t epoch_ = 0;
};

// The network half of the limit: all ranks at once put the bytes of one call into the memory of the same
// peers, one run for each peer and proxy, a thread a proxy. It ends as a call does: when all that peers send
// has come.
class NetworkStreams {
 public:
  // bytesTo: by rank, read for the place's peers alone.
  NetworkStreams(StreamPlace place, StreamWords& words, std::vector<uint64_t> bytesTo, RunControl& control);

  // Collective over the gate.
  PathRate run(GateRef gate, uint32_t repeats);

 private:
  friend struct StreamSamples;

  void streamSlot(uint32_t index, uint64_t epoch) const;
  void awaitStreamsOf(uint32_t peer, uint64_t epoch);

  const StreamPlace place_;
  StreamWords& words_;
  const std::vector<uint64_t> bytesTo_;
  RunControl& control_;
};

}  // namespace railrunner::moe
