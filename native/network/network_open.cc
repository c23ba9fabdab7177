#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/byte_record.h"
#include "core/pattern.h"
#include "network/network.h"
#include "network/network_state.h"
#include "network/proxy.h"

#ifdef RAILRUNNER_HAVE_UCX

namespace railrunner {

namespace {

constexpr uint64_t kMaxAddressBytes = 64 << 10;
constexpr uint32_t kMaxProxies = 32;
constexpr uint64_t kMinBatchBytes = 4 << 10;
constexpr uint64_t kMaxBatchBytes = 64 << 20;
constexpr uint64_t kSegmentSlackBytes = 1 << 10;  // UCX's headers around a batch
constexpr int64_t kEndNs = 5'000'000'000;  // of connections that are cut and proxies that are told to end

void checkOptions(const NetworkOptions& options, uint32_t rank, uint32_t worldSize) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::kArgument, "network: " + what + ". Check the options of the network.");
  };
  if (options.usesNetwork.size() != worldSize) {
    refuse("usesNetwork has " + std::to_string(options.usesNetwork.size()) + " entries, expected one of " +
           std::to_string(worldSize) + " ranks");
  }
  if (options.usesNetwork[rank] != 0) refuse("usesNetwork names the rank itself");
  if (options.numProxies < 1 || options.numProxies > kMaxProxies) {
    refuse("numProxies is " + std::to_string(options.numProxies) + ", expected 1.." +
           std::to_string(kMaxProxies));
  }
  if (options.numSlots < 1) refuse("numSlots is 0, expected at least 1");
  if (options.batchBytes < kMinBatchBytes || options.batchBytes > kMaxBatchBytes ||
      options.batchBytes % 64 != 0) {
    refuse("batchBytes is " + std::to_string(options.batchBytes) + ", expected a multiple of 64 in " +
           std::to_string(kMinBatchBytes) + ".." + std::to_string(kMaxBatchBytes));
  }
}

ucp_context_h contextFor(const Network::State& state, NetworkProtocol protocol) {
  const bool messages = protocol == NetworkProtocol::kActiveMessage;
  return createUcxContext(state.options.transports,
                          messages ? state.shared.batchBytes + kSegmentSlackBytes : 0,
                          state.options.numProxies > 1);
}

// Whether the hardware writes remotely by itself, by choice of transports: asked once per process, as a context for the
// answer alone costs as much as several connections.
class ReliableRdma {
 public:
  static std::optional<bool> known(const std::string& transports) {
    const std::lock_guard lock(mutex());
    const auto found = answers().find(transports);
    return found == answers().end() ? std::nullopt : std::optional(found->second);
  }
  static bool ask(ucp_context_h context, const std::string& transports) {
    const std::vector<std::string> names = networkResources(context);
    const bool reliable = std::ranges::any_of(
        names, [](const std::string& name) { return name.starts_with("rc_") || name.starts_with("dc_"); });
    const std::lock_guard lock(mutex());
    return answers()[transports] = reliable;
  }

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static std::map<std::string, bool>& answers() {
    static std::map<std::string, bool> answers;
    return answers;
  }
};

// Remote write only where the hardware does it: over TCP a put is five times slower than a message. The first answer comes
// from a context for messages, which is kept where they are what all ranks use.
NetworkProtocol localChoice(Network::State& state) {
  const NetworkOptions& options = state.options;
  if (options.protocol != NetworkProtocol::kAuto) return options.protocol;
  std::optional<bool> reliable = ReliableRdma::known(options.transports);
  if (!reliable) {
    state.shared.context = contextFor(state, NetworkProtocol::kActiveMessage);
    state.contextProtocol = NetworkProtocol::kActiveMessage;
    reliable = ReliableRdma::ask(state.shared.context, options.transports);
  }
  return *reliable ? NetworkProtocol::kRemoteWrite : NetworkProtocol::kActiveMessage;
}

// What must be the same on all ranks, or is decided from all of them: options, networkId, protocol.
std::vector<uint8_t> termsOf(Network::State& state, uint32_t rank, uint32_t worldSize) {
  const NetworkOptions& options = state.options;
  checkOptions(options, rank, worldSize);
  ByteWriter writer;
  writer.number(options.numProxies);
  writer.number(options.numSlots);
  writer.number(options.batchBytes);
  writer.number(mix64(static_cast<uint64_t>(nowNs()) ^ reinterpret_cast<uintptr_t>(&state)));
  writer.number(static_cast<uint64_t>(localChoice(state)));
  writer.bytes(options.usesNetwork);
  return writer.data();
}

