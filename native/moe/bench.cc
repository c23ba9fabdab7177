#include "moe/bench.h"

#include <algorithm>

#include "moe/host/bench.h"
#include "peers/agreement.h"

#if defined(RAILRUNNER_CUDA)
#include "moe/cuda/open.h"
#endif

namespace railrunner::moe {

namespace {

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

}  // namespace

std::unique_ptr<Bench> openBench(Exchange& exchange, Device& device, RunControl& control,
                                 const BenchOptions& options, Routing routing, int64_t deadlineNs) {
  const uint32_t rank = exchange.rank();
  [[maybe_unused]] const bool isCuda = device.kind() == DeviceKind::kCuda;
  const std::exception_ptr failure = attempt([&] {
    requireLegal(options, routing, rank, exchange.worldSize());
#if defined(RAILRUNNER_CUDA)
    if (isCuda) cuda::requireRunnable(options, device);
#endif
  });
  // Whether anybody uses the network is asked of all: the steps that follow are collective.
  const auto relation = agreeOn(exchange, "checking the MoE point", failure, options.overNetwork, deadlineNs);

  std::vector<uint8_t> sharesMemory;
  for (const uint8_t path : options.overNetwork) sharesMemory.push_back(path == 0 ? 1 : 0);
  uint64_t bytes = bufferLayout(options.shape).totalBytes;
#if defined(RAILRUNNER_CUDA)
  if (isCuda) bytes = cuda::mapOf(options).totalBytes;
#endif
  auto buffer = SymmetricBuffer::open(exchange, device, bytes, sharesMemory, deadlineNs);
  std::unique_ptr<Network> network;
  uint32_t region = 0;
#if defined(RAILRUNNER_CUDA)
  std::unique_ptr<cuda::NetworkBlocks> blocks;
#endif
  std::unique_ptr<Bench> bench;
  try {
    if (anyOverNetwork(relation)) {
      void* reached = buffer->local();
      uint64_t reachedBytes = buffer->bytes();
      uint32_t numSlots = numNetworkSlots(options.shape);
#if defined(RAILRUNNER_CUDA)
      if (isCuda) {
        const std::exception_ptr refused =
            attempt([&] { blocks = cuda::makeNetworkBlocks(options, relation, rank, device); });
        agreeOn(exchange, "allocating the host memory that the network reaches", refused, {}, deadlineNs);
        reached = blocks->memory();
        reachedBytes = blocks->bytes();
        numSlots = cuda::networkSlots(options);
      }
#endif
      network = openNetwork(exchange, control, options, numSlots, deadlineNs);
      region = network->registerMemory(exchange, reached, reachedBytes, DeviceKind::kHost, deadlineNs);
    }
    const std::exception_ptr built = attempt([&] {
#if defined(RAILRUNNER_CUDA)
      if (isCuda) {
        bench = cuda::makeBench(options, std::move(routing), control, rank, device, std::move(buffer),
                                {std::move(blocks), std::move(network), region});
        return;
      }
#endif
      bench = std::make_unique<host::HostBench>(options, std::move(routing), control, rank, std::move(buffer),
                                                std::move(network), region);
    });
    agreeOn(exchange, "preparing the MoE point", built, {}, deadlineNs);
  } catch (...) {
    const std::exception_ptr first = std::current_exception();
    static_cast<void>(attempt([&] {
      if (bench != nullptr) {
        bench->close(nullptr, deadlineNs);
        return;
      }
      if (network != nullptr) network->close(nullptr, deadlineNs);
      if (buffer != nullptr) buffer->close(nullptr, deadlineNs);
    }));
    std::rethrow_exception(first);
  }
  return bench;
}

}  // namespace railrunner::moe
