// The network module between real processes: `network_test CASE` runs one case, `network_test` lists them.
#include "network/network.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/pattern.h"
#include "test/network/host_ring.h"
#include "test/support/case_by_name.h"
#include "test/support/expect.h"
#include "test/support/network_board.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

struct Traffic {
  uint32_t numSlots = 4;
  uint64_t rowWords = 4096;
  uint64_t putWords = 512;
  uint64_t epochs = 20;
};

// Every rank fills its row on every other rank, in every slot, and checks what it got. Returns the words that
// differed from what the sender's signal promised. The receiver answers by its own signals of the next epoch
// alone, so a fast rank runs ahead by one.
uint64_t exchangeRows(Network& network, HubExchange& exchange, uint32_t region, Board& board,
                      const Traffic& traffic) {
  const uint32_t me = exchange.rank();
  uint64_t wrong = 0;
  std::vector<uint64_t> row(traffic.rowWords);
  for (uint64_t epoch = 1; epoch <= traffic.epochs; ++epoch) {
    for (uint32_t peer = 0; peer < exchange.worldSize(); ++peer) {
      if (peer == me) continue;
      for (uint32_t slot = 0; slot < traffic.numSlots; ++slot) {
        for (uint64_t i = 0; i < row.size(); ++i) row[i] = wordOf(me, slot, epoch, i);
        for (uint64_t at = 0; at < row.size(); at += traffic.putWords) {
          const uint64_t words = std::min(traffic.putWords, row.size() - at);
          network.put(
              {peer, slot, epoch, region, board.rowOffset(me, slot) + at * 8, row.data() + at, words * 8});
        }
        network.signal({peer, slot, epoch, region, board.signalOffset(me, slot), epoch},
                       slot + 1 == traffic.numSlots);
      }
      network.push(peer);
    }
    for (uint32_t peer = 0; peer < exchange.worldSize(); ++peer) {
      if (peer == me) continue;
      for (uint32_t slot = 0; slot < traffic.numSlots; ++slot) {
        const uint64_t* word = board.at(board.signalOffset(peer, slot));
        network.await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) == epoch; }, peer, soon(),
                      "a test signal");
        const uint64_t* got = board.at(board.rowOffset(peer, slot));
        for (uint64_t i = 0; i < traffic.rowWords; ++i)
          wrong += got[i] != wordOf(peer, slot, epoch, i) ? 1 : 0;
      }
    }
    exchange.barrier();  // rows are used again
  }
  return wrong;
}