void applyTerms(Network::State& state, const std::vector<std::vector<uint8_t>>& all) {
  const NetworkOptions& options = state.options;
  const uint32_t self = state.shared.rank;
  state.shared.protocol = NetworkProtocol::kRemoteWrite;
  for (uint32_t rank = 0; rank < all.size(); ++rank) {
    ByteReader reader(all[rank], rank);
    const uint64_t numProxies = reader.number();
    const uint64_t numSlots = reader.number();
    const uint64_t batchBytes = reader.number();
    const uint64_t networkId = reader.number();
    const uint64_t choice = reader.number();
    const std::vector<uint8_t> usesNetwork = reader.bytes(all.size());
    reader.end();
    if (rank == 0) state.shared.networkId = networkId;
    if (choice != static_cast<uint64_t>(NetworkProtocol::kRemoteWrite)) {
      state.shared.protocol = NetworkProtocol::kActiveMessage;
    }
    if (usesNetwork.size() != all.size()) throw reader.fault("its table of peers has another length");
    if (numProxies != options.numProxies || numSlots != options.numSlots ||
        batchBytes != options.batchBytes) {
      throw reader.fault("its numProxies, numSlots or batchBytes differ from those of rank " +
                         std::to_string(self));
    }
    if (rank != self && (usesNetwork[self] != 0) != (options.usesNetwork[rank] != 0)) {
      throw reader.fault("it and rank " + std::to_string(self) + " disagree on whether they use the network");
    }
  }
}

std::vector<uint8_t> createWorkers(Network::State& state) {
  WorkerContext& shared = state.shared;
  if (shared.context != nullptr && state.contextProtocol != shared.protocol) {
    ucx().ucp_cleanup(shared.context);
    shared.context = nullptr;
  }
  if (shared.context == nullptr) shared.context = contextFor(state, shared.protocol);
  ByteWriter writer;
  for (uint32_t i = 0; i < state.options.numProxies; ++i) {
    state.workers.push_back(std::make_unique<NetworkWorker>(shared));
    const std::vector<uint8_t> address = state.workers.back()->address();
    writer.bytes(address);
    writer.number(digestOf(address, shared.networkId));
  }
  return writer.data();
}

void connectPeers(Network::State& state, const std::vector<std::vector<uint8_t>>& addresses) {
  for (uint32_t peer = 0; peer < addresses.size(); ++peer) {
    if (state.options.usesNetwork[peer] == 0) continue;
    ByteReader reader(addresses[peer], peer);
    for (auto& worker : state.workers) {
      const std::vector<uint8_t> address = reader.bytes(kMaxAddressBytes);
      // UCX reads addresses without checks of its own: corrupted bytes must not reach it.
      if (reader.number() != digestOf(address, state.shared.networkId))
        throw reader.fault("its worker address does not match its digest");
      worker->connect(peer, address);
    }
    reader.end();
  }
}

// A message in each direction over every connection: what UCX calls connected may reach nobody. Ends when the own ones have left
// too, since nobody progresses them until the proxies run.
void greetPeers(Network::State& state, const RunControl& control) {
  for (uint32_t peer = 0; peer < state.options.usesNetwork.size(); ++peer) {
    if (state.options.usesNetwork[peer] == 0) continue;
    for (auto& worker : state.workers) worker->sendHello(peer);
  }
  for (uint32_t peer = 0; peer < state.options.usesNetwork.size(); ++peer) {
    if (state.options.usesNetwork[peer] == 0) continue;
    waitUntil(
        [&] {
          bool all = true;
          for (auto& worker : state.workers) all &= (worker->progress(), worker->hasHelloOf(peer));
          state.peers.throwIfAnyLost();
          return all && !state.hasUnsent();
        },
        control, state.options.deadlineNs, ("the first message of rank " + std::to_string(peer)).c_str());
  }
}

std::string transportsOf(const Network::State& state) {
  std::string all;
  for (uint32_t peer = 0; peer < state.options.usesNetwork.size(); ++peer) {
    if (state.options.usesNetwork[peer] == 0) continue;
    const std::string one = state.workers[0]->transportOf(peer);
    if (all.find(one) == std::string::npos) all += (all.empty() ? "" : ",") + one;
  }
  return all;
}

}  // namespace

