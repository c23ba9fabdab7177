#include "moe/cuda/low_latency/network_blocks.h"

#include <cstring>

namespace railrunner::moe::cuda {

using railrunner::cuda::Buffer;
using railrunner::cuda::check;
using railrunner::cuda::copyToDevice;

namespace {

constexpr uint32_t kRingEntries = 1024;

Buffer zeroedOnDevice(uint64_t bytes) {
  Buffer buffer(Buffer::Place::kDevice, bytes);
  check(cudaMemset(buffer.as(), 0, bytes), "cudaMemset");
  return buffer;
}

Routes routesOf(const Rails& rails, const KernelArguments& arguments) {
  Routes routes{};
  const uint32_t rank = arguments.rank;
  const BufferMap& map = arguments.map;
  routes.forwards = rails.forwards() ? 1 : 0;
  routes.ranksPerNode = rails.forwards() ? rails.ranksPerNode() : 1;
  routes.place = rails.forwards() ? rails.placeOf(rank) : 0;
  const auto name = [](uint32_t r) { return static_cast<uint8_t>(r); };  // at most kMaxRanks
  for (uint32_t peer = 0; peer < arguments.shape.worldSize; ++peer) {
    routes.via[peer] = name(rails.sendsVia(peer));
    routes.hears[peer] = name(rails.hearsVia(peer));
    routes.backTo[peer] = arguments.to[peer];
    if (!rails.forwards()) continue;
    routes.node[peer] = name(rails.nodeOf(peer));
    routes.ranks[rails.nodeOf(peer) * routes.ranksPerNode + rails.placeOf(peer)] = name(peer);
    if (rails.isNear(peer)) {
      routes.near[rails.placeOf(peer)] = name(peer);
      continue;
    }
    const uint32_t relay = rails.isRail(peer) ? rank : rails.hearsVia(peer);
    routes.planTo[peer] = rails.placeOf(peer) * map.planBytes;
    routes.planFrom[peer] = rails.isRail(peer) ? routes.place * map.planBytes : 0;
    routes.backTo[peer] =
        arguments.to[relay] - blockOffset(map, rank) + blockOffset(map, rails.rankAt(peer, rank));
  }
  return routes;
}

}  // namespace

NetworkBlocks::NetworkBlocks(const BufferMap& map, const NetworkRelation& relation, uint32_t rank,
                             uint32_t numProxies)
    : rank_(rank),
      relation_(relation),
      pairBytes_(2 * map.blockBytes),
      heads_(zeroedOnDevice(2 * numProxies * sizeof(uint64_t))),
      path_(zeroedOnDevice(sizeof(NetworkPath))) {
  most_ = mostNetworkPeers(relation);
  bytes_ = 2 * most_ * pairBytes_;
  memory_ = Buffer(Buffer::Place::kPinned, bytes_);
  std::memset(memory_.as(), 0, bytes_);
  for (uint32_t ring = 0; ring < numProxies; ++ring) {
    const uint64_t bytes = (kRingEntries + 1) * sizeof(TriggerEntry);
    entries_.emplace_back(Buffer::Place::kPinned, bytes);
    std::memset(entries_.back().as(), 0, bytes);
  }
}

uint64_t NetworkBlocks::incoming(uint32_t peer) const {
  return networkPlaceOf(relation_, peer, rank_) * pairBytes_;
}

void NetworkBlocks::connect(Network& network, uint32_t region, const Rails& rails,
                            KernelArguments& arguments) {
  NetworkPath path{};
  path.region = region;
  path.numSlots = static_cast<uint32_t>(entries_.size());
  for (uint32_t ring = 0; ring < entries_.size(); ++ring) {
    auto* entries = entries_[ring].as<TriggerEntry>();
    auto* tail = reinterpret_cast<uint64_t*>(entries + kRingEntries);
    uint64_t* head = heads_.as<uint64_t>() + 2 * ring;
    path.rings[ring] = {pinnedOnDevice(entries), head, pinnedOnDevice(tail), head + 1, kRingEntries};
    network.attachTriggers(ring, {entries, head, tail, head + 1, kRingEntries});
  }
  arguments.overNetwork = 0;
  std::byte* memory = pinnedOnDevice(memory_.as<std::byte>());
  for (uint32_t peer = 0; peer < relation_.size(); ++peer) {
    if (relation_[rank_][peer] == 0) continue;
    arguments.overNetwork |= 1ULL << peer;
    for (uint32_t slot = 0; slot < path.numSlots; ++slot) {
      path.ring[peer][slot] = static_cast<uint8_t>(network.proxyOf(peer, slot));
    }
    const uint64_t place = networkPlaceOf(relation_, rank_, peer);
    path.outgoing[peer] = (most_ + place) * pairBytes_;
    path.incoming[peer] = incoming(peer);
    arguments.to[peer] = memory + path.outgoing[peer];
    arguments.from[peer] = memory + place * pairBytes_;
  }
  path.routes = routesOf(rails, arguments);
  copyToDevice(path_.as(), &path, sizeof(path));
  arguments.network = path_.as<NetworkPath>();
}

}  // namespace railrunner::moe::cuda
