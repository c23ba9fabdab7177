// Messages on both sides of the size from which UCX would send by rendezvous.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "test/support/network_board.h"

namespace railrunner::test {
namespace {

// One message of `bytes` under slot 0 and a small one behind it under slot 1, both ways. The signal of the large one
// must find it whole, whether the small one has come before it or not.
void exchangeLargeAndSmall(Network& network, HubExchange& exchange, uint32_t region, Board& board,
                           uint64_t bytes, uint64_t epoch) {
  const uint32_t me = exchange.rank();
  const uint32_t peer = 1 - me;
  std::vector<uint8_t> large(bytes, static_cast<uint8_t>(epoch * 2 + me + 1));
  const uint64_t small = epoch;
  network.put({peer, 0, epoch, region, board.rowOffset(me, 0), large.data(), bytes});
  network.signal({peer, 0, epoch, region, board.signalOffset(me, 0), epoch});
  network.put({peer, 1, epoch, region, board.rowOffset(me, 1), &small, sizeof(small)});
  network.signal({peer, 1, epoch, region, board.signalOffset(me, 1), epoch});
  for (const uint32_t slot : {0U, 1U}) {
    const uint64_t* word = board.at(board.signalOffset(peer, slot));
    network.await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) == epoch; }, peer, soon(),
                  "a test signal");
  }
  const auto* got = reinterpret_cast<const uint8_t*>(board.at(board.rowOffset(peer, 0)));
  const auto expected = static_cast<uint8_t>(epoch * 2 + peer + 1);
  const auto whole = static_cast<uint64_t>(std::count(got, got + bytes, expected));
  EXPECT(whole == bytes, "%lu of %lu bytes are whole", whole, bytes);
  EXPECT(*board.at(board.rowOffset(peer, 1)) == epoch, "the small message differs");
  exchange.barrier();  // rows are used again
}

// UCX 1.13.1 would send what is larger than 20 549 bytes by rendezvous (20 415 on another interface; it reckons with
// the interface's figures), whose data are complete after eager messages that were sent later. This program asks for
// eager messages, and must keep to that whatever the user tells UCX; and signals count what has come.
int acrossTheRendezvousBorder() {
  const std::pair<const char*, const char*> told[] = {{"UCX_RNDV_THRESH", "auto"},
                                                      {"UCX_RNDV_THRESH", "1"},
                                                      {"UCX_ZCOPY_THRESH", "1"},
                                                      {"UCX_PROTO_ENABLE", "y"}};
  for (const auto& [name, value] : told) {
    const auto outcomes = runRanks(2, [&, variable = name, setTo = value](HubExchange& exchange) {
      setenv(variable, setTo, 1);
      RunControl control;
      NetworkOptions options = allPeers(exchange);
      options.numSlots = 2;
      options.batchBytes = 2 << 20;
      auto network = Network::open(exchange, control, options);
      Board board(2, 2, (1 << 20) / 8 + 8);
      const uint32_t region =
          network->registerMemory(exchange, board.memory.data(), board.bytes(), DeviceKind::kHost, soon());
      uint64_t epoch = 0;
      for (uint64_t bytes = 20'380; bytes < 20'640; bytes += 4)
        exchangeLargeAndSmall(*network, exchange, region, board, bytes, ++epoch);
      for (const uint64_t bytes : {8'191, 65'536, 1'048'576})
        exchangeLargeAndSmall(*network, exchange, region, board, bytes, ++epoch);
      network->unregisterMemory(exchange, region, soon());
      network->close(&exchange, soon());
      return 0;
    });
    if (const int fault = allEnded(outcomes); fault != 0) return fault;
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::test

int main() { return railrunner::test::acrossTheRendezvousBorder(); }
