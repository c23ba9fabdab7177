#pragma once

#include "network/network.h"
#include "test/moe/forked_memory.h"
#include "test/moe/moe_high_check.h"
#include "test/support/rank_processes.h"

// High throughput between ranks as processes, two nodes of two ranks, over a network that applies what it received in a
// shuffled order.
namespace railrunner::moe::test {

using railrunner::test::HubExchange;

constexpr uint32_t kRanks = 4;
constexpr uint32_t kRanksPerNode = 2;
constexpr uint32_t kAlignment = 4;

inline int64_t soon() { return nowNs() + 60'000'000'000; }

struct NodesPoint {
  Shape shape;
  ht::Options options;
  bool network = false;  // for the peer of the same node too
  bool forward = false;  // a token crosses once per node
  bool planted = false;  // signals are published though payloads are missing
  std::vector<ht::Capacity> capacities;

  NodesPoint() {
    shape.worldSize = kRanks, shape.numExperts = 16, shape.numTopk = 4, shape.hidden = 256,
    shape.maxDispatchTokensPerRank = 12;
    options.receive = ht::Receive::kWorstCase;
    options.expertAlignment = kAlignment;
    capacities.assign(kRanks, worstCase());
  }
  ht::Capacity worstCase() const { return ht::worstCaseCapacity(shape, options); }
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
  ht::BufferLayout layout() const {
    return {shape, worstCase().tokens, ht::mostInboxes(relation(), nodes())};
  }
  std::vector<Tokens> tokensOf(uint32_t call) const {
    std::vector<Tokens> all;
    for (uint32_t source = 0; source < kRanks; ++source) {
      all.emplace_back(shape, 17, call, source, call % 3 == 1);
    }
    return all;
  }
};

// One process: its end of the network, and its exchange.
class NodeRank {
 public:
  NodeRank(const NodesPoint& point, HubExchange& hub, const SharedMemory& shared)
      : point_(point),
        hub_(hub),
        relation_(point.relation()),
        rank_(hub.rank()),
        mine_(point.shape, point.worstCase()) {
    NetworkOptions options;
    options.usesNetwork = relation_[rank_];
    options.numSlots = ht::kNetworkSlots;
    options.protocol = NetworkProtocol::kActiveMessage;
    options.deadlineNs = soon();
    options.testSeam = {0x5eed + rank_, point.planted};
    network_ = Network::open(hub, control_, options);
    region_ = network_->registerMemory(hub, shared.buffer(rank_), point.layout().totalBytes,
                                       DeviceKind::kHost, soon());
    std::vector<std::byte*> bases;
    for (uint32_t peer = 0; peer < kRanks; ++peer) {
      bases.push_back(relation_[rank_][peer] != 0 ? nullptr : shared.buffer(peer));
    }
    places_ = std::make_unique<ht::Places>(PeerBases{rank_, bases, point.nodes()}, relation_);
    exchange_ = std::make_unique<ht::HostExchange>(
        ht::ExchangeSetup{
            point.shape, point.options, *places_, point.capacities, {network_.get(), region_}, {}},
        control_);
    std::memset(mine_.received.view().x, 0x55, guardBytes());
  }

  uint32_t rank() const { return rank_; }
  RunControl& control() { return control_; }
  Network& network() { return *network_; }
  uint32_t region() const { return region_; }
  const ht::Places& places() const { return *places_; }
  HighRank& mine() { return mine_; }
  HubExchange& hub() { return hub_; }

  void dispatch(const std::vector<Tokens>& all) {
    fill(*exchange_, all[rank_]);
    exchange_->dispatch(all[rank_].numTokens, digestOf(point_.shape, all[rank_]), mine_.received.view(),
                        mine_.handle);
    checkReceived(point_.shape, kAlignment, rank_, mine_.received.view(), all);
  }
  void dispatchAgain(const std::vector<Tokens>& all, const ht::Handle& handle) {
    fill(*exchange_, all[rank_]);
    exchange_->dispatchAgain(all[rank_].numTokens, digestOf(point_.shape, all[rank_]), mine_.received.view(),
                             handle);
    checkReceived(point_.shape, kAlignment, rank_, mine_.received.view(), all);
  }
  void combine(const std::vector<Tokens>& all) {
    combineAndCheck(*exchange_, rank_, mine_, all[rank_], point_.nodes());
  }
  // The first rows of x are as they were before any call.
  bool hasWritten() const {
    const uint8_t* x = mine_.received.view().x;
    return std::any_of(x, x + guardBytes(), [](uint8_t byte) { return byte != 0x55; });
  }
  // What the call says when it is refused; "" when it is not.
  static std::string refusalOf(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void close(bool inOrder) {
    if (inOrder) network_->unregisterMemory(hub_, region_, soon());
    network_->close(inOrder ? &hub_ : nullptr, soon());
  }

 private:
  uint64_t guardBytes() const { return 3 * point_.shape.payloadRowBytes(); }

  const NodesPoint& point_;
  HubExchange& hub_;
  const ht::NetworkRelation relation_;
  const uint32_t rank_;
  RunControl control_;
  std::unique_ptr<Network> network_;
  uint32_t region_ = 0;
  std::unique_ptr<ht::Places> places_;
  std::unique_ptr<ht::HostExchange> exchange_;
  HighRank mine_;
};

// The ranks whose `body` failed a check; every rank has `limitSeconds`.
inline uint32_t numFailedOf(const NodesPoint& point,
                            const std::function<void(NodeRank&, const SharedMemory&)>& body,
                            unsigned limitSeconds = 140) {
  const SharedMemory shared(kRanks, point.layout().totalBytes);
  const auto outcomes = railrunner::test::runRanks(
      kRanks,
      [&](HubExchange& hub) {
        failures = 0;  // of this point alone
        NodeRank rank(point, hub, shared);
        body(rank, shared);
        hub.barrier();  // all have seen what there was to see
        rank.close(shared.failed->load() == 0);
        return failures == 0 ? 0 : 1;
      },
      limitSeconds);
  return static_cast<uint32_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.exitStatus != 0; }));
}

}  // namespace railrunner::moe::test
