#include "test/simulation/checks.h"

#include <algorithm>

namespace railrunner::simulation {

namespace {

using End = RankEngine::End;
using Engines = std::vector<std::unique_ptr<RankEngine>>;

void violate(int rank, const std::string& what) {
  Scheduler::get().violate("rank " + std::to_string(rank) + ": " + what);
}

// All that reached a boundary concluded the same there, and are in the same epoch after it.
void checkAgreement(const Engines& engines) {
  const RankEngine* longest = nullptr;
  for (const auto& engine : engines) {
    if (longest == nullptr || engine->outcome().verdicts.size() > longest->outcome().verdicts.size())
      longest = engine.get();
  }
  const auto& reference = longest->outcome();
  for (const auto& engine : engines) {
    const auto& own = engine->outcome();
    for (size_t i = 0; i < own.verdicts.size(); ++i) {
      if (own.verdicts[i] != reference.verdicts[i] || own.judgements[i] != reference.judgements[i])
        violate(engine->rank(), "concluded otherwise than rank " + std::to_string(longest->rank()));
    }
    for (size_t i = 0; i < std::min(own.epochs.size(), reference.epochs.size()); ++i) {
      if (own.epochs[i] != reference.epochs[i]) violate(engine->rank(), "is in another epoch");
    }
    for (const auto& verdicts : own.verdicts) {
      const bool isWell =
          std::ranges::all_of(verdicts, [](const Verdict& v) { return v.status == Status::kOk; });
      const auto differs = [&](const Verdict& v) {
        return v.samples != verdicts[0].samples || v.point != verdicts[0].point ||
               v.stage != verdicts[0].stage;
      };
      if (isWell && std::ranges::any_of(verdicts, differs))
        violate(engine->rank(), "left a loop at another sample than others");
    }
  }
}

// Nobody is called a culprit who did nothing wrong.
void checkBlame(const Plan& plan, const RankEngine& engine) {
  const bool isSick = plan.crashRank >= 0 || plan.isLongFreeze();
  const auto& outcome = engine.outcome();
  for (size_t i = 0; i < outcome.judgements.size(); ++i) {
    const Judgement& judgement = outcome.judgements[i];
    if (judgement.status == Status::kOk || isSick) continue;
    const Verdict& any = outcome.verdicts[i][0];
    const bool isPlanned = plan.trouble != Trouble::kNone && any.point == plan.troublePlace.point &&
                           any.stage == plan.troublePlace.stage;
    // A cut link fails what uses it, as whatever it is told.
    if (plan.cutRanks[0] >= 0 && any.stage == 1) continue;
    if (!isPlanned) {
      violate(engine.rank(), "point " + std::to_string(any.point) + " stage " + std::to_string(any.stage) +
                                 " failed although nothing went wrong in it");
      continue;
    }
    const Status wanted = plan.trouble == Trouble::kFails ? Status::kFailed : Status::kTimeout;
    if (judgement.status != wanted) violate(engine.rank(), "the trouble is told as another");
    if (judgement.culprits != std::vector<int>{plan.troubleRank}) {
      violate(engine.rank(), "the rank in trouble is not the one that is named, or not alone: " +
                                 std::to_string(judgement.culprits.front()));
    }
    if (plan.trouble != Trouble::kFails && judgement.hungRank != plan.troubleRank)
      violate(engine.rank(), "the rank that hangs is not named");
    if (judgement.isFatal != (plan.trouble == Trouble::kSticks)) violate(engine.rank(), "fatal or not");
  }
}

void checkQuiet(const Plan& plan, RankEngine& engine) {
  const auto& outcome = engine.outcome();
  if (outcome.end != End::kFinalized) {
    violate(engine.rank(), "nothing went wrong, and yet: " + outcome.reason);
    return;
  }
  if (outcome.judgements.size() != plan.points.size() * kNumStages)
    violate(engine.rank(), "did not go through all stages");
  const uint64_t expected = expectedMails(engine);
  if (outcome.mailsBeforeEnd != expected) {
    violate(engine.rank(), "sent " + std::to_string(outcome.mailsBeforeEnd) + " messages, expected " +
                               std::to_string(expected));
  }
}

// A rank that is gone, or was silent for longer than is allowed, is named by all others.
void checkDeath(const Plan& plan, const RankEngine& engine) {
  const int dead = plan.crashRank >= 0 ? plan.crashRank : plan.frozenRank;
  const int64_t atNs = plan.crashRank >= 0 ? plan.crashNs : plan.freezeNs;
  const auto& outcome = engine.outcome();
  if (engine.rank() == dead) return;
  if (outcome.end == End::kNone) {
    violate(engine.rank(), "waits without bound for a rank that is gone");
  } else if (outcome.end == End::kLost && outcome.deadRank != dead) {
    violate(engine.rank(), "lost the world and names rank " + std::to_string(outcome.deadRank) +
                               " as dead, not " + std::to_string(dead) + " (" + outcome.reason + ")");
  }
  // The trouble of another rank, and the end itself, have bounds of their own; a death alone is found by silence.
  const bool isAlone = plan.trouble == Trouble::kNone;
  const int64_t boundNs = atNs + 3 * plan.silenceNs + 2 * kSecond;
  if (isAlone && outcome.end == End::kLost && outcome.endedNs > boundNs)
    violate(engine.rank(),
            "took " + std::to_string((outcome.endedNs - atNs) / kMs) + " ms to leave a dead rank");
}

void checkStop(const Plan& plan, const Engines& engines) {
  for (const auto& engine : engines) {
    const auto& outcome = engine->outcome();
    if (plan.trouble == Trouble::kSticks) continue;
    if (outcome.end != End::kFinalized)
      violate(engine->rank(), "a signal did not end in order: " + outcome.reason);
    if (outcome.isStopped != engines[0]->outcome().isStopped)
      violate(engine->rank(), "does not know of a signal that others know");
    if (outcome.verdicts.size() != engines[0]->outcome().verdicts.size())
      violate(engine->rank(), "stopped at another stage than rank 0");
  }
}

}  // namespace

void checkOutcomes(const Plan& plan, const Engines& engines) {
  checkAgreement(engines);
  for (const auto& engine : engines) {
    if (engine->outcome().end == End::kNone && engine->rank() != plan.crashRank)
      violate(engine->rank(), "has not ended");
    checkBlame(plan, *engine);
    if (plan.isQuiet()) checkQuiet(plan, *engine);
    if (plan.crashRank >= 0 || plan.isLongFreeze()) checkDeath(plan, *engine);
  }
  if (plan.signalRank >= 0 && !plan.isLongFreeze() && plan.crashRank < 0) checkStop(plan, engines);
}

}  // namespace railrunner::simulation