int runTraffic(uint32_t worldSize, const Traffic& traffic, const std::function<void(NetworkOptions&)>& adjust,
               const std::function<void(Network&, uint64_t wrong)>& verdict) {
  const auto outcomes = runRanks(worldSize, [&](HubExchange& exchange) {
    RunControl control;
    NetworkOptions options = allPeers(exchange);
    options.numSlots = traffic.numSlots;
    adjust(options);
    auto network = Network::open(exchange, control, options);
    Board board(exchange.worldSize(), traffic.numSlots, traffic.rowWords);
    const uint32_t region =
        network->registerMemory(exchange, board.memory.data(), board.bytes(), DeviceKind::kHost, soon());
    const uint64_t wrong = exchangeRows(*network, exchange, region, board, traffic);
    verdict(*network, wrong);
    network->unregisterMemory(exchange, region, soon());
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

void expectWhole(Network& network, uint64_t wrong) {
  EXPECT(wrong == 0, "%lu words differ", wrong);
  EXPECT(network.totalCounters().staleRecords == 0, "stale records without a reason");
}

int deliversWhole() {
  return runTraffic(
      3, Traffic{}, [](NetworkOptions&) {},
      [](Network& network, uint64_t wrong) {
        expectWhole(network, wrong);
        const NetworkInfo info = network.info();
        EXPECT(info.transport.rfind("tcp/", 0) == 0, "transport is %s", info.transport.c_str());
        // Two peers, 20 epochs, 4 slots of 32 KiB and a signal each.
        const NetworkCounters counters = network.totalCounters();
        const uint64_t payload = 2 * 20 * 4 * (4096 * 8 + 8);
        EXPECT(counters.payloadBytes == payload, "payload %lu, expected %lu", counters.payloadBytes, payload);
        EXPECT(counters.wireBytes > payload && counters.wireBytes < payload * 11 / 10, "wire %lu",
               counters.wireBytes);
      });
}

int severalProxies() {
  return runTraffic(
      2, Traffic{.numSlots = 5}, [](NetworkOptions& options) { options.numProxies = 3; }, expectWhole);
}

// Rows larger than a batch, so that one put becomes several records.
int largePuts() {
  const Traffic traffic{.numSlots = 2, .rowWords = 100'001, .putWords = 100'001, .epochs = 4};
  return runTraffic(
      2, traffic, [](NetworkOptions& options) { options.batchBytes = 64 << 10; }, expectWhole);
}

int remoteWrites() {
  const auto adjust = [](NetworkOptions& options) { options.protocol = NetworkProtocol::kRemoteWrite; };
  return runTraffic(2, Traffic{.epochs = 6}, adjust, [](Network& network, uint64_t wrong) {
    expectWhole(network, wrong);
    EXPECT(network.info().protocol == NetworkProtocol::kRemoteWrite, "another protocol was used");
  });
}

int shuffledArrivals() {
  return runTraffic(
      3, Traffic{}, [](NetworkOptions& options) { options.testSeam.shuffleSeed = 99; }, expectWhole);
}

// Payloads that are taken where they lie, when they leave: more than sockets hold, in pieces of every kind of size between
// such that are copied, sent and received at once by both.
int payloadsThatStay() {
  constexpr uint64_t kBytes = 24U << 20;
  constexpr std::array<uint64_t, 8> kSizes = {8, 1023, 1024, 4097, 16384, 65536, 300'001, 40};
  const auto outcomes = runRanks(2, [&](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    const uint32_t peer = 1 - exchange.rank();
    std::vector<uint8_t> memory(kBytes + 8);
    std::vector<uint8_t> source(kBytes);
    const auto byteOf = [](uint32_t rank, uint64_t at) {
      return static_cast<uint8_t>(wordOf(rank, 0, 1, at / 8) >> (at % 8 * 8));
    };
    for (uint64_t i = 0; i < kBytes; ++i) source[i] = byteOf(exchange.rank(), i);
    const uint32_t region =
        network->registerMemory(exchange, memory.data(), memory.size(), DeviceKind::kHost, soon());
    uint64_t at = 0;
    for (uint32_t i = 0; at < kBytes; ++i) {
      NetworkPut put{
          peer, 0, 1, region, at, source.data() + at, std::min(kSizes[i % kSizes.size()], kBytes - at)};
      put.stays = i % 5 != 0;
      std::vector<uint8_t> copied;
      if (!put.stays) {
        copied.assign(source.data() + at, source.data() + at + put.bytes);
        put.data = copied.data();
      }
      network->put(put);
      std::ranges::fill(copied, uint8_t{0});
      at += put.bytes;
    }
    network->signal({peer, 0, 1, region, kBytes, 1});
    const auto* word = reinterpret_cast<const uint64_t*>(memory.data() + kBytes);
    network->await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) == 1; }, peer, soon(), "the signal");
    for (uint64_t i = 0; i < kBytes; ++i)
      EXPECT(memory[i] == byteOf(peer, i), "byte %lu of %lu differs", i, kBytes);
    network->flush(soon());
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

// The planted fault must be seen by the very check that the cases above rely on.
int earlySignalIsSeen() {
  const auto adjust = [](NetworkOptions& options) {
    options.testSeam.shuffleSeed = 99;
    options.testSeam.publishWithoutCounting = true;
  };
  return runTraffic(2, Traffic{}, adjust, [](Network&, uint64_t wrong) {
    EXPECT(wrong > 0, "signals were published before their payloads, and no word differed");
  });
}

int staleEpochsAreDropped() {
  const auto outcomes = runRanks(2, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    Board board(2, 1, 64);
    const uint32_t me = exchange.rank();
    const uint32_t peer = 1 - me;
    const uint32_t region =
        network->registerMemory(exchange, board.memory.data(), board.bytes(), DeviceKind::kHost, soon());
    std::vector<uint64_t> row(64, 7);
    if (me == 1) network->acceptFrom(10);
    exchange.barrier();
    if (me == 0) {
      network->put({peer, 0, 3, region, board.rowOffset(me, 0), row.data(), 512});
      network->signal({peer, 0, 3, region, board.signalOffset(me, 0), 3});
      std::fill(row.begin(), row.end(), 8);
      network->put({peer, 0, 10, region, board.rowOffset(me, 0) + 8, row.data(), 8});
      network->signal({peer, 0, 10, region, board.signalOffset(me, 0), 10});
      network->flush(soon());
    } else {
      const uint64_t* word = board.at(board.signalOffset(0, 0));
      network->await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) != 0; }, 0, soon(), "the signal");
      EXPECT(*word == 10, "the signal is %lu", *word);
      const uint64_t sum = std::accumulate(board.memory.begin(), board.memory.begin() + 64, uint64_t{0});
      EXPECT(sum == 8, "the stale payload landed: words add up to %lu", sum);
      EXPECT(network->counters(0).staleRecords == 2, "%lu stale records", network->counters(0).staleRecords);
    }
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

int deadPeerIsNamed() {
  const auto outcomes = runRanks(3, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    if (exchange.rank() == 2) raise(SIGKILL);
    uint64_t never = 0;
    try {
      network->await([&] { return __atomic_load_n(&never, __ATOMIC_ACQUIRE) != 0; }, 2, soon(),
                     "a word of rank 2");
      EXPECT(false, "the wait came back");
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kNetwork, "%s", error.what());
      EXPECT(std::strstr(error.what(), "to rank 2") != nullptr, "%s", error.what());
      EXPECT(control.awaitedPeer.load() == 2, "the awaited peer is %d", control.awaitedPeer.load());
    }
    network->close(nullptr, nowNs() + 2 * kSecondNs);
    return 0;
  });
  EXPECT(outcomes[0].exitStatus == 0 && outcomes[1].exitStatus == 0, "survivors ended with %d and %d",
         outcomes[0].exitStatus, outcomes[1].exitStatus);
  EXPECT(outcomes[2].exitStatus == 128 + SIGKILL, "the victim ended with %d", outcomes[2].exitStatus);
  return 0;
}

int abortEndsWaits() {
  const auto outcomes = runRanks(2, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    control.abort.store(1);
    try {
      network->await([] { return false; }, 1 - exchange.rank(), 0, "nothing");
      EXPECT(false, "the wait came back");
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kAborted, "%s", error.what());
    }
    control.abort.store(0);
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

// One rank cannot register: all are told which one and why, and the next registration works.
int registrationIsAgreed() {
  const auto outcomes = runRanks(2, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    std::vector<uint64_t> memory(64);
    const DeviceKind kind = exchange.rank() == 1 ? DeviceKind::kCuda : DeviceKind::kHost;
    try {
      network->registerMemory(exchange, memory.data(), 512, kind, soon());
      EXPECT(false, "cuda memory was registered");
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kUnsupportedHere, "%s", error.what());
      EXPECT(std::strstr(error.what(), "rank 1: ") != nullptr, "%s", error.what());
      EXPECT(std::strstr(error.what(), "rank 0: ") == nullptr, "%s", error.what());
    }
    const uint32_t region = network->registerMemory(exchange, memory.data(), 512, DeviceKind::kHost, soon());
    try {
      network->put({1 - exchange.rank(), 0, 1, region, 512, memory.data(), 8});
      EXPECT(false, "a put beyond the region was taken");
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kArgument, "%s", error.what());
    }
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

int triggersAreForwarded() {
  const auto outcomes = runRanks(2, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    const uint32_t me = exchange.rank();
    const uint32_t peer = 1 - me;
    constexpr uint64_t kWords = 1024;
    std::vector<uint64_t> memory(2 * kWords + 1);
    const uint32_t region =
        network->registerMemory(exchange, memory.data(), memory.size() * 8, DeviceKind::kHost, soon());
    HostRing ring(16);
    network->attachTriggers(0, ring.fifo);
    for (uint64_t i = 0; i < kWords; ++i) memory[i] = wordOf(me, 0, 1, i);
    const auto never = [] { return false; };
    for (uint64_t i = 0; i < kWords; i += 8) {
      EXPECT(ring.fifo.push({TriggerKind::kPut, peer, 0, region, 1, (kWords + i) * 8, i * 8, 64}, never),
             "aborted");
    }
    EXPECT(ring.fifo.push({TriggerKind::kSignal, peer, 0, region, 1, 2 * kWords * 8, 5, 0}, never),
           "aborted");
    network->await([&] { return __atomic_load_n(&memory[2 * kWords], __ATOMIC_ACQUIRE) == 5; }, peer, soon(),
                   "the signal");
    for (uint64_t i = 0; i < kWords; ++i)
      EXPECT(memory[kWords + i] == wordOf(peer, 0, 1, i), "word %lu differs", i);
    network->close(&exchange, soon());
    return 0;
  });
  return allEnded(outcomes);
}

// A peer that takes nothing more, while it lives: its triggers stay with a proxy that waits for room. close()
// ends that wait, though nobody is told to stop.
int closeEndsAProxyThatWaits() {
  const auto outcomes = runRanks(2, [](HubExchange& exchange) {
    RunControl control;
    auto network = Network::open(exchange, control, allPeers(exchange));
    std::vector<uint64_t> memory((8 << 20) / sizeof(uint64_t));
    const uint64_t bytes = memory.size() * sizeof(uint64_t);
    const uint32_t region =
        network->registerMemory(exchange, memory.data(), bytes, DeviceKind::kHost, soon());
    const auto own = static_cast<uint64_t>(getpid());
    const auto pids = exchange.allgather({reinterpret_cast<const uint8_t*>(&own), sizeof(own)}, soon());
    if (exchange.rank() == 1) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no alarm reaches it below
      raise(SIGSTOP);
      return 0;
    }
    HostRing ring(16);
    network->attachTriggers(0, ring.fifo);
    // Full and no longer drained: the proxy waits inside one of them.
    std::atomic<bool> isLate{false};
    std::jthread limit([&](std::stop_token ended) {
      uint64_t seen = ~0ULL;
      for (int same = 0; same < 20 && !ended.stop_requested(); usleep(100'000)) {
        const uint64_t taken = __atomic_load_n(&ring.tail, __ATOMIC_ACQUIRE);
        same = taken == seen ? same + 1 : 0;
        seen = taken;
      }
      isLate.store(true);
    });
    while (ring.fifo.push({TriggerKind::kPut, 1, 0, region, 1, 0, 0, bytes}, [&] { return isLate.load(); })) {
    }
    network->close(nullptr, nowNs() + 2 * kSecondNs);
    pid_t peer = 0;
    std::memcpy(&peer, pids[1].data(), sizeof(peer));
    kill(peer, SIGKILL);
    return 0;
  });
  EXPECT(outcomes[0].exitStatus == 0, "the closing rank ended with %d", outcomes[0].exitStatus);
  EXPECT(outcomes[1].exitStatus == 128 + SIGKILL, "the frozen rank ended with %d", outcomes[1].exitStatus);
  return 0;
}

const CasesByName kCases = {
    {"delivers-whole", deliversWhole},
    {"several-proxies", severalProxies},
    {"large-puts", largePuts},
    {"remote-writes", remoteWrites},
    {"payloads-that-stay", payloadsThatStay},
    {"shuffled-arrivals", shuffledArrivals},
    {"early-signal-is-seen", earlySignalIsSeen},
    {"stale-epochs-are-dropped", staleEpochsAreDropped},
    {"dead-peer-is-named", deadPeerIsNamed},
    {"abort-ends-waits", abortEndsWaits},
    {"registration-is-agreed", registrationIsAgreed},
    {"triggers-are-forwarded", triggersAreForwarded},
    {"close-ends-a-proxy-that-waits", closeEndsAProxyThatWaits},
};

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  return railrunner::test::runCaseByName(railrunner::test::kCases, argc, argv);
}
