// Times put + signal between two processes over the network room: `network_bench [NUM_PROXIES
// [BATCH_BYTES]]`. Prints, for each payload size, the round trip's half of one put with its signal, and the
// bandwidth of a stream of puts that is signalled once: median of the round trips and best of the streams, so
// that what else runs on the machine counts little.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/clock.h"
#include "network/network.h"
#include "test/rank_processes.h"

namespace railrunner::test {
namespace {

constexpr uint64_t kStreamBytes = 64 << 20;
constexpr uint64_t kRoundTrips = 500;

struct Figures {
  double halfRoundTripUs = 0;
  double streamGBps = 0;
};

class Bench {
 public:
  Bench(HubExchange& exchange, Network& network, uint32_t region, std::vector<uint64_t>& memory,
        uint32_t numSlots)
      : exchange_(exchange), network_(network), region_(region), memory_(memory), numSlots_(numSlots) {}

  Figures run(uint64_t payloadBytes) {
    Figures figures;
    exchange_.barrier();
    std::vector<double> roundTripsUs;
    for (uint64_t i = 0; i < kRoundTrips; ++i) {
      const int64_t start = nowNs();
      if (exchange_.rank() == 0) send(payloadBytes, 1);
      receive();
      if (exchange_.rank() == 1) send(payloadBytes, 1);
      roundTripsUs.push_back(static_cast<double>(nowNs() - start) * 1e-3);
    }
    std::sort(roundTripsUs.begin(), roundTripsUs.end());
    figures.halfRoundTripUs = roundTripsUs[kRoundTrips / 2] / 2;
    exchange_.barrier();
    const uint64_t puts = kStreamBytes / payloadBytes;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const int64_t begin = nowNs();
      if (exchange_.rank() == 0) send(payloadBytes, puts);
      receive();
      if (exchange_.rank() == 1) send(8, 1);
      const double gbps = static_cast<double>(puts * payloadBytes) / static_cast<double>(nowNs() - begin);
      figures.streamGBps = std::max(figures.streamGBps, gbps);
    }
    return figures;
  }

 private:
  uint64_t signalAt(uint32_t slot) const { return (memory_.size() - numSlots_ + slot) * 8; }
  void send(uint64_t bytes, uint64_t puts) {
    ++epoch_;
    const uint32_t peer = 1 - exchange_.rank();
    const uint64_t perSlot = puts / numSlots_ > 0 ? puts / numSlots_ : 1;
    for (uint64_t i = 0; i < puts; ++i) {
      const uint32_t slot = static_cast<uint32_t>(std::min<uint64_t>(i / perSlot, numSlots_ - 1));
      network_.put({peer, slot, epoch_, region_, (i * bytes) % kStreamBytes, memory_.data(), bytes});
    }
    for (uint32_t slot = 0; slot < numSlots_; ++slot) {
      network_.signal({peer, slot, epoch_, region_, signalAt(slot), epoch_}, false);
    }
    network_.push(peer);
  }
  void receive() {
    ++awaited_;
    if (exchange_.rank() == 0 && awaited_ > epoch_) return;
    for (uint32_t slot = 0; slot < numSlots_; ++slot) {
      const uint64_t* word = memory_.data() + signalAt(slot) / 8;
      network_.await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) >= awaited_; },
                     1 - exchange_.rank(), 0, "a signal");
    }
  }

  HubExchange& exchange_;
  Network& network_;
  uint32_t region_;
  std::vector<uint64_t>& memory_;
  uint32_t numSlots_;
  uint64_t epoch_ = 0;
  uint64_t awaited_ = 0;
};

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner;
  using namespace railrunner::test;
  const uint32_t numProxies = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1;
  const uint64_t batchBytes =
      argc > 2 ? static_cast<uint64_t>(std::atoll(argv[2])) : NetworkOptions{}.batchBytes;
  const auto outcomes = runRanks(2, [&](HubExchange& exchange) {
    RunControl control;
    NetworkOptions options;
    options.usesNetwork = {static_cast<uint8_t>(exchange.rank() == 1),
                           static_cast<uint8_t>(exchange.rank() == 0)};
    options.numProxies = numProxies;
    options.numSlots = numProxies;
    options.batchBytes = batchBytes;
    auto network = Network::open(exchange, control, options);
    std::vector<uint64_t> memory(kStreamBytes / 8 + numProxies, exchange.rank() + 1);
    std::fill(memory.end() - numProxies, memory.end(), 0);
    const uint32_t region =
        network->registerMemory(exchange, memory.data(), memory.size() * 8, DeviceKind::kHost, 0);
    Bench bench(exchange, *network, region, memory, numProxies);
    for (const uint64_t bytes : {uint64_t{8}, uint64_t{4} << 10, uint64_t{14336}, uint64_t{64} << 10,
                                 uint64_t{256} << 10, uint64_t{1} << 20}) {
      const Figures figures = bench.run(bytes);
      if (exchange.rank() != 0) continue;
      std::printf("%8lu bytes  half round trip %8.1f us  stream %6.2f GB/s\n", bytes, figures.halfRoundTripUs,
                  figures.streamGBps);
    }
    network->close(&exchange, 0);
    return 0;
  });
  return outcomes[0].exitStatus | outcomes[1].exitStatus;
}