std::unique_ptr<Network> Network::open(Exchange& exchange, RunControl& control,
                                       const NetworkOptions& options) {
  auto state = std::make_shared<State>(exchange.rank(), exchange.worldSize());
  state->options = options;
  state->arrivalRegions.reserve(kMaxRegions);
  state->peerBytes.reserve(kMaxRegions);
  WorkerContext& shared = state->shared;
  shared.rank = exchange.rank();
  shared.worldSize = exchange.worldSize();
  shared.numSlots = options.numSlots;
  shared.numPeers = static_cast<uint32_t>(std::count_if(
      options.usesNetwork.begin(), options.usesNetwork.end(), [](uint8_t uses) { return uses != 0; }));
  shared.batchBytes = options.batchBytes;
  shared.testSeam = options.testSeam;
  shared.regions = &state->arrivalRegions;
  shared.peers = &state->peers;
  shared.control = &control;
  std::unique_ptr<Network> network(new Network(control, state));  // ends what an open that fails has made
  const int64_t deadlineNs = options.deadlineNs;
  const auto terms = Agreement(exchange, "opening the network", deadlineNs).run([&] {
    return termsOf(*state, exchange.rank(), exchange.worldSize());
  });
  const auto addresses = Agreement(exchange, "creating network workers", deadlineNs).run([&] {
    applyTerms(*state, terms);
    return createWorkers(*state);
  });
  // Before anybody waits for anybody: a rank that cannot connect is known to all at once.
  Agreement(exchange, "connecting the network", deadlineNs).run([&] { connectPeers(*state, addresses); });
  try {
    greetPeers(*state, control);
  } catch (const Error& error) {
    // Others wait for this rank's messages, or will wait in vain at the agreement.
    if (error.code() != ErrorCode::kAborted) exchange.announceFailure();
    throw;
  }
  Agreement(exchange, "starting the network", deadlineNs).run([&] {
    state->info = {ucx().ucp_get_version_string(), transportsOf(*state), shared.protocol, options.numProxies};
    for (uint32_t i = 0; i < options.numProxies; ++i)
      state->proxies.push_back(std::make_unique<State::Proxy>());
    for (uint32_t i = 0; i < options.numProxies; ++i)
      state->proxyThreads.start([state, i] { runProxy(*state, i); });
  });
  return network;
}

void Network::attachTriggers(uint32_t proxy, const TriggerFifo& triggers) {
  State& state = *state_;
  if (proxy >= state.proxies.size() || state.proxies[proxy]->hasTriggers.load()) {
    throw Error(ErrorCode::kArgument,
                "network: proxy " + std::to_string(proxy) + " is not there or has triggers already");
  }
  state.proxies[proxy]->triggers = triggers;
  state.proxies[proxy]->hasTriggers.store(true, std::memory_order_release);
}

void Network::close(Exchange* exchange, int64_t deadlineNs) {
  if (state_->ended) return;
  const std::exception_ptr failure = attempt([&] {
    if (exchange == nullptr) return;
    Agreement(*exchange, "closing the network", deadlineNs).run([&] { flush(deadlineNs); });
    state_->peers.setClosing();
    exchange->allgather({}, deadlineNs);  // nobody cuts before all expect it
  });
  state_->end();
  if (failure) std::rethrow_exception(failure);
}

void Network::State::end() noexcept {
  if (ended) return;
  ended = true;
  peers.setClosing();  // ends sends that wait, also those of proxies
  const int64_t limitNs = nowNs() + kEndNs;
  // One that is stuck inside UCX keeps its worker's lock: all that it uses stays, owned by it.
  if (!proxyThreads.finishBy(limitNs)) return;
  for (auto& worker : workers) worker->beginClose();
  for (auto& worker : workers) {
    while (!worker->closed() && nowNs() < limitNs) sched_yield();
  }
  for (Region& region : regions) {
    if (region.memory != nullptr) ucx().ucp_mem_unmap(shared.context, region.memory);
    region.memory = nullptr;
  }
  for (auto& worker : workers) worker->destroy();
  if (shared.context != nullptr) ucx().ucp_cleanup(shared.context);
  shared.context = nullptr;
}

}  // namespace railrunner

#endif
