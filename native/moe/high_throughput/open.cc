#include "moe/high_throughput/open.h"

#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "moe/high_throughput/layout.h"
#include "moe/host/high_throughput/bench.h"
#include "moe/opening.h"
#include "moe/peer_links.h"

#if defined(RAILRUNNER_CUDA)
#include "moe/cuda/high_throughput/open.h"
#endif

namespace railrunner::moe::high_throughput {

namespace {

std::vector<uint8_t> bytesOf(const SourceCounts& counts) {
  std::vector<uint32_t> words = counts.tokensTo;
  words.insert(words.end(), counts.rowsOfExpert.begin(), counts.rowsOfExpert.end());
  const auto* begin = reinterpret_cast<const uint8_t*>(words.data());
  return {begin, begin + words.size() * sizeof(uint32_t)};
}

SourceCounts countsOf(const Shape& shape, const std::vector<uint8_t>& bytes, size_t rank) {
  if (bytes.size() != 4ULL * (shape.worldSize + shape.numExperts)) {
    throw Error(ErrorCode::kState, "MoE point: rank " + std::to_string(rank) + " announced " +
                                       std::to_string(bytes.size()) +
                                       " bytes of counts. All ranks must run the same build and spec.");
  }
  SourceCounts counts;
  counts.tokensTo.resize(shape.worldSize);
  counts.rowsOfExpert.resize(shape.numExperts);
  std::memcpy(counts.tokensTo.data(), bytes.data(), 4ULL * shape.worldSize);
  std::memcpy(counts.rowsOfExpert.data(), bytes.data() + 4ULL * shape.worldSize, 4ULL * shape.numExperts);
  return counts;
}

// Collective. Of every rank: exactly what its rows take, or what the options say.
std::vector<Capacity> agreeOnCapacities(Exchange& exchange, const BenchOptions& options,
                                        const Routing& routing, int64_t deadlineNs) {
  const Shape& shape = options.shape;
  const auto told = Agreement(exchange, "counting the rows of the MoE point", deadlineNs).run([&] {
    return bytesOf(countRouting(shape, routing.topkIdx, {}));
  });
  std::vector<SourceCounts> sources;
  for (size_t rank = 0; rank < told.size(); ++rank) sources.push_back(countsOf(shape, told[rank], rank));
  std::vector<Capacity> capacities(shape.worldSize, worstCaseCapacity(shape, *options.highThroughput));
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
    const ReceiveNeed need = needOf(shape, *options.highThroughput, sources, rank);
    if (options.highThroughput->receive == Receive::kExact) capacities[rank] = {need.tokens, need.rows};
    if (options.highThroughput->receive == Receive::kFixed) {
      capacities[rank].rows = options.highThroughput->fixedRows;
    }
  }
  return capacities;
}

std::vector<uint8_t> sharesMemory(const BenchOptions& options) {
  std::vector<uint8_t> shares;
  for (const uint8_t path : options.overNetwork) shares.push_back(path == 0 ? 1 : 0);
  return shares;
}

}  // namespace

std::unique_ptr<Bench> openBench(Exchange& exchange, Device& device, RunControl& control,
                                 const BenchOptions& options, Routing routing, int64_t deadlineNs) {
  [[maybe_unused]] const bool isCuda = device.kind() == DeviceKind::kCuda;
  const auto relation = Agreement(exchange, "checking the MoE point", deadlineNs).run([&] {
    moe::requireLegal(options, routing, exchange.rank(), exchange.worldSize());
    requireLegal(options.shape, *options.highThroughput);
#if defined(RAILRUNNER_CUDA)
    if (isCuda) cuda::high_throughput::requireRunnable(options, device);
#endif
    return options.overNetwork;
  });
  const std::vector<Capacity> capacities = agreeOnCapacities(exchange, options, routing, deadlineNs);
  auto links = std::make_shared<PeerLinks>();
#if defined(RAILRUNNER_CUDA)
  std::shared_ptr<cuda::high_throughput::StagedPeers> staged;
#endif
  std::unique_ptr<Bench> bench;
  try {
    uint64_t bytes = host::high_throughput::symmetricBytes(options, relation, capacities);
#if defined(RAILRUNNER_CUDA)
    if (isCuda) bytes = cuda::high_throughput::symmetricBytes(options, capacities);
#endif
    links->buffer = SymmetricBuffer::open(exchange, device, bytes, sharesMemory(options), deadlineNs);
    if (anyOverNetwork(relation)) {
      void* reached = links->buffer->local();
      uint64_t reachedBytes = links->buffer->bytes();
      uint32_t numSlots = host::high_throughput::kNetworkSlots;
#if defined(RAILRUNNER_CUDA)
      if (isCuda) {
        Agreement(exchange, "allocating the host memory that the network reaches", deadlineNs).run([&] {
          staged =
              cuda::high_throughput::makeStagedPeers(options, capacities, relation, exchange.rank(), device);
        });
        links->reached = staged;
        reached = staged->memory();
        reachedBytes = staged->bytes();
        numSlots = options.numProxies;
      }
#endif
      links->network = openNetwork(exchange, control, options, numSlots, deadlineNs);
      links->region =
          links->network->registerMemory(exchange, reached, reachedBytes, DeviceKind::kHost, deadlineNs);
    }
    Agreement(exchange, "preparing the MoE point", deadlineNs).run([&] {
#if defined(RAILRUNNER_CUDA)
      if (isCuda) {
        bench = cuda::high_throughput::makeBench(options, capacities, std::move(routing), control,
                                                 exchange.rank(), device, links, staged);
        return;
      }
#endif
      bench = std::make_unique<host::high_throughput::HostBench>(
          options, std::move(routing), control, exchange.rank(), relation, capacities, links);
    });
  } catch (const AgreedError&) {
    bench.reset();
    static_cast<void>(attempt([&] { links->close(&exchange, deadlineNs); }));
    throw;
  }
  return bench;
}

}  // namespace railrunner::moe::high_throughput
