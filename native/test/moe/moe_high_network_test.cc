// High throughput between ranks as processes, two nodes of two ranks, over a network that applies what it received in a
// shuffled order: `moe_high_network_test hybrid|network|forward [planted|room|cut]`. Counts change from call to call,
// every fourth layout is used again, every number, row and sum is compared with the reference. `planted` publishes words
// though payloads are missing, which must be caught; `room`: rank 3 has too little memory, which all must refuse; `cut`:
// rank 3 loses its links in the middle of the calls.
#include "network/network.h"
#include "test/moe/forked_memory.h"
#include "test/moe/moe_high_check.h"
#include "test/support/cut_links.h"
#include "test/support/rank_processes.h"

namespace railrunner::moe::test {
namespace {

using railrunner::test::HubExchange;
using railrunner::test::runRanks;

constexpr uint32_t kRanks = 4;
constexpr uint32_t kRanksPerNode = 2;
constexpr uint32_t kCalls = 40;
constexpr uint32_t kCutAt = 7;
constexpr uint32_t kAlignment = 4;
constexpr uint64_t kFewRows = 3;

int64_t soon() { return nowNs() + 60'000'000'000; }

struct Setting {
  bool network = false;  // for the peer of the same node too
  bool forward = false;  // a token crosses once per node
  bool planted = false;
  bool room = false;
  bool cut = false;

  std::vector<uint32_t> nodes() const {
    return forward ? std::vector<uint32_t>{0, 0, 1, 1} : std::vector<uint32_t>{};
  }
  ht::NetworkRelation relation() const {
    ht::NetworkRelation far(kRanks, std::vector<uint8_t>(kRanks));
    for (uint32_t rank = 0; rank < kRanks; ++rank) {
      for (uint32_t peer = 0; peer < kRanks; ++peer) {
        far[rank][peer] = peer != rank && (network || rank / kRanksPerNode != peer / kRanksPerNode) ? 1 : 0;
      }
    }
    return far;
  }
};

struct Point {
  Shape shape;
  ht::Options options;
  Setting setting;
  std::vector<ht::Capacity> capacities;

  uint64_t bufferBytes() const {
    const ht::Capacity most = ht::worstCaseCapacity(shape, options);
    const uint32_t inboxes = ht::mostInboxes(setting.relation(), setting.nodes());
    return ht::BufferLayout(shape, most.tokens, inboxes).totalBytes;
  }
};

std::vector<Tokens> tokensOf(const Shape& shape, uint32_t call) {
  std::vector<Tokens> all;
  for (uint32_t source = 0; source < shape.worldSize; ++source) {
    all.emplace_back(shape, 17, call, source, call % 3 == 1);
  }
  return all;
}

void exchangeOnce(const Point& point, ht::HostExchange& exchange, uint32_t rank, uint32_t call,
                  HighRank& mine) {
  std::vector<Tokens> all = tokensOf(point.shape, call);
  fill(exchange, all[rank]);
  exchange.dispatch(all[rank].numTokens, digestOf(point.shape, all[rank]), mine.received.view(), mine.handle);
  checkReceived(point.shape, kAlignment, rank, mine.received.view(), all);
  combineAndCheck(exchange, rank, mine, all[rank], point.setting.nodes());
  if (call % 4 != 1) return;
  for (Tokens& tokens : all) std::rotate(tokens.x.begin(), tokens.x.begin() + 1, tokens.x.end());
  fill(exchange, all[rank]);
  exchange.dispatchAgain(all[rank].numTokens, digestOf(point.shape, all[rank]), mine.received.view(),
                         mine.handle);
  checkReceived(point.shape, kAlignment, rank, mine.received.view(), all);
  combineAndCheck(exchange, rank, mine, all[rank], point.setting.nodes());
}

// Whether `said` names one of the ranks as missed.
bool names(const std::string& said, std::initializer_list<uint32_t> ranks) {
  return std::any_of(ranks.begin(), ranks.end(), [&](uint32_t missed) {
    const std::string number = " rank " + std::to_string(missed);
    return said.find("waiting for" + number) != std::string::npos ||
           said.find("to" + number) != std::string::npos;
  });
}

// Whether `said` is what the setting makes this rank say; nothing where it makes none say anything.
void checkFault(const Setting& setting, uint32_t rank, const std::string& said) {
  if (setting.room) {
    CHECK(said.find("rank 3 would receive") != std::string::npos &&
              said.find("at most 3 rows") != std::string::npos &&
              said.find("nothing was written") != std::string::npos,
          "rank %u said: %s", rank, said.c_str());
  } else if (setting.cut) {
    // One that lost no link waits for a rank that did.
    CHECK(names(said, {0, 1, 2, 3}), "rank %u said: %s", rank, said.c_str());
    std::printf("rank %u: %s\n", rank, said.c_str());
  } else {
    CHECK(said.empty(), "rank %u: %s", rank, said.c_str());
  }
}

int runRank(HubExchange& hub, const Point& point, const SharedMemory& shared) {
  const uint32_t rank = hub.rank();
  const Setting& setting = point.setting;
  const ht::NetworkRelation relation = setting.relation();
  RunControl control;
  NetworkOptions options;
  options.usesNetwork = relation[rank];
  options.numSlots = ht::kNetworkSlots;
  options.protocol = NetworkProtocol::kActiveMessage;
  options.deadlineNs = soon();
  options.testSeam = {0x5eed + rank, setting.planted};
  std::vector<std::byte*> bases;
  for (uint32_t peer = 0; peer < kRanks; ++peer) {
    bases.push_back(relation[rank][peer] != 0 ? nullptr : shared.buffer(peer));
  }
  auto network = Network::open(hub, control, options);
  const uint32_t region =
      network->registerMemory(hub, shared.buffer(rank), point.bufferBytes(), DeviceKind::kHost, soon());
  ht::HostExchange exchange({point.shape,
                             point.options,
                             ht::Places({rank, bases, setting.nodes()}, relation),
                             point.capacities,
                             {network.get(), region},
                             {}},
                            control);
  HighRank mine(point.shape, ht::worstCaseCapacity(point.shape, point.options));
  std::memset(mine.received.view().x, 0x55, kFewRows * point.shape.payloadRowBytes());
  std::string fault;
  {
    const AbortWatch watch(shared, control);
    try {
      for (uint32_t call = 0; call < kCalls && failures == 0; ++call) {
        if (setting.cut && rank == 3 && call == kCutAt) railrunner::test::cutLinks();
        exchangeOnce(point, exchange, rank, call, mine);
      }
    } catch (const Error& error) {
      fault = error.what();
    }
    if (setting.room) hub.barrier();  // each says for itself what it refused
    if (!fault.empty() || failures != 0) shared.failed->store(1);
  }
  checkFault(setting, rank, fault);
  if (setting.room) {
    const uint8_t* x = mine.received.view().x;
    CHECK(std::count(x, x + kFewRows * point.shape.payloadRowBytes(), 0x55) ==
              static_cast<int64_t>(kFewRows * point.shape.payloadRowBytes()),
          "rank %u wrote", rank);
  }
  hub.barrier();  // all have seen what there was to see
  const bool well = shared.failed->load() == 0;
  if (well) network->unregisterMemory(hub, region, soon());
  network->close(well ? &hub : nullptr, soon());
  return failures == 0 ? 0 : 1;
}

// The ranks that saw anything that the setting does not explain.
uint32_t numFailed(Point point) {
  point.capacities.assign(kRanks, ht::worstCaseCapacity(point.shape, point.options));
  if (point.setting.room) {
    point.options.receive = ht::Receive::kFixed;
    point.options.fixedRows = kFewRows;
    point.capacities[3].rows = kFewRows;
  }
  const SharedMemory shared(kRanks, point.bufferBytes());
  uint32_t failed = 0;
  for (const auto& outcome :
       runRanks(kRanks, [&](HubExchange& hub) { return runRank(hub, point, shared); })) {
    failed += outcome.exitStatus != 0 ? 1 : 0;
  }
  return failed;
}

}  // namespace
}  // namespace railrunner::moe::test

int main(int argc, char** argv) {
  using namespace railrunner::moe::test;
  Point point;
  Setting& setting = point.setting;
  for (int i = 1; i < argc; ++i) {
    setting.forward = setting.forward || std::strcmp(argv[i], "forward") == 0;
    setting.network = setting.network || std::strcmp(argv[i], "network") == 0;
    setting.planted = setting.planted || std::strcmp(argv[i], "planted") == 0;
    setting.room = setting.room || std::strcmp(argv[i], "room") == 0;
    setting.cut = setting.cut || std::strcmp(argv[i], "cut") == 0;
  }
  railrunner::moe::Shape& shape = point.shape;
  shape.worldSize = kRanks, shape.numExperts = 16, shape.numTopk = 4, shape.hidden = 256,
  shape.maxDispatchTokensPerRank = 12;
  point.options.receive = ht::Receive::kWorstCase;
  point.options.expertAlignment = kAlignment;
  uint32_t failed = 0;
  for (const ht::Strategy strategy : {ht::Strategy::kSparse, ht::Strategy::kAllGather}) {
    point.options.strategy = strategy;
    const uint32_t ranks = numFailed(point);
    std::printf("%s: %u of %u ranks failed\n", strategy == ht::Strategy::kSparse ? "sparse" : "allGather",
                ranks, kRanks);
    failed += ranks;
  }
  return failed == 0 ? 0 : 1;
}
