#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/simulation/mpi_model.h"
#include "test/simulation/ucx_model.h"

// What a seed makes: a world, what its ranks do together, and what happens to them meanwhile.
namespace railrunner::simulation {

// What the ranks do in a stage, one after the other.
enum class StepKind : uint32_t {
  kAllgather,
  kMaximum,
  kBarrier,
  kAgreement,
  kGates,
  kNetwork,
  kDispatch,
  kTransfer
};

struct PlannedStep {
  StepKind kind;
  uint64_t seed = 0;
  uint32_t amount = 0;  // samples of kGates
};

inline constexpr int kNumStages = 4;                         // prepare, measure, verify, close
using PlannedPoint = std::vector<std::vector<PlannedStep>>;  // by stage

// What goes wrong on one rank, before or inside a step.
enum class Trouble : uint32_t {
  kNone,
  kFails,   // throws
  kHangs,   // comes back only when it is told to stop
  kSticks,  // does not come back
};

struct Place {
  int point = -1;
  int stage = 0;
  int step = 0;
  bool operator==(const Place&) const = default;
};

struct Plan {
  uint64_t seed = 0;
  int worldSize = 2;
  int ranksPerNode = 0;
  MpiOptions mpi;
  UcxOptions ucx;
  int64_t stageNs = 3 * kSecond;
  int64_t silenceNs = kSecond;
  std::vector<PlannedPoint> points;

  Trouble trouble = Trouble::kNone;
  int troubleRank = -1;
  Place troublePlace;
  uint32_t troubleSample = 0;

  int crashRank = -1;
  int64_t crashNs = 0;
  int frozenRank = -1;
  int64_t freezeNs = 0;
  int64_t frozenForNs = 0;
  int signalRank = -1;
  int64_t signalNs = 0;
  int cutRanks[2] = {-1, -1};  // the link between them
  int64_t cutNs = 0;
  int64_t cutForNs = 0;
  bool signalsEarly = false;  // planted: signals are published though payloads are missing
  bool skipsARank = false;    // planted: one rank does not hear of a failure in an agreement

  // A pause that every other rank must sit out.
  bool isBriefFreeze() const { return frozenRank >= 0 && frozenForNs < silenceNs; }
  bool isLongFreeze() const { return frozenRank >= 0 && !isBriefFreeze(); }
  bool isQuiet() const {
    return trouble == Trouble::kNone && crashRank < 0 && !isLongFreeze() && signalRank < 0 && cutRanks[0] < 0;
  }
  std::string describe() const;
};

Plan makePlan(uint64_t seed);

}  // namespace railrunner::simulation
