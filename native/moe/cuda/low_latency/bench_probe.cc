#include "moe/cuda/low_latency/bench.h"
#include "moe/cuda/low_latency/open.h"

// The limit next to a point on GPUs: stores to peers that share memory, streams to the others.
namespace railrunner::moe::cuda {

using railrunner::cuda::makeCurrent;

StorePlace CudaBench::storePlace() const {
  const BufferMap& map = arguments_.map;
  StorePlace place;
  place.rank = rank_;
  place.shareBytes = (map.blockBytes - map.rows) / kPieceGrain * kPieceGrain;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const bool stores = peer != rank_ && links_->buffer->bases()[peer] != nullptr;
    place.to.push_back(stores ? arguments_.to[peer] + map.rows : nullptr);
    place.from.push_back(stores ? arguments_.from[peer] + map.rows : nullptr);
  }
  return place;
}

StreamPlace CudaBench::streamPlace(const ProbedPoint& point) const {
  const BufferMap& map = arguments_.map;
  StreamPlace place = streamPlaceOf(point, [&](uint32_t peer) { return sendsOverNetwork(peer); });
  place.shareBytes = map.blockBytes - map.rows;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer)
    place.shareOffset.push_back(blocks_->incoming(peer) + map.rows);
  place.source = blocks_->going();  // where the kernels leave what is to be sent
  place.firstSlot = networkSlots(options_);
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

}  // namespace railrunner::moe::cuda
