// The network module between two hosts, given as processes whose namespaces the ranks enter:
// `network_hosts_test PID0 PID1 traffic` prints the bytes that rank 0 counted; `... cut FILE` asks for the
// cable to be cut, which it takes for done when FILE is there.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "core/clock.h"
#include "network/network.h"
#include "test/support/expect.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kPayloadBytes = 14336;
constexpr uint64_t kPuts = 2000;

void enterHost(const std::string& pid) {
  for (const char* kind : {"net", "ipc", "uts"}) {
    const int descriptor = open(("/proc/" + pid + "/ns/" + kind).c_str(), O_RDONLY);
    EXPECT(descriptor >= 0 && setns(descriptor, 0) == 0, "namespace %s of process %s", kind, pid.c_str());
    close(descriptor);
  }
}

void sendTraffic(Network& network, HubExchange& exchange, uint32_t region, std::vector<uint64_t>& memory) {
  const uint64_t signalAt = (memory.size() - 1) * 8;
  if (exchange.rank() == 0) {
    for (uint64_t i = 0; i < kPuts; ++i) network.put({1, 0, 1, region, 0, memory.data(), kPayloadBytes});
    network.signal({1, 0, 1, region, signalAt, 1});
    network.flush(nowNs() + 60 * kSecondNs);
    const NetworkCounters counters = network.counters(1);
    std::printf("transport %s payload %lu wire %lu\n", network.info().transport.c_str(),
                counters.payloadBytes, counters.wireBytes);
  } else {
    network.await([&] { return __atomic_load_n(&memory.back(), __ATOMIC_ACQUIRE) == 1; }, 0,
                  nowNs() + 60 * kSecondNs, "the signal");
  }
}

// Both sides wait for a word that cannot come; rank 0 also has data in flight. Each must end by itself and
// say who.
void waitForCut(Network& network, HubExchange& exchange, RunControl& control, uint32_t region,
                std::vector<uint64_t>& memory, const std::string& isCut) {
  const uint32_t peer = 1 - exchange.rank();
  exchange.barrier();
  if (exchange.rank() == 0) std::printf("cut now\n");
  std::fflush(stdout);
  for (const int64_t limit = nowNs() + 60 * kSecondNs; access(isCut.c_str(), F_OK) != 0;) {
    EXPECT(nowNs() < limit, "the cable was not cut: %s is not there", isCut.c_str());
    usleep(10'000);
  }
  const int64_t start = nowNs();
  try {
    if (exchange.rank() == 0) {
      network.put({peer, 0, 1, region, 0, memory.data(), kPayloadBytes});
      network.signal({peer, 0, 1, region, (memory.size() - 1) * 8, 1});
    }
    network.await([&] { return __atomic_load_n(&memory.back(), __ATOMIC_ACQUIRE) != 0; }, peer,
                  start + 12 * kSecondNs, "a signal over a cut cable");
    EXPECT(false, "rank %u got a signal over a cut cable", exchange.rank());
  } catch (const Error& error) {
    EXPECT(error.code() == ErrorCode::kNetwork || error.code() == ErrorCode::kTimeout, "%s", error.what());
    EXPECT(control.awaitedPeer.load() == static_cast<int>(peer), "the awaited peer is %d",
           control.awaitedPeer.load());
    std::printf("rank %u: %s after %ld ms\n", exchange.rank(),
                std::string(errorCodeName(error.code())).c_str(), (nowNs() - start) / 1'000'000);
  }
}

// `isCut`: the file that says so, empty for traffic.
int runHosts(const std::vector<std::string>& hosts, const std::string& isCut) {
  const bool cut = !isCut.empty();
  const auto body = [&](HubExchange& exchange) {
    enterHost(hosts[exchange.rank()]);
    RunControl control;
    NetworkOptions options;
    options.usesNetwork = {static_cast<uint8_t>(exchange.rank() == 1),
                           static_cast<uint8_t>(exchange.rank() == 0)};
    options.deadlineNs = nowNs() + 60 * kSecondNs;
    auto network = Network::open(exchange, control, options);
    std::vector<uint64_t> memory(kPayloadBytes / 8 + 1);
    const uint32_t region = network->registerMemory(exchange, memory.data(), memory.size() * 8,
                                                    DeviceKind::kHost, options.deadlineNs);
    if (cut) {
      waitForCut(*network, exchange, control, region, memory, isCut);
    } else {
      sendTraffic(*network, exchange, region, memory);
    }
    network->close(cut ? nullptr : &exchange, nowNs() + (cut ? 5 : 60) * kSecondNs);
    return 0;
  };
  const auto outcomes = runRanks(2, body, 150);
  return outcomes[0].exitStatus | outcomes[1].exitStatus;
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  const std::string mode = argc > 3 ? argv[3] : "";
  if (!(mode == "traffic" && argc == 4) && !(mode == "cut" && argc == 5)) {
    std::fprintf(stderr, "usage: network_hosts_test PID0 PID1 traffic | cut FILE\n");
    return 2;
  }
  return railrunner::test::runHosts({argv[1], argv[2]}, mode == "cut" ? argv[4] : "");
}
