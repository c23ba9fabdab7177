#pragma once

#include <cstdint>
#include <vector>

#include "moe/rails.h"
#include "moe/token_batch.h"

// Who finds whose tokens where. A rank that shares memory with the source reads the source's own block. Any
// other block crosses the network once for each of the source's partners: with forwarding the rank of each other
// node that has its place, where all ranks of that node read it; else every rank behind the network.
namespace railrunner::moe::host::high_throughput {

using NetworkRelation = std::vector<std::vector<uint8_t>>;  // [from][to]: non-zero over the network

// Inboxes of the rank that has most of them.
uint32_t mostInboxes(const NetworkRelation& relation, const std::vector<uint32_t>& nodeOfRank);

class Places {
 public:
  // Throws kArgument where nodes have unequal numbers of ranks, or a rank cannot be reached.
  Places(PeerBases peers, const NetworkRelation& relation);

  uint32_t rank() const { return peers_.rank; }
  uint32_t worldSize() const { return static_cast<uint32_t>(peers_.base.size()); }
  std::byte* base(uint32_t peer) const { return peers_.base[peer]; }
  // Reads and writes this rank's memory.
  bool isNear(uint32_t peer) const { return rails_.isNear(peer) && peers_.base[peer] != nullptr; }
  // Ranks whose blocks come into this one's inboxes and whose tokens it sums for; they do the same for it.
  const std::vector<uint32_t>& partners() const { return partners_[peers_.rank]; }
  // Which inbox of `at` the block of its partner `source` is in.
  uint32_t inboxOf(uint32_t at, uint32_t source) const;
  // Ranks that read what `partner` gets from this one, ascending.
  const std::vector<uint32_t>& servedBy(uint32_t partner) const { return served_[partner]; }

  struct Home {
    std::byte* base;  // of the buffer
    uint32_t holder;  // whose buffer it is
    int32_t inbox;    // -1: the source's own block
  };
  Home homeOf(uint32_t source) const;
  // Whose place the sum over `host` and its like has among a token's partial sums: a partner for all that it serves.
  uint32_t originOf(uint32_t host) const { return origin_[host]; }

  uint32_t numInboxes() const { return numInboxes_; }  // of the rank that has most
  // By rank; one node if nodes are not distinguished.
  std::vector<uint32_t> nodeOf() const;

 private:
  const PeerBases peers_;
  const Rails rails_;
  std::vector<std::vector<uint32_t>> partners_;  // of every rank, ascending
  std::vector<std::vector<uint32_t>> served_;
  std::vector<uint32_t> origin_;
  uint32_t numInboxes_ = 0;
};

}  // namespace railrunner::moe::host::high_throughput
