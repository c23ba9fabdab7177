// What a point that fails leaves behind, on every rank: openings and endings under each injected failure, again and
// again, with memfds, sockets, threads, descriptors and resident memory counted before and after.
// usage: leak_test CASE [openings [seconds]]; without a case it lists them. A case ends early when the seconds are over
// and 20 openings are done.
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/clock.h"
#include "device/host/host_device.h"
#include "moe/bench.h"
#include "network/network.h"
#include "peers/symmetric_buffer.h"
#include "test/core/process_counts.h"
#include "test/core/refused_threads.h"
#include "test/support/broadcast_between_nodes.h"
#include "test/support/case_by_name.h"
#include "test/support/cut_links.h"
#include "test/support/expect.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

constexpr int kWarmUp = 5;  // what libraries keep from their first use is not a leak
constexpr int kFewest = 20;
// Of a whole case: allocators round up, and keep. Six buffers of the smallest case are as much.
constexpr long kAllowedKiB = 6 * 1024;

int openings = 1000;
int64_t limitNs = 20'000'000'000;

int64_t soon() { return nowNs() + 60'000'000'000; }

// A device that cannot do something, as one GPU of a node whose memory is taken.
class PoorDevice final : public Device {
 public:
  enum class Lacks { kNothing, kMemory, kMapping };
  explicit PoorDevice(Lacks lacks) : lacks_(lacks) {}
  DeviceKind kind() const override { return device_.kind(); }
  int ordinal() const override { return device_.ordinal(); }
  int numaNode() const override { return device_.numaNode(); }
  DeviceProperties properties() const override { return device_.properties(); }
  std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing sharing) override {
    if (lacks_ == Lacks::kMemory) throw Error(ErrorCode::kAllocation, "no memory is left on this device");
    return device_.allocate(bytes, sharing);
  }
  std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) override {
    if (lacks_ == Lacks::kMapping) throw Error(ErrorCode::kCuda, "the peer's memory cannot be mapped");
    return device_.open(handle);
  }
  void registerHost(void*, uint64_t) override {}
  void unregisterHost(void*) override {}

 private:
  HostDevice device_{0};
  Lacks lacks_;
};

// One opening that is to fail, on every rank alike: what all of them say.
using Opening = std::function<void(HubExchange&, RunControl&)>;

// Runs it until `openings` or the limit, the same number of times on all ranks. Every opening must fail with one code on
// all ranks.
void openAgainAndAgain(HubExchange& exchange, const char* code, const Opening& opening) {
  RunControl control;
  control.setCrowded(true);
  ProcessCounts before;
  const int64_t beginNs = nowNs();
  int done = 0;
  for (bool more = true; more; ++done) {
    if (done == kWarmUp) before = countProcess();
    std::string said = "nothing";
    std::string why;
    try {
      opening(exchange, control);
    } catch (const Error& error) {
      said = errorCodeName(error.code());
      why = error.what();
    }
    EXPECT(said == code, "rank %u, opening %d: %s said, %s expected: %s", exchange.rank(), done, said.c_str(),
           code, why.c_str());
    control.abort.store(0);
    const uint8_t wish = done + 1 < openings && (done < kFewest || nowNs() - beginNs < limitNs) ? 1 : 0;
    const auto all = exchange.allgather({&wish, 1}, 0);
    more = std::all_of(all.begin(), all.end(), [](const auto& one) { return one[0] != 0; });
  }
  // What the last one abandoned goes with the next that opens.
  HostDevice device(0);
  SymmetricBuffer::open(exchange, device, 4096, std::vector<uint8_t>(exchange.worldSize(), 1), soon())
      ->close(&exchange, soon());
  // A joined thread leaves /proc a moment later.
  ProcessCounts after = countProcess();
  for (int i = 0; i < 2000 && after.threads > before.threads; ++i) {
    usleep(1000);
    after = countProcess();
  }
  const std::string said = "rank " + std::to_string(exchange.rank()) + ", " + std::to_string(done) +
                           " openings: before " + textOf(before) + "; after " + textOf(after);
  if (exchange.rank() == 0) std::printf("%s\n", said.c_str());
  EXPECT(after.memfds <= before.memfds && after.sockets <= before.sockets &&
             after.threads <= before.threads && after.descriptors <= before.descriptors,
         "%s", said.c_str());
  EXPECT(after.residentKiB <= before.residentKiB + kAllowedKiB, "%s", said.c_str());
}

