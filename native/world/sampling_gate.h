#pragma once

#include <cstdint>

#include "core/run_control.h"
#include "world/node_block.h"

namespace railrunner {

// What the gate needs of the world beyond its node; the thread harness stands in for it.
class GateLink {
 public:
  virtual ~GateLink() = default;
  // Local rank 0 of each node: the maximum over nodes. Throws as waits do.
  virtual uint32_t mergeStop(uint32_t stop, uint32_t epoch, uint64_t sequence) = 0;
  // Tells ranks on other nodes that this one comes to no further gate of this epoch.
  virtual void announceFailure() = 0;
  // Rank in the world of a local rank, for RunControl::awaitedPeer.
  virtual int worldRank(int localRank) const = 0;
};

// The position of the gates of an epoch. One per rank, kept across measured loops; a new epoch starts again at
// gate 1.
struct GatePlace {
  uint32_t epoch = 1;
  uint32_t sequence = 0;
  int localRank = 0;
  int numNodes = 1;
};

// The barrier before a sample: ranks of a node meet in shared memory by spinning, local rank 0 of each node
// meets the others over the control thread. It carries the stop word, so that all ranks leave a loop at the
// same iteration.
//
// Tickets hold epoch and sequence. A gate that was given up (abort, failure) leaves its tickets behind; the
// ranks agree on a new epoch before they use a gate again, and tickets of an older epoch open nothing.
class SamplingGate {
 public:
  SamplingGate(NodeBlock& block, GatePlace& place, GateLink& link, RunControl& control)
      : block_(block), place_(place), link_(link), control_(control) {}

  // Returns the maximum of all ranks' stop words (StopReason), kFailure where a rank has failed, which RunControl::awaitedPeer
  // then names where it is of this node. Throws
  // kAborted when this rank is told to stop waiting; RunControl::awaitedPeer then holds the rank that did not
  // come, if known.
  uint32_t arrive(uint32_t stopWord);
  // Last minus first rank of the node through the gate passed last. Waits for those that are still inside.
  double lastSkewUs();
  // This rank comes to no further gate of this epoch: peers leave theirs with kFailure.
  void fail();

 private:
  uint64_t ticket() const { return (uint64_t{place_.epoch} << 32) | place_.sequence; }
  bool hasFailed(int localRank);
  uint32_t collectNode(uint64_t ticket);
  uint32_t lead(uint64_t ticket);
  uint32_t follow(uint64_t ticket);
  template <class Ready, class Awaited>
  void wait(Ready&& ready, Awaited&& awaited, const char* what);
  void opened();
  void nameFailed();
  template <class Ready>
  bool comesWithTheNews(Ready&& ready);

  NodeBlock& block_;
  GatePlace& place_;
  GateLink& link_;
  RunControl& control_;
  bool isNaming_ = false;  // RunControl::awaitedPeer holds whom this gate waits for
};

}  // namespace railrunner
