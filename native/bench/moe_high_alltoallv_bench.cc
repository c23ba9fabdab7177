#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "device/device.h"
#include "moe/host/high_throughput/exchange.h"
#include "moe/host/high_throughput/received.h"
#include "moe/host/rows.h"
#include "moe/payload.h"
#include "moe_high_by_mpi.h"
#include "peers/symmetric_buffer.h"
#include "times.h"

// usage: mpirun -n 4 moe_high_alltoallv_bench PLUGIN [iterations [tokens ...]]
//
// High throughput three times in one run, interleaved: sparse and allGather over shared memory, and the same exchange by
// MPI (counts, then Ialltoallv of packed rows and of ids and weights). All take tokens from where they lie to expert-major
// rows with counts, and experts' outputs to the tokens' sums; all place, expand and reduce by the same code. Results must
// be the same bits. Rank 0 prints CSV: medians over iterations of the slowest rank, in us; `ratio` is the median of each
// iteration's MPI time over its sparse time, both operations together.
namespace railrunner::moe::host::high_throughput {
namespace {

using bench::ExchangeTimes;
using bench::medianOf;
using bench::slowestOf;
struct Inputs {
  Inputs(const Shape& shape, uint32_t rank, uint32_t count) : numTokens(count) {
    x.resize(static_cast<size_t>(count) * shape.paddedHidden());
    for (uint32_t token = 0; token < count; ++token) {
      const uint32_t base = tokenBase(1, 0, rank, token);
      for (uint32_t c = 0; c < shape.hidden; ++c) {
        x[static_cast<size_t>(token) * shape.paddedHidden() + c] =
            static_cast<uint16_t>(payloadPair(base, c));
      }
      for (uint32_t k = 0; k < shape.numTopk; ++k) {
        auto expert = static_cast<int32_t>(mix32(base + 77 * k) % shape.numExperts);
        const auto from = ids.end() - k;
        while (std::find(from, ids.end(), expert) != ids.end()) {
          expert = (expert + 1) % static_cast<int32_t>(shape.numExperts);
        }
        ids.push_back(expert);
        weights.push_back(0.125F);
      }
    }
  }
  TokenRows view() const {
    return {reinterpret_cast<const uint8_t*>(x.data()), nullptr, ids.data(), weights.data(), numTokens};
  }
  std::vector<uint16_t> x;
  std::vector<int32_t> ids;
  std::vector<float> weights;
  uint32_t numTokens;
};

// One exchange over shared memory, and its buffer.
struct Ours {
  Ours(MpiRanks& ranks, const Shape& shape, const Options& options, const std::vector<Capacity>& capacities,
       const Inputs& inputs)
      : numTokens(inputs.numTokens), digest(routingDigest(inputs.ids, inputs.numTokens)) {
    uint64_t most = 1;
    for (const Capacity& capacity : capacities) most = std::max(most, capacity.tokens);
    const auto device = openDevice(DeviceKind::kHost, 0);
    const std::vector<uint8_t> shares(shape.worldSize, 1);
    buffer = SymmetricBuffer::open(ranks, *device, BufferLayout(shape, most, 0).totalBytes, shares, 0);
    const NetworkRelation near(shape.worldSize, std::vector<uint8_t>(shape.worldSize));
    exchange = std::make_unique<HostExchange>(
        ExchangeSetup{shape, options, Places({ranks.rank(), buffer->bases(), {}}, near), capacities, {}, {}},
        ranks.control());
    std::memcpy(exchange->x(), inputs.x.data(), inputs.x.size() * sizeof(uint16_t));
    std::copy(inputs.ids.begin(), inputs.ids.end(), exchange->topkIdx());
    std::copy(inputs.weights.begin(), inputs.weights.end(), exchange->topkWeights());
  }
  const uint32_t numTokens;
  const uint64_t digest;
  std::unique_ptr<SymmetricBuffer> buffer;
  std::unique_ptr<HostExchange> exchange;
  Handle handle;
};

std::vector<Capacity> capacitiesOf(MpiRanks& ranks, const Shape& shape, const Options& options,
                                   const Inputs& inputs) {
  const SourceCounts own = countRouting(shape, inputs.ids, {});
  std::vector<uint32_t> words = own.tokensTo;
  words.insert(words.end(), own.rowsOfExpert.begin(), own.rowsOfExpert.end());
  std::vector<SourceCounts> sources;
  for (const auto& bytes :
       ranks.allgather({reinterpret_cast<const uint8_t*>(words.data()), 4 * words.size()}, 0)) {
    const auto* told = reinterpret_cast<const uint32_t*>(bytes.data());
    sources.push_back({{told, told + shape.worldSize}, {}, {told + shape.worldSize, told + words.size()}});
  }
  std::vector<Capacity> capacities;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
    const ReceiveNeed need = needOf(shape, options, sources, rank);
    capacities.push_back({need.tokens, need.rows});
  }
  return capacities;
}

void compare(MpiRanks& ranks, const Shape& shape, uint32_t numTokens, uint32_t iterations) {
  const Inputs inputs(shape, ranks.rank(), numTokens);
  Options options;
  const std::vector<Capacity> capacities = capacitiesOf(ranks, shape, options, inputs);
  const Capacity own = capacities[ranks.rank()];
  Ours sparse(ranks, shape, options, capacities, inputs);
  options.strategy = Strategy::kAllGather;
  Ours gathering(ranks, shape, options, capacities, inputs);
  ByMpi mpi(shape, ranks, own, numTokens);
  HostReceived received(shape, own);
  // The experts give back what they got: another copy would take a gigabyte per rank for 8192 tokens.
  const auto* y = reinterpret_cast<const uint16_t*>(received.view().x);
  std::vector<std::vector<uint16_t>> out(3, std::vector<uint16_t>(inputs.x.size()));
  ExchangeTimes timed[3];
  const auto once = [&](uint32_t which, bool counts, const std::function<void()>& dispatch,
                        const std::function<void()>& combine) {
    ranks.barrier();
    const double begin = nowUs();
    dispatch();
    const double dispatchUs = nowUs() - begin;
    ranks.barrier();
    const double back = nowUs();
    combine();
    if (!counts) return;
    timed[which].combineUs.push_back(nowUs() - back);
    timed[which].dispatchUs.push_back(dispatchUs);
  };
  const auto ours = [&](uint32_t which, bool counts, Ours& exchange) {
    once(
        which, counts,
        [&] { exchange.exchange->dispatch(numTokens, exchange.digest, received.view(), exchange.handle); },
        [&] { exchange.exchange->combine(y, received.view(), exchange.handle, out[which].data()); });
  };
  for (uint32_t i = 0; i < iterations + 1; ++i) {
    ours(0, i > 0, sparse);
    ours(1, i > 0, gathering);
    once(
        2, i > 0, [&] { mpi.dispatch(inputs.view(), received.view()); },
        [&] { mpi.combine(inputs.view(), y, received.view(), out[2].data()); });
    if (out[0] != out[2] || out[1] != out[2]) {
      throw Error(ErrorCode::kWrongData, "the exchanges differ in iteration " + std::to_string(i));
    }
  }
  std::vector<double> d[3], c[3], ratios;
  for (uint32_t which = 0; which < 3; ++which) {
    d[which] = slowestOf(ranks, timed[which].dispatchUs), c[which] = slowestOf(ranks, timed[which].combineUs);
  }
  for (size_t i = 0; i < d[0].size(); ++i) ratios.push_back((d[2][i] + c[2][i]) / (d[0][i] + c[0][i]));
  if (ranks.rank() == 0) {
    std::printf("%u,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.2f\n", numTokens, medianOf(d[0]), medianOf(c[0]),
                medianOf(d[1]), medianOf(c[1]), medianOf(d[2]), medianOf(c[2]), medianOf(ratios));
    std::fflush(stdout);
  }
  sparse.buffer->close(&ranks, 0);
  gathering.buffer->close(&ranks, 0);
}

}  // namespace
}  // namespace railrunner::moe::host::high_throughput

