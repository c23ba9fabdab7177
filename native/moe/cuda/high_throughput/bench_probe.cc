#include "moe/cuda/high_throughput/bench.h"

// The limit beside a point on GPUs: stores to peers that share memory, streams to the others. Where it writes, tokens
// and what combine reads are written anew before a call reads them.
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

ProbedWay CudaBench::probeStreams(const ProbeRequest& request, GateRef gate) {
  const SymmetricMap& map = arguments_.map;
  StreamPlace place;
  place.network = links_->network.get();
  place.rank = rank_;
  place.region = links_->region;
  place.shareBytes = map.totalBytes - map.x;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    place.shareOffset.push_back(isOverNetwork(peer) ? staged_->incoming(peer) + map.x : 0);
  }
  place.firstSlot = options_.numProxies;
  place.numSlots = options_.numProxies;
  std::vector<uint32_t> peers = ranksAfter(rank_, shape_.worldSize);
  std::erase_if(peers, [&](uint32_t peer) { return !isOverNetwork(peer); });
  NetworkStreams streams(place, *streamWords_, std::move(peers), request.bytesTo, staged_->going(), control_);
  return streams.run(gate, request.repeats);
}

ProbeRates CudaBench::probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                            int64_t deadlineNs) {
  makeCurrent(ordinal_);
  std::unique_ptr<PeerStores> stores;
  const auto bytes = agreeOnProbe(
      exchange, request,
      [&] { stores = std::make_unique<PeerStores>(storePlace(), probeSourceBytes(request), control_); },
      deadlineNs);
  const ProbedWay stored = stores->run(bytes, gate, request.repeats, probeSalt_);
  if (links_->network == nullptr || stored.stopped) return {stored.GBps, 0, stored.stopped};
  streamWords_->open(*links_->network, exchange, deadlineNs);
  const ProbedWay streamed = probeStreams(request, gate);
  return {stored.GBps, streamed.GBps, streamed.stopped};
}

}  // namespace railrunner::moe::cuda::high_throughput
