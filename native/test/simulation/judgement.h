#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "core/error.h"

namespace railrunner::simulation {

enum class Status : int32_t { kOk, kFailed, kTimeout, kPeer };

// As StageVerdict of runner/engine/verdict.ts.
struct Verdict {
  int32_t rank = 0;
  int32_t point = 0;
  int32_t stage = 0;
  Status status = Status::kOk;
  int32_t code = -1;
  int32_t isStuck = 0;
  int32_t awaitedPeer = -1;
  int32_t iteration = -1;
  int32_t stop = 0;
  uint32_t samples = 0;
  bool operator==(const Verdict&) const = default;
};

struct Judgement {
  Status status = Status::kOk;
  std::vector<int> culprits;
  int hungRank = -1;
  bool isFatal = false;
  bool isStopped = false;
  bool operator==(const Judgement&) const = default;
};

// hungVerdicts of runner/engine/verdict.ts, for ranks that do not advance.
inline std::vector<Verdict> hungVerdicts(const std::vector<Verdict>& timedOut) {
  const auto pick = [](const std::vector<Verdict>& from, const auto& fits) {
    std::vector<Verdict> picked;
    std::ranges::copy_if(from, std::back_inserter(picked), fits);
    return picked;
  };
  std::set<int> awaited;
  for (const Verdict& verdict : timedOut) {
    if (verdict.awaitedPeer >= 0) awaited.insert(verdict.awaitedPeer);
  }
  const auto idle = pick(timedOut, [](const Verdict& v) { return v.awaitedPeer < 0; });
  const auto named = pick(idle, [&](const Verdict& v) { return awaited.contains(v.rank); });
  if (!named.empty()) return named;
  if (!idle.empty() && idle.size() < timedOut.size()) return idle;
  const auto& candidates = idle.empty() ? timedOut : idle;
  const int behind = std::ranges::min_element(candidates, {}, &Verdict::iteration)->iteration;
  const auto slowest = pick(candidates, [&](const Verdict& v) { return v.iteration == behind; });
  return slowest.size() < timedOut.size() || timedOut.size() == 1 ? slowest : candidates;
}

// judge of runner/engine/verdict.ts.
inline Judgement judge(const std::vector<Verdict>& verdicts) {
  Judgement judgement;
  const auto all = [&](Status status) {
    std::vector<Verdict> found;
    std::ranges::copy_if(verdicts, std::back_inserter(found),
                         [&](const Verdict& v) { return v.status == status; });
    return found;
  };
  const auto name = [&](const std::vector<Verdict>& culprits) {
    for (const Verdict& verdict : culprits) judgement.culprits.push_back(verdict.rank);
  };
  const auto failed = all(Status::kFailed);
  const auto timedOut = all(Status::kTimeout);
  for (const Verdict& verdict : verdicts) {
    const bool isLost = verdict.code == static_cast<int32_t>(ErrorCode::kWorldLost) ||
                        verdict.code == static_cast<int32_t>(ErrorCode::kPeerDead);
    judgement.isFatal |= (verdict.status == Status::kFailed && isLost) || verdict.isStuck != 0;
    judgement.isStopped |= verdict.stop != 0;
  }
  if (!failed.empty()) {
    judgement.status = Status::kFailed;
    name(failed);
  } else if (!timedOut.empty()) {
    judgement.status = Status::kTimeout;
    std::vector<Verdict> unfinished;  // also those that were told to stop by one whose deadline came first
    std::ranges::copy_if(verdicts, std::back_inserter(unfinished), [](const Verdict& v) {
      return v.status == Status::kTimeout || v.status == Status::kPeer;
    });
    name(hungVerdicts(unfinished));
    if (judgement.culprits.size() == 1) judgement.hungRank = judgement.culprits.front();
  } else if (const auto strays = all(Status::kPeer); !strays.empty()) {
    judgement.status = Status::kFailed;
    name(strays);
  }
  return judgement;
}

}  // namespace railrunner::simulation
