// A network opened, used and closed by all ranks: words behind signals, round after round.
#include "core/attempt.h"
#include "network/network.h"
#include "test/simulation/heavy_steps.h"
#include "test/support/network_board.h"

namespace railrunner::simulation {

namespace {

struct Shape {
  uint32_t numSlots;
  uint64_t words;
  uint32_t rounds;
  NetworkOptions options;
};

Shape shapeOf(const RankEngine& engine, const PlannedStep& step) {
  Random random(step.seed);
  const auto size = static_cast<uint32_t>(engine.plan().worldSize);
  Shape shape{static_cast<uint32_t>(random.between(1, 3)),
              static_cast<uint64_t>(random.between(1, 900)),
              static_cast<uint32_t>(random.between(1, 5)),
              {}};
  shape.options.usesNetwork.assign(size, 1);
  shape.options.usesNetwork[static_cast<size_t>(engine.rank())] = 0;
  shape.options.numSlots = shape.numSlots;
  shape.options.numProxies = static_cast<uint32_t>(random.between(1, 2));
  shape.options.batchBytes = 4096;
  // Also where the transport could write remotely: both protocols are the ranks' choice.
  if (random.chance(50))
    shape.options.protocol =
        random.chance(50) ? NetworkProtocol::kActiveMessage : NetworkProtocol::kRemoteWrite;
  shape.options.testSeam.publishWithoutCounting = engine.plan().signalsEarly;
  return shape;
}

// Two boards, for odd and even rounds: who sends into the first again has heard from all that they read it.
class Rounds {
 public:
  Rounds(RankEngine& engine, const Shape& shape, Network& network, test::Board (&boards)[2],
         const uint32_t (&regions)[2])
      : engine_(engine), shape_(shape), network_(network), boards_(boards), regions_(regions) {}

  void run() {
    for (uint64_t round = 1; round <= shape_.rounds; ++round) {
      send(round);
      receive(round);
    }
  }

 private:
  void send(uint64_t round) {
    Random& random = Scheduler::get().random();
    const auto self = static_cast<uint32_t>(engine_.rank());
    const test::Board& board = boards_[round % 2];
    for (uint32_t peer = 0; peer < shape_.options.usesNetwork.size(); ++peer) {
      if (shape_.options.usesNetwork[peer] == 0) continue;
      for (uint32_t slot = 0; slot < shape_.numSlots; ++slot) {
        std::vector<uint64_t> row(shape_.words);
        for (uint64_t i = 0; i < row.size(); ++i) row[i] = test::wordOf(self, slot, round, i);
        for (uint64_t at = 0; at < row.size();) {
          const uint64_t count = 1 + random.below(row.size() - at);
          network_.put({peer, slot, round, regions_[round % 2], board.rowOffset(self, slot) + at * 8,
                        &row[at], count * 8});
          at += count;
        }
        network_.signal({peer, slot, round, regions_[round % 2], board.signalOffset(self, slot), round},
                        random.chance(50));
      }
    }
    network_.pushAll();
  }

  void receive(uint64_t round) {
    const test::Board& board = boards_[round % 2];
    for (uint32_t peer = 0; peer < shape_.options.usesNetwork.size(); ++peer) {
      if (shape_.options.usesNetwork[peer] == 0) continue;
      for (uint32_t slot = 0; slot < shape_.numSlots; ++slot) {
        const uint64_t* word = board.at(board.signalOffset(peer, slot));
        network_.await([&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) == round; }, peer, 0,
                       "the signal of a simulated round");
        bool isWhole = true;
        const uint64_t* row = board.at(board.rowOffset(peer, slot));
        for (uint64_t i = 0; i < shape_.words; ++i)
          isWhole = isWhole && row[i] == test::wordOf(peer, slot, round, i);
        expect(isWhole, engine_, "a signal was published before its payloads");
      }
    }
  }

  RankEngine& engine_;
  const Shape& shape_;
  Network& network_;
  test::Board (&boards_)[2];
  const uint32_t (&regions_)[2];
};

}  // namespace

void networkStep(RankEngine& engine, const PlannedStep& step) {
  const Shape shape = shapeOf(engine, step);
  const auto size = static_cast<uint32_t>(engine.plan().worldSize);
  CountedExchange exchange(engine);
  test::Board boards[2] = {{size, shape.numSlots, shape.words}, {size, shape.numSlots, shape.words}};
  const auto network = Network::open(exchange, engine.control(), shape.options);
  uint32_t regions[2];
  for (int i = 0; i < 2; ++i)
    regions[i] =
        network->registerMemory(exchange, boards[i].memory.data(), boards[i].bytes(), DeviceKind::kHost, 0);
  Rounds(engine, shape, *network, boards, regions).run();
  for (const uint32_t region : regions) network->unregisterMemory(exchange, region, 0);
  network->close(&exchange, 0);
}

}  // namespace railrunner::simulation
