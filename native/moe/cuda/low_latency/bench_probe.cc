#include "moe/cuda/low_latency/bench.h"
#include "moe/cuda/low_latency/open.h"

// The limit beside a point on GPUs: stores to peers that share memory, streams to the others.
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

ProbedWay CudaBench::probeStreams(const ProbeRequest& request, GateRef gate) {
  const BufferMap& map = arguments_.map;
  StreamPlace place;
  place.network = links_->network.get();
  place.rank = rank_;
  place.region = links_->region;
  place.shareBytes = map.blockBytes - map.rows;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer)
    place.shareOffset.push_back(blocks_->incoming(peer) + map.rows);
  place.firstSlot = networkSlots(options_);
  place.numSlots = options_.numProxies;
  std::vector<uint32_t> peers = ranksAfter(rank_, shape_.worldSize);
  std::erase_if(peers, [&](uint32_t peer) { return !sendsOverNetwork(peer); });
  // Read from where the kernels leave what is to be sent.
  NetworkStreams streams(place, *streamWords_, std::move(peers), request.bytesTo, blocks_->going(), control_);
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

}  // namespace railrunner::moe::cuda