int runCase(uint32_t worldSize, const char* code, const Opening& opening) {
  const auto outcomes = runRanks(worldSize, [&](HubExchange& exchange) {
    openAgainAndAgain(exchange, code, opening);
    return 0;
  });
  for (const RankOutcome& outcome : outcomes)
    EXPECT(outcome.exitStatus == 0, "a rank ended with %d", outcome.exitStatus);
  return 0;
}

int bufferThatOneRankCannotAllocate() {
  return runCase(3, "E_ALLOCATION", [](HubExchange& exchange, RunControl&) {
    PoorDevice device(exchange.rank() == 1 ? PoorDevice::Lacks::kMemory : PoorDevice::Lacks::kNothing);
    SymmetricBuffer::open(exchange, device, 1 << 20, {1, 1, 1}, soon());
  });
}

int bufferThatOneRankCannotMap() {
  return runCase(3, "E_CUDA", [](HubExchange& exchange, RunControl&) {
    PoorDevice device(exchange.rank() == 2 ? PoorDevice::Lacks::kMapping : PoorDevice::Lacks::kNothing);
    SymmetricBuffer::open(exchange, device, 1 << 20, {1, 1, 1}, soon());
  });
}

// What a failed point does in a run: nobody closes in order.
int bufferThatIsAbandoned() {
  return runCase(3, "E_STATE", [](HubExchange& exchange, RunControl&) {
    HostDevice device(0);
    const auto buffer = SymmetricBuffer::open(exchange, device, 1 << 20, {1, 1, 1}, soon());
    throw Error(ErrorCode::kState, "the point failed");
  });
}

moe::BenchOptions twoNodes(const Exchange& exchange) {
  moe::BenchOptions options;
  options.shape.worldSize = 4;
  options.shape.numExperts = 8;
  options.shape.numTopk = 2;
  options.shape.hidden = 1024;
  options.shape.maxDispatchTokensPerRank = 256;
  options.numProxies = 2;
  for (uint32_t rank = 0; rank < 4; ++rank)
    options.overNetwork.push_back(rank / 2 != exchange.rank() / 2 ? 1 : 0);
  return options;
}

moe::Routing oneToken() { return {{0, 7}, {0.5F, 0.5F}, 1}; }

std::unique_ptr<moe::Bench> openTwoNodes(HubExchange& exchange, RunControl& control,
                                         const moe::BenchOptions& options) {
  HostDevice device(0);
  return moe::openBench(exchange, device, control, options, oneToken(), soon());
}

// Every rank refuses, in the constructor that has taken network and buffer.
int exchangeThatIsRefused() {
  return runCase(4, "E_ARGUMENT", [](HubExchange& exchange, RunControl& control) {
    moe::BenchOptions options = twoNodes(exchange);
    options.shape.dedup = false;
    options.nodeOfRank = {0, 0, 1, 1};
    openTwoNodes(exchange, control, options);
  });
}

// One rank gets no proxy thread; the others have theirs running.
int proxyThatOneRankCannotStart() {
  return runCase(4, "E_ALLOCATION", [](HubExchange& exchange, RunControl& control) {
    if (exchange.rank() == 3) threadsLeft.store(1);
    const std::exception_ptr failure = attempt([&] { openTwoNodes(exchange, control, twoNodes(exchange)); });
    threadsLeft.store(-1);
    if (failure) std::rethrow_exception(failure);
  });
}