int main(int argc, char** argv) {
  using namespace railrunner::moe;
  if (argc < 2) {
    std::fprintf(stderr, "usage: mpirun -n 4 moe_high_alltoallv_bench PLUGIN [iterations [tokens ...]]\n");
    return 2;
  }
  railrunner::bench::MpiRanks ranks(argv[1]);
  const uint32_t iterations = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 10;
  std::vector<uint32_t> tokens = {128, 512, 1024, 2048, 4096, 8192};
  if (argc > 3) tokens.clear();
  for (int i = 3; i < argc; ++i) tokens.push_back(static_cast<uint32_t>(std::atoi(argv[i])));
  try {
    if (ranks.rank() == 0) {
      std::printf("tokens,sparse dispatch us,sparse combine us,allGather dispatch us,allGather combine us,");
      std::printf("MPI dispatch us,MPI combine us,ratio\n");
    }
    for (const uint32_t numTokens : tokens) {
      Shape shape;
      shape.worldSize = ranks.worldSize(), shape.numExperts = 256, shape.numTopk = 8, shape.hidden = 7168;
      shape.maxDispatchTokensPerRank = numTokens;
      host::high_throughput::compare(ranks, shape, numTokens, iterations);
    }
    ranks.finalize();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %u: %s\n", ranks.rank(), error.what());
    return 1;
  }
  return 0;
}
