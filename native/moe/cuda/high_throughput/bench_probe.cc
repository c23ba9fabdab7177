#include "moe/cuda/high_throughput/bench.h"

// The limit next to a point on GPUs: stores to peers that share memory, streams to the others. Where it writes, tokens
// and what combine reads are written again before a call reads them.
namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::makeCurrent;

StorePlace CudaBench::storePlace() const {
  const SymmetricMap& map = arguments_.map;
  StorePlace place;
  place.rank = rank_;
  place.shareBytes = (map.totalBytes - map.x) / shape_.worldSize / kPieceGrain * kPieceGrain;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const bool stores = peer != rank_ && !isOverNetwork(peer);
    place.to.push_back(stores ? arguments_.base[peer] + map.x + rank_ * place.shareBytes : nullptr);
    place.from.push_back(stores ? arguments_.base[rank_] + map.x + peer * place.shareBytes : nullptr);
  }
  return place;
}

StreamPlace CudaBench::streamPlace(const ProbedPoint& point) const {
  const uint64_t rows = arguments_.map.x;
  StreamPlace place = streamPlaceOf(point, [&](uint32_t peer) { return isOverNetwork(peer); });
  place.shareBytes = arguments_.map.totalBytes - rows;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    place.shareOffset.push_back(isOverNetwork(peer) ? staged_->incoming(peer) + rows : 0);
  }
  place.source = staged_->going();
  place.firstSlot = options_.numProxies;
  return place;
}

ProbeRates CudaBench::probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                            int64_t deadlineNs) {
  makeCurrent(ordinal_);
  const ProbedPoint point{request, exchange, gate, deadlineNs, *links_, control_, rank_, options_.numProxies};
  return probe_.run(
      point, [&] { return probeStores(point, storePlace(), probeSalt_); },
      [&] { return streamPlace(point); });
}

}  // namespace railrunner::moe::cuda::high_throughput