int exchangeThatIsAbandoned() {
  return runCase(4, "E_STATE", [](HubExchange& exchange, RunControl& control) {
    const auto bench = openTwoNodes(exchange, control, twoNodes(exchange));
    exchange.barrier();
    throw Error(ErrorCode::kState, "the point failed");
  });
}

// The orderly end of a point whose link is gone: it fails, and leaves nothing.
int exchangeThatLosesItsLink() {
  return runCase(4, "E_NETWORK", [](HubExchange& exchange, RunControl& control) {
    const auto bench = openTwoNodes(exchange, control, twoNodes(exchange));
    exchange.barrier();
    if (exchange.rank() == 0) cutLinks();
    exchange.barrier();
    bench->close(&exchange, nowNs() + 20'000'000'000);
  });
}

// The root's copy threads are refused once everything is mapped and connected.
int broadcastThatOneRankCannotCompile() {
  return runCase(2, "E_ALLOCATION", [](HubExchange& exchange, RunControl& control) {
    BroadcastBetweenNodes broadcast(exchange.rank());
    broadcast.request.options.threads = exchange.rank() == 0 ? 4 : 1;
    if (exchange.rank() == 0) threadsLeft.store(1 + 1);  // the network's proxy, and one of three
    const std::exception_ptr failure = attempt([&] { broadcast.open(exchange, control, soon()); });
    threadsLeft.store(-1);
    if (failure) std::rethrow_exception(failure);
  });
}

// An IPv4 device other than the loopback; '' where there is none.
std::string otherDevice() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "";
  std::string name;
  for (const ifaddrs* one = all; one != nullptr && name.empty(); one = one->ifa_next) {
    const bool isInternet = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET;
    const bool isUp = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (isInternet && isUp) name = one->ifa_name;
  }
  freeifaddrs(all);
  return name;
}

// Ranks 0 and 1 have no device in common; rank 2 reaches both, and would wait for their greetings until its deadline.
int networkThatTwoRanksCannotConnect() {
  const std::string other = otherDevice();
  EXPECT(!other.empty(), "a network device other than the loopback");
  return runCase(3, "E_NETWORK", [other](HubExchange& exchange, RunControl& control) {
    const std::string devices[] = {"lo", other, "lo," + other};
    setenv("UCX_NET_DEVICES", devices[exchange.rank()].c_str(), 1);
    NetworkOptions options;
    options.usesNetwork.assign(3, 1);
    options.usesNetwork[exchange.rank()] = 0;
    options.deadlineNs = nowNs() + 120'000'000'000;  // beyond what a rank of this test may live
    try {
      Network::open(exchange, control, options);
    } catch (const Error& error) {
      const std::string said = error.what();
      EXPECT(said.find("rank 0: ") != std::string::npos && said.find("rank 1: ") != std::string::npos &&
                 said.find("rank 2: ") == std::string::npos,
             "%s", said.c_str());
      throw;
    }
  });
}

const CasesByName kCases = {
    {"a-buffer-that-one-rank-cannot-allocate", bufferThatOneRankCannotAllocate},
    {"a-buffer-that-one-rank-cannot-map", bufferThatOneRankCannotMap},
    {"a-buffer-that-is-abandoned", bufferThatIsAbandoned},
    {"a-network-that-two-ranks-cannot-connect", networkThatTwoRanksCannotConnect},
    {"an-exchange-that-every-rank-refuses", exchangeThatIsRefused},
    {"an-exchange-whose-proxy-thread-one-rank-is-refused", proxyThatOneRankCannotStart},
    {"an-exchange-that-is-abandoned", exchangeThatIsAbandoned},
    {"an-exchange-that-loses-its-link", exchangeThatLosesItsLink},
    {"a-broadcast-that-one-rank-cannot-compile", broadcastThatOneRankCannotCompile},
};

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  if (argc > 2) railrunner::test::openings = std::atoi(argv[2]);
  if (argc > 3) railrunner::test::limitNs = std::atoi(argv[3]) * int64_t{1'000'000'000};
  return railrunner::test::runCaseByName(railrunner::test::kCases, argc, argv);
}
