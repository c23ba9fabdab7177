#include "test/simulation/plan.h"

#include <algorithm>

namespace railrunner::simulation {

namespace {

int worldSizeOf(Random& random) {
  // Small worlds find most and cost least; above 16 ranks an allgather takes another path.
  const uint64_t draw = random.below(20);
  if (draw == 0) return static_cast<int>(random.between(17, 40));
  return static_cast<int>(random.between(2, draw < 5 ? 12 : 5));
}

std::vector<int> hostsOf(Random& random, int worldSize) {
  const int numHosts = static_cast<int>(random.between(1, std::min(worldSize, 3)));
  const bool isCyclic = random.chance(30);
  std::vector<int> hosts;
  for (int rank = 0; rank < worldSize; ++rank)
    hosts.push_back(isCyclic ? rank % numHosts : rank * numHosts / worldSize);
  return hosts;
}

PlannedPoint pointOf(Random& random, int worldSize) {
  PlannedPoint point(kNumStages);
  for (int stage = 0; stage < kNumStages; ++stage) {
    for (uint64_t count = random.below(4); count > 0; --count) {
      const auto kind = static_cast<StepKind>(random.below(static_cast<uint64_t>(StepKind::kGates)));
      point[static_cast<size_t>(stage)].push_back({kind, random.next(), 0});
    }
  }
  if (random.chance(20) && kHasUcx) {  // these cost as much as all else together
    const StepKind kinds[] = {StepKind::kNetwork, StepKind::kDispatch, StepKind::kTransfer};
    point[1].push_back({kinds[worldSize <= 5 ? random.below(3) : 0], random.next(), 0});
  }
  point[1].push_back({StepKind::kGates, random.next(), static_cast<uint32_t>(random.between(1, 12))});
  return point;
}

void addTrouble(Random& random, Plan& plan) {
  plan.trouble = static_cast<Trouble>(random.between(1, 3));
  plan.troubleRank = static_cast<int>(random.below(static_cast<uint64_t>(plan.worldSize)));
  Place& place = plan.troublePlace;
  place.point = static_cast<int>(random.below(plan.points.size()));
  const PlannedPoint& point = plan.points[static_cast<size_t>(place.point)];
  do {
    place.stage = static_cast<int>(random.below(kNumStages));
  } while (point[static_cast<size_t>(place.stage)].empty());
  const auto& steps = point[static_cast<size_t>(place.stage)];
  place.step = static_cast<int>(random.below(steps.size()));
  const PlannedStep& step = steps[static_cast<size_t>(place.step)];
  if (step.kind == StepKind::kGates) plan.troubleSample = static_cast<uint32_t>(random.below(step.amount));
}

}  // namespace

Plan makePlan(uint64_t seed) {
  Random random(mix64(seed ^ 0x706c616e));
  Plan plan;
  plan.seed = seed;
  plan.worldSize = worldSizeOf(random);
  plan.mpi.hostOfRank = hostsOf(random, plan.worldSize);
  plan.mpi.latencyNs = random.chance(50) ? 20 * kUs : random.between(2 * kUs, 3 * kMs);
  plan.mpi.failsForGone = random.chance(30);
  plan.ucx.latencyNs = random.chance(50) ? 30 * kUs : random.between(2 * kUs, kMs);
  plan.ucx.hasRdma = random.chance(50);
  if (random.chance(30)) plan.ranksPerNode = static_cast<int>(random.between(1, 4));
  for (int64_t count = random.between(1, 3); count > 0; --count)
    plan.points.push_back(pointOf(random, plan.worldSize));
  const auto anyRank = [&] { return static_cast<int>(random.below(static_cast<uint64_t>(plan.worldSize))); };
  // Most of a run passes within some milliseconds; each stage has its deadline, where one hangs.
  const auto anyTime = [&] { return kSecond + random.between(0, random.chance(70) ? 15 * kMs : kSecond); };
  if (random.chance(35)) addTrouble(random, plan);
  const uint64_t event = random.below(100);
  if (event < 20) {
    plan.crashRank = anyRank();
    plan.crashNs = anyTime();
  } else if (event < 40) {
    plan.frozenRank = anyRank();
    plan.freezeNs = anyTime();
    plan.frozenForNs = random.chance(60) ? random.between(kMs, plan.silenceNs / 3) : 4 * plan.silenceNs;
  } else if (event < 55) {
    plan.signalRank = anyRank();
    plan.signalNs = anyTime();
  } else if (event < 65) {
    plan.cutRanks[0] = anyRank();
    plan.cutRanks[1] =
        (plan.cutRanks[0] + 1 + static_cast<int>(random.below(static_cast<uint64_t>(plan.worldSize) - 1))) %
        plan.worldSize;
    plan.cutNs = anyTime();
    plan.cutForNs = random.between(0, kSecond);
  }
  return plan;
}

std::string Plan::describe() const {
  std::string text = std::to_string(worldSize) + " ranks, " + std::to_string(points.size()) + " points";
  const char* const troubles[] = {"", "fails", "hangs", "sticks"};
  if (trouble != Trouble::kNone) {
    text += "; rank " + std::to_string(troubleRank) + " " + troubles[static_cast<int>(trouble)] +
            " in point " + std::to_string(troublePlace.point) + " stage " +
            std::to_string(troublePlace.stage) + " step " + std::to_string(troublePlace.step);
  }
  const auto at = [](int64_t ns) { return " at " + std::to_string((ns - kSecond) / kUs) + " us"; };
  if (crashRank >= 0) text += "; rank " + std::to_string(crashRank) + " dies" + at(crashNs);
  if (frozenRank >= 0) {
    text += "; rank " + std::to_string(frozenRank) + " is stopped" + at(freezeNs) + " for " +
            std::to_string(frozenForNs / kMs) + " ms";
  }
  if (signalRank >= 0) text += "; rank " + std::to_string(signalRank) + " gets a signal" + at(signalNs);
  if (cutRanks[0] >= 0) {
    text += "; the link of ranks " + std::to_string(cutRanks[0]) + " and " + std::to_string(cutRanks[1]) +
            " is cut" + at(cutNs) + " for " + std::to_string(cutForNs / kMs) + " ms";
  }
  return text;
}

}  // namespace railrunner::simulation
