#include "moe/point_probe.h"

namespace railrunner::moe {

StreamPlace streamPlaceOf(const ProbedPoint& point, const std::function<bool(uint32_t peer)>& isStreamedTo) {
  StreamPlace place;
  place.network = point.links.network.get();
  place.rank = point.rank;
  place.region = point.links.region;
  place.numSlots = point.numProxies;
  place.peers = ranksAfter(point.rank, point.exchange.worldSize());
  std::erase_if(place.peers, [&](uint32_t peer) { return !isStreamedTo(peer); });
  return place;
}

ProbeRates PointProbe::run(const ProbedPoint& point, const std::function<PathRate()>& direct,
                           const std::function<StreamPlace()>& streams) {
  const PathRate stored = direct();
  if (point.links.network == nullptr || stored.stopped) return {stored.GBps, 0, stored.stopped};
  words_.open(*point.links.network, point.exchange, point.deadlineNs);
  const PathRate streamed = NetworkStreams(streams(), words_, point.request.bytesTo, point.control)
                                .run(point.gate, point.request.repeats);
  return {stored.GBps, streamed.GBps, streamed.stopped};
}

}  // namespace railrunner::moe
