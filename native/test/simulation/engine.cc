#include "test/simulation/engine.h"

#include <cstring>

#include "core/clock.h"

namespace railrunner::simulation {

namespace {

// Of runner/engine/stage.ts and end-agreement.ts.
constexpr int64_t kUnwindNs = 1500 * kMs;
constexpr int64_t kBoundaryNs = 9 * kSecond;
constexpr int64_t kOpenNs = 30 * kSecond;
constexpr int64_t kEndNs = 20 * kSecond;
constexpr int64_t kHurriedEndNs = kSecond;
constexpr int64_t kGatherNs = 60 * kSecond;
const char* const kStageNames[] = {"prepare", "measure", "verify", "close"};
constexpr int64_t kStuckNs = 1'000 * kSecond;

Scheduler& scheduler() { return Scheduler::get(); }

std::string textOf(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

void RankEngine::start() {
  scheduler().spawn(rank_, "main", [this] { run(); });
  scheduler().spawn(rank_, "worker", [this] { work(); });
}

void RankEngine::work() {
  while (outcome_.end == End::kNone) {
    if (!isBusy_) {
      scheduler().block(&isBusy_, 0, "waits for work");
      continue;
    }
    taskFailure_ = nullptr;
    try {
      task_();
    } catch (...) {
      taskFailure_ = std::current_exception();
    }
    task_ = nullptr;
    isBusy_ = false;
    scheduler().wake(&task_, true);
  }
}

void RankEngine::giveWorker(std::function<void()> task) {
  task_ = std::move(task);
  isBusy_ = true;
  scheduler().wake(&isBusy_, true);
}

bool RankEngine::awaitWorker(int64_t untilNs) {
  while (isBusy_ && scheduler().nowNs() < untilNs) scheduler().block(&task_, untilNs, "waits for its worker");
  return !isBusy_;
}

bool RankEngine::await(const std::shared_ptr<Answer>& answer, int64_t untilNs) {
  while (!answer->isGiven && scheduler().nowNs() < untilNs)
    scheduler().block(answer.get(), untilNs, "waits for the control thread");
  return answer->isGiven;
}

std::vector<Bytes> RankEngine::answered(const char* what, int64_t timeoutNs,
                                        const std::function<void(int64_t, Completion)>& ask) {
  auto answer = std::make_shared<Answer>();
  ask(nowNs() + timeoutNs, [answer](std::exception_ptr failure, std::vector<Bytes> result) {
    if (answer->isGiven) scheduler().violate("a call of the control plane is answered twice");
    *answer = {true, failure, std::move(result)};
    scheduler().wake(answer.get(), true);
  });
  // The control thread keeps the deadline, unless it is inside a call of MPI.
  if (!await(answer, nowNs() + timeoutNs + 2 * kSecond))
    throw Error(ErrorCode::kTimeout, std::string(what) + " is not answered by its deadline");
  if (answer->failure) std::rethrow_exception(answer->failure);
  return std::move(answer->result);
}

bool RankEngine::open() {
  WorldOptions options;
  options.ranksPerNode = plan_.ranksPerNode;
  options.timeoutNs = kOpenNs;
  options.peerTimeoutNs = plan_.silenceNs;
  options.remotePeerTimeoutNs = plan_.silenceNs;
  try {
    answered("opening the world", kOpenNs, [&](int64_t, const Completion& done) {
      World::open(options, control_, [this, done](std::exception_ptr failure, std::shared_ptr<World> world) {
        world_ = std::move(world);
        done(failure, {});
      });
    });
  } catch (const Error& error) {
    outcome_.reason = error.what();
    return false;
  }
  gate_ = std::make_unique<WorldGate>(world_);
  return true;
}

void RankEngine::run() {
  End end = End::kNotOpened;
  if (open()) {
    end = End::kFinalized;
    try {
      for (int point = 0; point < static_cast<int>(plan_.points.size()); ++point) {
        if (runPoint(point)) continue;
        if (!outcome_.isStopped) end = End::kFatal;
        break;
      }
    } catch (const Error& error) {
      end = End::kLost;
      endLost(error.what());
    }
    outcome_.mailsBeforeEnd = MpiModel::get().sentBy(rank_, 2);
  }
  finish(end);
}

// endRun of runner/engine/run.ts: all ranks agree on how it went, and take the world down where no thread is stuck.
void RankEngine::finish(End end) {
  if (end == End::kFinalized || end == End::kFatal) {
    try {
      exchange("end", -1, Bytes(24), outcome_.isStopped ? kHurriedEndNs : kEndNs);
      if (!isBusy_) {
        calls_.push_back("finalize");
        answered("the end", kEndNs, [&](int64_t deadlineNs, const Completion& done) {
          world_->startFinalize(deadlineNs, [done](std::exception_ptr failure) { done(failure, {}); });
        });
      }
    } catch (const Error& error) {
      if (end == End::kFinalized) end = End::kNotFinalized;
      endLost(error.what());
    }
  }
  outcome_.endedNs = scheduler().nowNs();
  outcome_.end = end;
  scheduler().trace("end", static_cast<int64_t>(end), outcome_.deadRank);
  scheduler().wake(&isBusy_, true);
  // The process lives on for its rows; then it is gone, and its silence is the others' news.
  if (end != End::kFinalized && end != End::kNotOpened) {
    scheduler().sleep(3 * kSecond);
    outcome_.deadRank = world_->deadRank();
  }
  scheduler().crash(rank_);
}

void RankEngine::endLost(const std::string& reason) {
  outcome_.reason = reason;
  outcome_.deadRank = world_->deadRank();
}

// False: no further point. Throws where the world is lost.
bool RankEngine::runPoint(int point) {
  bool isFatal = false;
  bool goesOn = true;
  const auto take = [&](const Judgement& judgement) {
    isFatal |= judgement.isFatal;
    outcome_.isStopped |= judgement.isStopped;
    goesOn = goesOn && judgement.status == Status::kOk && !outcome_.isStopped;
  };
  for (int stage = 0; stage < kNumStages - 1 && goesOn; ++stage) take(runStage(point, stage));
  if (!isFatal) take(runStage(point, kNumStages - 1));
  gatherRows(point);
  return !isFatal && !outcome_.isStopped;
}

void RankEngine::setAbort(bool isAborted) {
  calls_.push_back(isAborted ? "setAbort true" : "setAbort false");
  if (!isAborted) {
    control_.iteration.store(-1);
    control_.awaitedPeer.store(-1);
  }
  control_.abort.store(static_cast<uint32_t>(isAborted ? AbortReason::kOwn : AbortReason::kNone));
}

void RankEngine::report(const std::string& stage, int point) {
  calls_.push_back("report " + stage);
  world_->report(stage, point);
}

std::vector<Bytes> RankEngine::exchange(const std::string& stage, int point, const Bytes& own,
                                        int64_t timeoutNs) {
  report(stage + " (waits)", point);
  calls_.push_back("allgather");
  auto all = answered("an agreement", timeoutNs, [&](int64_t deadlineNs, Completion done) {
    world_->startAllgather(own, deadlineNs, std::move(done));
  });
  report(stage, point);
  return all;
}

// record of runner/engine/points.ts: rank 0 hears the rows of all.
void RankEngine::gatherRows(int point) {
  Bytes rows(static_cast<size_t>(200 + rank_ % 7), static_cast<uint8_t>(point));
  calls_.push_back("gather");
  answered("the rows", kGatherNs, [&](int64_t deadlineNs, Completion done) {
    world_->startGather(rows, 0, deadlineNs, std::move(done));
  });
}

Judgement RankEngine::runStage(int point, int stage) {
  const Verdict own = runBody(point, stage);
  if (own.status != Status::kOk && !isBusy_) {
    calls_.push_back("failEpoch");
    giveWorker([this] { gate().fail(); });
    awaitWorker(INT64_MAX);
  }
  Bytes bytes(sizeof own);
  std::memcpy(bytes.data(), &own, sizeof own);
  const auto all = exchange(kStageNames[stage], point, bytes, plan_.stageNs + kBoundaryNs);
  std::vector<Verdict> verdicts(all.size());
  for (size_t i = 0; i < all.size(); ++i) std::memcpy(&verdicts[i], all[i].data(), sizeof(Verdict));
  const Judgement judgement = judge(verdicts);
  scheduler().trace("judged", point, stage, static_cast<int64_t>(judgement.status));
  outcome_.verdicts.push_back(std::move(verdicts));
  outcome_.judgements.push_back(judgement);
  if (judgement.status != Status::kOk && !judgement.isFatal) {
    calls_.push_back("renewal");
    answered("a renewal", kBoundaryNs, [&](int64_t deadlineNs, const Completion& done) {
      world_->startRenew(deadlineNs, [done](std::exception_ptr failure) { done(failure, {}); });
    });
  }
  outcome_.epochs.push_back(world_->epoch());
  return judgement;
}

// runStage of runner/engine/stage.ts.
Verdict RankEngine::runBody(int point, int stage) {
  Verdict verdict{rank_, point, stage};
  setAbort(false);
  report(kStageNames[stage], point);
  samples_ = 0;
  giveWorker([this, point, stage] { samples_ = runSteps(*this, point, stage); });
  const bool isLate = !awaitWorker(nowNs() + plan_.stageNs);
  if (isLate) {
    verdict.awaitedPeer = control_.awaitedPeer.load();
    verdict.iteration = static_cast<int32_t>(control_.iteration.load());
    setAbort(true);
    verdict.isStuck = awaitWorker(nowNs() + kUnwindNs) ? 0 : 1;
  }
  if (!isLate && taskFailure_) {
    verdict.awaitedPeer = control_.awaitedPeer.load();
    verdict.iteration = static_cast<int32_t>(control_.iteration.load());
  }
  if (verdict.isStuck == 0) setAbort(false);
  verdict.stop = control_.stop.load() != 0 ? 1 : 0;
  verdict.samples = samples_;
  if (isLate) {
    scheduler().explain();
    scheduler().trace("timed out: awaited, iteration, stuck", verdict.awaitedPeer, verdict.iteration,
                      verdict.isStuck);
    verdict.status = Status::kTimeout;
    return verdict;
  }
  if (!taskFailure_) return verdict;
  try {
    std::rethrow_exception(taskFailure_);
  } catch (const Error& error) {
    verdict.code = static_cast<int32_t>(error.code());
    verdict.status = error.code() == ErrorCode::kAborted   ? Status::kPeer
                     : error.code() == ErrorCode::kTimeout ? Status::kTimeout
                                                           : Status::kFailed;
  } catch (const std::exception&) {
    verdict.status = Status::kFailed;
  }
  scheduler().trace(textOf(taskFailure_).c_str(), point, stage);
  return verdict;
}

void RankEngine::meetTrouble() {
  scheduler().trace("trouble", static_cast<int64_t>(plan_.trouble));
  if (plan_.trouble == Trouble::kFails) throw Error(ErrorCode::kIo, "planned");
  if (plan_.trouble == Trouble::kSticks) scheduler().sleep(kStuckNs);
  while (control_.abort.load() == 0) scheduler().sleep(kMs);
  throw Error(ErrorCode::kAborted, "a hang was told to stop");
}

}  // namespace railrunner::simulation
