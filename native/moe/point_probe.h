#pragma once

#include <functional>

#include "moe/network_probe.h"
#include "moe/peer_links.h"

namespace railrunner::moe {

// What the probe of a point needs of its bench, on either device.
struct ProbedPoint {
  const ProbeRequest& request;
  Exchange& exchange;
  GateRef gate;
  int64_t deadlineNs = 0;
  const PeerLinks& links;
  RunControl& control;
  uint32_t rank = 0;
  uint32_t numProxies = 1;
};

// Of a point, in the order of ranksAfter(): the peers for which isStreamedTo(peer), and by what they are reached. Shares,
// source and first slot are the caller's to set.
StreamPlace streamPlaceOf(const ProbedPoint& point, const std::function<bool(uint32_t peer)>& isStreamedTo);

// The limit next to a point: first what goes to peers that share memory, then, where the point has a network, streams to
// the others. A bench declares its probe before its links: the network reaches the words.
class PointProbe {
 public:
  PointProbe(uint32_t worldSize, uint32_t numProxies) : words_(worldSize, numProxies) {}

  // Collective. `direct` copies or stores; `streams` is asked for a place on points with a network alone.
  ProbeRates run(const ProbedPoint& point, const std::function<PathRate()>& direct,
                 const std::function<StreamPlace()>& streams);

 private:
  StreamWords words_;
};

}  // namespace railrunner::moe
