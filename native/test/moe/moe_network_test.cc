// Dispatch and combine between ranks as processes, over a network that applies what it received in a shuffled
// order: `moe_network_test hybrid|network|forward [planted]`. Two nodes of two ranks; every call is checked
// bit for bit against the reference. `planted` publishes signals though payloads are missing, which must be
// caught.
#include "network/network.h"
#include "test/moe/forked_memory.h"
#include "test/moe/moe_reference.h"
#include "test/support/rank_processes.h"

namespace railrunner::moe::test {
namespace {

using railrunner::test::HubExchange;
using railrunner::test::runRanks;

constexpr uint32_t kRanks = 4;
constexpr uint32_t kRanksPerNode = 2;
constexpr uint32_t kCalls = 40;

int64_t soon() { return nowNs() + 30'000'000'000; }

struct Setting {
  bool network = false;  // for the peer of the same node too
  bool forward = false;  // a token crosses once per node
  bool planted = false;

  std::vector<uint32_t> nodes() const {
    return forward ? std::vector<uint32_t>{0, 0, 1, 1} : std::vector<uint32_t>{};
  }
};

bool overNetwork(const Setting& setting, uint32_t rank, uint32_t peer) {
  return peer != rank && (setting.network || rank / kRanksPerNode != peer / kRanksPerNode);
}

void exchangeOnce(HostExchange& exchange, uint32_t rank, uint32_t call, const std::vector<uint32_t>& nodes,
                  ResultMemory& result, Memory& y, Memory& out) {
  const Shape& s = exchange.shape();
  std::vector<Tokens> all;
  for (uint32_t source = 0; source < kRanks; ++source) all.emplace_back(s, 17, call, source, call % 3 == 1);
  const TokenBatch batch = all[rank].view();
  exchange.dispatchSend(batch);
  exchange.dispatchReceive(result.view);
  checkDispatch(s, rank, result.view, all);
  if (call % 5 == 4) {  // a dispatch that nobody combines moves the halves' parity
    exchange.discard(result.view);
    return;
  }
  auto* rows = reinterpret_cast<uint16_t*>(y.data);
  auto* combined = reinterpret_cast<uint16_t*>(out.data);
  runExperts(s, rank, result.view, rows);
  exchange.combineSend(rows, batch, result.view);
  exchange.combineReceive(combined);
  for (uint32_t token = 0; token < batch.numTokens; ++token) {
    const uint64_t at = static_cast<uint64_t>(token) * s.paddedHidden();
    std::vector<float> x(s.paddedHidden());
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) x[c] = toFloat(all[rank].x[at + c]);
    const std::vector<uint16_t> expected = combinedRow(s, all[rank], token, x, rank, nodes);
    CHECK(std::memcmp(combined + at, expected.data(), s.bf16RowBytes()) == 0,
          "call %u rank %u token %u combined wrongly", call, rank, token);
  }
}

int runRank(HubExchange& hub, const Shape& shape, const Setting& setting, const SharedMemory& shared) {
  const uint32_t rank = hub.rank();
  RunControl control;
  NetworkOptions options;
  PeerBases peers{rank, {}, setting.nodes()};
  for (uint32_t peer = 0; peer < kRanks; ++peer) {
    const bool far = overNetwork(setting, rank, peer);
    options.usesNetwork.push_back(far ? 1 : 0);
    peers.base.push_back(far ? nullptr : shared.buffer(peer));
  }
  options.numSlots = numNetworkSlots(shape);
  options.protocol = NetworkProtocol::kActiveMessage;
  options.deadlineNs = soon();
  options.testSeam = {0x5eed + rank, setting.planted};
  auto network = Network::open(hub, control, options);
  const uint32_t region = network->registerMemory(hub, shared.buffer(rank), bufferLayout(shape).totalBytes,
                                                  DeviceKind::kHost, soon());
  HostExchange exchange(shape, peers, control, {network.get(), region});
  ResultMemory result(shape);
  Memory y(shape.resultRows() * shape.bf16RowBytes()),
      out(shape.maxDispatchTokensPerRank * shape.bf16RowBytes());
  std::string fault;
  {
    const AbortWatch watch(shared, control);
    try {
      for (uint32_t call = 0; call < kCalls && failures == 0; ++call) {
        exchangeOnce(exchange, rank, call, setting.nodes(), result, y, out);
      }
    } catch (const Error& error) {
      fault = error.what();
    }
    if (!fault.empty() || failures != 0) shared.failed->store(1);
  }
  if (!fault.empty()) std::fprintf(stderr, "rank %u: %s\n", rank, fault.c_str());
  hub.barrier();  // all have seen what there was to see
  const bool well = shared.failed->load() == 0;
  if (well) network->unregisterMemory(hub, region, soon());
  network->close(well ? &hub : nullptr, soon());
  return fault.empty() && failures == 0 ? 0 : 1;
}

// The ranks that saw anything wrong.
uint32_t numFailed(const Shape& shape, const Setting& setting) {
  const SharedMemory shared(kRanks, bufferLayout(shape).totalBytes);
  uint32_t failed = 0;
  for (const auto& outcome :
       runRanks(kRanks, [&](HubExchange& hub) { return runRank(hub, shape, setting, shared); })) {
    failed += outcome.exitStatus != 0 ? 1 : 0;
  }
  return failed;
}

}  // namespace
}  // namespace railrunner::moe::test

int main(int argc, char** argv) {
  using namespace railrunner::moe::test;
  Setting setting;
  for (int i = 1; i < argc; ++i) {
    setting.forward = setting.forward || std::strcmp(argv[i], "forward") == 0;
    setting.network = setting.network || std::strcmp(argv[i], "network") == 0;
    setting.planted = setting.planted || std::strcmp(argv[i], "planted") == 0;
  }
  railrunner::moe::Shape shape;
  shape.worldSize = kRanks, shape.numExperts = 16, shape.numTopk = 4, shape.hidden = 256,
  shape.maxDispatchTokensPerRank = 12;
  uint32_t failed = 0;
  for (const bool dedup : {true, false}) {
    if (setting.forward && !dedup) continue;
    shape.dedup = dedup;
    const uint32_t ranks = numFailed(shape, setting);
    std::printf("dedup %s: %u of %u ranks saw wrong data\n", dedup ? "on" : "off", ranks, kRanks);
    failed += ranks;
  }
  return failed == 0 ? 0 : 1;
}
