// What the ranks do together in a stage, each with what it must come to.
#include <bit>
#include <cstring>

#include "core/agreement.h"
#include "core/sampler.h"
#include "test/simulation/heavy_steps.h"

namespace railrunner::simulation {

namespace {

Scheduler& scheduler() { return Scheduler::get(); }

Bytes bytesOf(const PlannedStep& step, int rank) {
  Random random(step.seed + static_cast<uint64_t>(rank));
  Bytes bytes(random.below(random.chance(10) ? 3000 : 40));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next());
  return bytes;
}

void allgather(RankEngine& engine, const PlannedStep& step) {
  const auto all = engine.world().allgather(bytesOf(step, engine.rank()), 0);
  bool isRight = all.size() == static_cast<size_t>(engine.plan().worldSize);
  for (int rank = 0; isRight && rank < engine.plan().worldSize; ++rank)
    isRight = all[static_cast<size_t>(rank)] == bytesOf(step, rank);
  expect(isRight, engine, "an allgather gave other bytes");
}

void maximum(RankEngine& engine, const PlannedStep& step) {
  const auto valueOf = [&](int rank) { return mix64(step.seed + static_cast<uint64_t>(rank)); };
  uint64_t highest = 0;
  for (int rank = 0; rank < engine.plan().worldSize; ++rank) highest = std::max(highest, valueOf(rank));
  expect(engine.world().allreduceMax(valueOf(engine.rank()), 0) == highest, engine, "a maximum is another");
}

// No rank may leave before all have come.
void barrier(RankEngine& engine, const PlannedStep& step) {
  static std::map<uint64_t, int> arrived;
  ++arrived[step.seed];
  engine.world().barrier(0);
  expect(arrived[step.seed] == engine.plan().worldSize, engine, "a barrier opened before all had come");
}

// Planted: an agreement in which this rank does not hear the last one.
class DeafExchange : public Exchange {
 public:
  explicit DeafExchange(Exchange& inner) : inner_(inner) {}
  uint32_t rank() const override { return inner_.rank(); }
  uint32_t worldSize() const override { return inner_.worldSize(); }
  std::vector<Bytes> allgather(std::span<const uint8_t> mine, int64_t deadlineNs) override {
    auto all = inner_.allgather(mine, deadlineNs);
    if (rank() == 0) all.back() = all.front();
    return all;
  }

 private:
  Exchange& inner_;
};

// In a third of the agreements one rank cannot do its part: all must hear so, and go on together. Not where the plan has
// another trouble in the same stage: then both ranks would be to blame.
void agreement(RankEngine& engine, const PlannedStep& step, bool mayFail) {
  const int size = engine.plan().worldSize;
  Random random(step.seed);
  const int failing =
      mayFail && random.chance(33) ? static_cast<int>(random.below(static_cast<uint64_t>(size))) : -1;
  WorldExchange exchange(engine.world());
  DeafExchange deaf(exchange);
  Exchange& used = engine.plan().skipsARank ? static_cast<Exchange&>(deaf) : exchange;
  bool hasAgreed = false;
  try {
    const auto all = Agreement(used, "a simulated step", 0).run([&] {
      if (engine.rank() == failing) throw Error(ErrorCode::kAllocation, "planned for an agreement");
      return bytesOf(step, engine.rank());
    });
    hasAgreed = true;
    for (int rank = 0; rank < size; ++rank)
      expect(all[static_cast<size_t>(rank)] == bytesOf(step, rank), engine, "an agreement gave other bytes");
  } catch (const AgreedError& error) {
    expect(failing >= 0 && std::string(error.what()).find("rank " + std::to_string(failing) + ": planned") !=
                               std::string::npos,
           engine, "an agreement names another failure");
  }
  expect(!hasAgreed || failing < 0, engine,
         "an agreement went well on this rank although another rank failed");
}

struct Samples {
  RankEngine& engine;
  Place place;
  void beforeSample(uint32_t index, bool) { current = index; }
  double run() {
    if (current == engine.plan().troubleSample && engine.hasTrouble(place)) engine.meetTrouble();
    scheduler().sleep(scheduler().random().between(0, 20 * kUs));
    return 1.0;
  }
  uint32_t current = 0;
};

uint32_t gates(RankEngine& engine, const PlannedStep& step, const Place& place) {
  Samples samples{engine, place};
  const SampleSet set = sample(samples, engine.gate(), {0, step.amount, false}, engine.control());
  expect(set.stopped || set.timesUs.size() == step.amount, engine, "a loop ended early without a stop");
  return static_cast<uint32_t>(set.timesUs.size());
}

}  // namespace

uint32_t runSteps(RankEngine& engine, int point, int stage) {
  uint32_t numSamples = 0;
  const Place& planned = engine.plan().troublePlace;
  const auto& steps = engine.plan().points[static_cast<size_t>(point)][static_cast<size_t>(stage)];
  for (int i = 0; i < static_cast<int>(steps.size()); ++i) {
    const PlannedStep& step = steps[static_cast<size_t>(i)];
    const Place place{point, stage, i};
    if (step.kind != StepKind::kGates && engine.hasTrouble(place)) engine.meetTrouble();
    if (scheduler().random().chance(30)) scheduler().sleep(scheduler().random().between(kUs, kMs));
    scheduler().trace("step", point, stage, i);
    switch (step.kind) {
      case StepKind::kAllgather:
        allgather(engine, step);
        break;
      case StepKind::kMaximum:
        maximum(engine, step);
        break;
      case StepKind::kBarrier:
        barrier(engine, step);
        break;
      case StepKind::kAgreement:
        agreement(engine, step, point != planned.point || stage != planned.stage);
        break;
      case StepKind::kGates:
        numSamples += gates(engine, step, place);
        break;
      case StepKind::kNetwork:
        networkStep(engine, step);
        break;
      case StepKind::kDispatch:
        dispatchStep(engine, step);
        break;
      case StepKind::kTransfer:
        transferStep(engine, step);
        break;
    }
  }
  return numSamples;
}

uint64_t expectedMails(RankEngine& engine) {
  const WorldInfo& info = engine.world().info();
  const auto rounds = [](int count) {
    return static_cast<uint64_t>(std::bit_width(static_cast<uint32_t>(count - 1)));
  };
  const uint64_t ofMaximum = rounds(info.worldSize);
  const uint64_t ofGate = info.localRank == 0 ? rounds(info.numNodes) : 0;
  const uint64_t ofAllgather =
      info.worldSize <= AllgatherPlan::kDirectRanks ? static_cast<uint64_t>(info.worldSize) - 1 : ofMaximum;
  uint64_t sum = engine.counted().allgathers * ofAllgather + engine.counted().gates * ofGate;
  for (const PlannedPoint& point : engine.plan().points) {
    for (const auto& steps : point) {
      for (const PlannedStep& step : steps) {
        if (step.kind == StepKind::kAllgather || step.kind == StepKind::kAgreement) sum += ofAllgather;
        if (step.kind == StepKind::kMaximum || step.kind == StepKind::kBarrier) sum += ofMaximum;
        if (step.kind == StepKind::kGates) sum += step.amount * ofGate;
      }
    }
  }
  return sum;
}

}  // namespace railrunner::simulation
