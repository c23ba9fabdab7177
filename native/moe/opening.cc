#include "moe/opening.h"

#include <algorithm>

namespace railrunner::moe {

void requireLegal(const BenchOptions& options, const Routing& routing, uint32_t rank, uint32_t worldSize) {
  railrunner::moe::requireLegal(options.shape);
  if (options.shape.worldSize != worldSize || options.overNetwork.size() != worldSize) {
    throw Error(ErrorCode::kArgument, "MoE point: shape and peer paths must be of the world's " +
                                          std::to_string(worldSize) + " ranks");
  }
  if (options.overNetwork[rank] != 0) {
    throw Error(ErrorCode::kArgument, "MoE point: rank " + std::to_string(rank) +
                                          " is to reach itself over the network, expected its own memory");
  }
  const uint64_t choices = static_cast<uint64_t>(routing.numTokens) * options.shape.numTopk;
  if (routing.topkIdx.size() != choices || routing.topkWeights.size() != choices) {
    throw Error(ErrorCode::kArgument, "MoE point: expected " + std::to_string(choices) +
                                          " routing entries, received " +
                                          std::to_string(routing.topkIdx.size()) + " ids and " +
                                          std::to_string(routing.topkWeights.size()) + " weights");
  }
  requireLegal(options.shape, TokenBatch{nullptr, routing.topkIdx.data(), nullptr, routing.numTokens});
}

bool anyOverNetwork(const std::vector<std::vector<uint8_t>>& relation) {
  return std::any_of(relation.begin(), relation.end(), [](const auto& peers) {
    return std::any_of(peers.begin(), peers.end(), [](uint8_t path) { return path != 0; });
  });
}

std::unique_ptr<Network> openNetwork(Exchange& exchange, RunControl& control, const BenchOptions& options,
                                     uint32_t numSlots, int64_t deadlineNs) {
  NetworkOptions network;
  network.usesNetwork = options.overNetwork;
  network.numProxies = options.numProxies;
  network.numSlots = numSlots + options.numProxies;  // the probe's are its own
  network.deadlineNs = deadlineNs;
  return Network::open(exchange, control, network);
}

}  // namespace railrunner::moe
