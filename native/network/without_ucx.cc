#include "network/network.h"

#ifndef RAILRUNNER_HAVE_UCX

namespace railrunner {

// No network can be opened by this build, so no object exists whose members could be called; they are defined
// because modules above are linked against them.
struct Network::State {};

namespace {

[[noreturn]] void throwMissing() {
  throw Error(
      ErrorCode::kNetworkMissing,
      "network: this build has no UCX (its headers were not found). Install the UCX development package and "
      "build again.");
}

}  // namespace

std::unique_ptr<Network> Network::open(Exchange&, RunControl&, const NetworkOptions&) { throwMissing(); }
Network::Network(RunControl& control, std::shared_ptr<State> state)
    : control_(control), state_(std::move(state)) {}
Network::~Network() = default;
uint32_t Network::registerMemory(Exchange&, void*, uint64_t, DeviceKind, int64_t, RegionSizes) {
  throwMissing();
}
void Network::unregisterMemory(Exchange&, uint32_t, int64_t) { throwMissing(); }
void Network::put(const NetworkPut&) { throwMissing(); }
bool Network::hasRoom(uint32_t, uint32_t) { throwMissing(); }
void Network::signal(const NetworkSignal&, bool) { throwMissing(); }
void Network::push(uint32_t) { throwMissing(); }
void Network::pushAll() { throwMissing(); }
void Network::flush(int64_t) { throwMissing(); }
bool Network::progress() { throwMissing(); }
void Network::pollPeer(uint32_t) { throwMissing(); }
void Network::throwIfPeerLost() const { throwMissing(); }
void Network::acceptFrom(uint64_t) { throwMissing(); }
void Network::attachTriggers(uint32_t, const TriggerFifo&) { throwMissing(); }
uint32_t Network::proxyOf(uint32_t, uint32_t) const { throwMissing(); }
NetworkInfo Network::info() const { throwMissing(); }
NetworkCounters Network::counters(uint32_t) const { throwMissing(); }
NetworkCounters Network::totalCounters() const { throwMissing(); }
void Network::close(Exchange*, int64_t) { throwMissing(); }

}  // namespace railrunner

#endif
