#include "moe/bench.h"

#include "core/agreement.h"
#include "core/attempt.h"
#include "moe/high_throughput/open.h"
#include "moe/host/low_latency/bench.h"
#include "moe/opening.h"
#include "moe/peer_links.h"

#if defined(RAILRUNNER_CUDA)
#include "moe/cuda/low_latency/open.h"
#endif

namespace railrunner::moe {

namespace {

// Everything of the point on one rank while it opens.
struct Opening {
  Exchange& exchange;
  Device& device;
  RunControl& control;
  const BenchOptions& options;
  int64_t deadlineNs;
  bool isCuda;
  std::shared_ptr<PeerLinks> links = std::make_shared<PeerLinks>();
#if defined(RAILRUNNER_CUDA)
  std::shared_ptr<cuda::NetworkBlocks> blocks = nullptr;
#endif
};

void openBuffer(Opening& opening) {
  std::vector<uint8_t> sharesMemory;
  for (const uint8_t path : opening.options.overNetwork) sharesMemory.push_back(path == 0 ? 1 : 0);
  uint64_t bytes = bufferLayout(opening.options.shape).totalBytes;
#if defined(RAILRUNNER_CUDA)
  if (opening.isCuda) bytes = cuda::mapOf(opening.options).totalBytes;
#endif
  opening.links->buffer =
      SymmetricBuffer::open(opening.exchange, opening.device, bytes, sharesMemory, opening.deadlineNs);
}

void connectNodes(Opening& opening, [[maybe_unused]] const std::vector<std::vector<uint8_t>>& relation) {
  PeerLinks& links = *opening.links;
  void* reached = links.buffer->local();
  uint64_t reachedBytes = links.buffer->bytes();
  uint32_t numSlots = numNetworkSlots(opening.options.shape);
#if defined(RAILRUNNER_CUDA)
  if (opening.isCuda) {
    Agreement(opening.exchange, "allocating the host memory that the network reaches", opening.deadlineNs)
        .run([&] {
          opening.blocks =
              cuda::makeNetworkBlocks(opening.options, relation, opening.exchange.rank(), opening.device);
        });
    links.reached = opening.blocks;
    reached = opening.blocks->memory();
    reachedBytes = opening.blocks->bytes();
    numSlots = cuda::networkSlots(opening.options);
  }
#endif
  links.network =
      openNetwork(opening.exchange, opening.control, opening.options, numSlots, opening.deadlineNs);
  links.region = links.network->registerMemory(opening.exchange, reached, reachedBytes, DeviceKind::kHost,
                                               opening.deadlineNs);
}

std::unique_ptr<Bench> buildBench(Opening& opening, Routing routing) {
  const uint32_t rank = opening.exchange.rank();
#if defined(RAILRUNNER_CUDA)
  if (opening.isCuda) {
    return cuda::makeBench(opening.options, std::move(routing), opening.control, rank, opening.device,
                           opening.links, opening.blocks);
  }
#endif
  return std::make_unique<host::HostBench>(opening.options, std::move(routing), opening.control, rank,
                                           opening.links);
}

}  // namespace

std::unique_ptr<Bench> openBench(Exchange& exchange, Device& device, RunControl& control,
                                 const BenchOptions& options, Routing routing, int64_t deadlineNs) {
  if (options.highThroughput) {
    return high_throughput::openBench(exchange, device, control, options, std::move(routing), deadlineNs);
  }
  Opening opening{exchange, device, control, options, deadlineNs, device.kind() == DeviceKind::kCuda};
  // Whether anybody uses the network is asked of all: the steps that follow are collective.
  const auto relation = Agreement(exchange, "checking the MoE point", deadlineNs).run([&] {
    requireLegal(options, routing, exchange.rank(), exchange.worldSize());
#if defined(RAILRUNNER_CUDA)
    if (opening.isCuda) cuda::requireRunnable(options, device);
#endif
    return options.overNetwork;
  });
  std::unique_ptr<Bench> bench;
  try {
    openBuffer(opening);
    if (anyOverNetwork(relation)) connectNodes(opening, relation);
    Agreement(exchange, "preparing the MoE point", deadlineNs).run([&] {
      bench = buildBench(opening, std::move(routing));
    });
  } catch (const AgreedError&) {
    bench.reset();
    static_cast<void>(attempt([&] { opening.links->close(&exchange, deadlineNs); }));
    throw;
  }
  return bench;
}

}  // namespace railrunner::moe
