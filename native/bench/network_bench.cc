// Compares sizes of network batches and numbers of proxies: `network_bench [ROUNDS]` (9). Four processes of
// one host over the network module; every round opens a network for each variant in turn and measures it, in
// changing order, so that whatever else the machine does meets each of them alike. Prints CSV, a line per round
// and variant:
//   row_us         one put of 14 KiB with its signal, one way: half a round trip, median of 200
//   rows_GBps      32 MiB in puts of 14 KiB from one rank to one other, signalled once: median of 5
//   stream_GBps    the same in puts of 1 MiB
//   exchange_us    every rank sends 32 puts of 14 KiB and a signal to each other one, until all has come:
//   median of
//                  21, on rank 0
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/clock.h"
#include "network/network.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

constexpr uint32_t kRanks = 4;
constexpr uint64_t kRowBytes = 14336;
constexpr uint64_t kStreamBytes = 32 << 20;
constexpr uint32_t kExchangeRows = 32;
constexpr unsigned kLimitSeconds = 900;

struct Variant {
  uint64_t batchBytes;
  uint32_t numProxies;
};

constexpr Variant kVariants[] = {{64 << 10, 1}, {128 << 10, 1}, {256 << 10, 1}, {512 << 10, 1}, {1 << 20, 1},
                                 {64 << 10, 2}, {128 << 10, 2}, {256 << 10, 2}, {512 << 10, 2}, {1 << 20, 2}};

double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench(HubExchange& exchange, Network& network, uint32_t region, std::vector<uint64_t>& memory)
      : exchange_(exchange), network_(network), region_(region), memory_(memory) {}

  double rowUs() {
    std::vector<double> times;
    exchange_.barrier();
    if (exchange_.rank() > 1) return 0;
    const uint32_t peer = 1 - exchange_.rank();
    for (int i = 0; i < 220; ++i) {
      ++epoch_;
      const double startUs = nowUs();
      if (exchange_.rank() == 0) send(peer, kRowBytes, 1);
      receive(peer);
      if (exchange_.rank() == 1) send(peer, kRowBytes, 1);
      if (i >= 20) times.push_back((nowUs() - startUs) / 2);
    }
    return medianOf(times);
  }

  double streamGBps(uint64_t putBytes) {
    std::vector<double> rates;
    exchange_.barrier();
    if (exchange_.rank() > 1) return 0;
    const uint32_t peer = 1 - exchange_.rank();
    const uint64_t puts = kStreamBytes / putBytes;
    for (int i = 0; i < 6; ++i) {
      ++epoch_;
      const double startUs = nowUs();
      if (exchange_.rank() == 0) send(peer, putBytes, puts);
      receive(peer);
      if (exchange_.rank() == 1) send(peer, 8, 1);
      const double timeUs = nowUs() - startUs;
      if (i > 0) rates.push_back(static_cast<double>(puts * putBytes) / timeUs / 1e3);
    }
    return medianOf(rates);
  }

  double exchangeUs() {
    std::vector<double> times;
    // Ranks that took no part in the figures before count on from the same epoch.
    epoch_ = 1'000'000;
    for (int i = 0; i < 23; ++i) {
      ++epoch_;
      exchange_.barrier();
      const double startUs = nowUs();
      for (uint32_t step = 1; step < kRanks; ++step) {
        send((exchange_.rank() + step) % kRanks, kRowBytes, kExchangeRows);
      }
      for (uint32_t step = 1; step < kRanks; ++step) receive((exchange_.rank() + step) % kRanks);
      if (i >= 2) times.push_back(nowUs() - startUs);
    }
    return medianOf(times);
  }

 private:
  uint64_t signalAt(uint32_t source) const { return (memory_.size() - kRanks + source) * 8; }
  void send(uint32_t peer, uint64_t bytes, uint64_t puts) {
    for (uint64_t i = 0; i < puts; ++i) {
      const uint64_t offset = (i * bytes) % (kStreamBytes - bytes + 8) / 8 * 8;
      network_.put({peer, 0, epoch_, region_, offset, memory_.data(), bytes});
    }
    network_.signal({peer, 0, epoch_, region_, signalAt(exchange_.rank()), epoch_});
  }
  void receive(uint32_t source) {
    const uint64_t* word = memory_.data() + signalAt(source) / 8;
    network_.await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) >= epoch_; }, source, 0, "a signal");
  }

  HubExchange& exchange_;
  Network& network_;
  uint32_t region_;
  std::vector<uint64_t>& memory_;
  uint64_t epoch_ = 0;
};

// Each rank stays on one core, as launchers bind ranks: where the scheduler puts both ends of a stream on the
// same one, a row takes 30 us instead of 7, whatever the variant.
void stayOnOneCore(uint32_t rank) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  uint32_t skip = rank % static_cast<uint32_t>(CPU_COUNT(&allowed));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || skip-- > 0) continue;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(core, &own);
    sched_setaffinity(0, sizeof(own), &own);
    return;
  }
}

void measure(HubExchange& exchange, const Variant& variant, std::vector<uint64_t>& memory, int round) {
  RunControl control;
  NetworkOptions options;
  options.usesNetwork.assign(kRanks, 1);
  options.usesNetwork[exchange.rank()] = 0;
  options.numProxies = variant.numProxies;
  options.batchBytes = variant.batchBytes;
  auto network = Network::open(exchange, control, options);
  std::fill(memory.end() - kRanks, memory.end(), 0);
  const uint32_t region =
      network->registerMemory(exchange, memory.data(), memory.size() * 8, DeviceKind::kHost, 0);
  Bench bench(exchange, *network, region, memory);
  const double rowUs = bench.rowUs();
  const double rowsGBps = bench.streamGBps(kRowBytes);
  const double streamGBps = bench.streamGBps(1 << 20);
  const double exchangeUs = bench.exchangeUs();
  if (exchange.rank() == 0) {
    std::printf("%d,%lu,%u,%.2f,%.3f,%.3f,%.1f\n", round, variant.batchBytes, variant.numProxies, rowUs,
                rowsGBps, streamGBps, exchangeUs);
    std::fflush(stdout);
  }
  network->close(&exchange, 0);
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner;
  using namespace railrunner::test;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  std::printf("round,batch_bytes,num_proxies,row_us,rows_GBps,stream_GBps,exchange_us\n");
  const auto outcomes = runRanks(
      kRanks,
      [&](HubExchange& exchange) {
        stayOnOneCore(exchange.rank());
        std::vector<uint64_t> memory(kStreamBytes / 8 + kRanks, exchange.rank() + 1);
        constexpr size_t count = std::size(kVariants);
        for (int round = 0; round < rounds; ++round) {
          for (size_t i = 0; i < count; ++i) {
            // Every round begins with another one, and neighbours in the list are not neighbours in time.
            measure(exchange, kVariants[(i * 3 + round) % count], memory, round);
          }
        }
        return 0;
      },
      kLimitSeconds);
  int status = 0;
  for (const RankOutcome& outcome : outcomes) status |= outcome.exitStatus;
  return status;
}
