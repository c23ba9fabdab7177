#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "test/simulation/judgement.h"
#include "test/simulation/plan.h"
#include "world/world.h"
#include "world/world_gate.h"

namespace railrunner::simulation {

// One rank: what its main thread and its worker thread do. The stages, their deadlines and agreements are those of
// runner/engine (stage.ts, point.ts, points.ts, verdict.ts), told again in C++; everything below them is native/ itself. A
// test compares what both ask of the world (test/simulation/calls.test.ts).
class RankEngine {
 public:
  RankEngine(const Plan& plan, int rank) : plan_(plan), rank_(rank) {}
  void start();

  RunControl& control() { return control_; }
  World& world() { return *world_; }
  SamplingGate& gate() { return gate_->gate(); }
  const Plan& plan() const { return plan_; }
  int rank() const { return rank_; }
  bool hasTrouble(const Place& place) const {
    return plan_.trouble != Trouble::kNone && plan_.troubleRank == rank_ && plan_.troublePlace == place;
  }
  // Does what the plan says; comes back only from a hang that is told to stop (which throws).
  void meetTrouble();

  // What steps above the control plane made of its calls.
  struct Counted {
    uint64_t allgathers = 0;
    uint64_t gates = 0;
  };
  Counted& counted() { return counted_; }

  // How it went, for the checkers.
  enum class End { kNone, kNotOpened, kFinalized, kLost, kFatal, kNotFinalized };
  struct Outcome {
    End end = End::kNone;
    std::string reason;
    std::vector<std::vector<Verdict>> verdicts;  // of every boundary that was reached
    std::vector<Judgement> judgements;
    std::vector<uint32_t> epochs;  // after each of them
    int deadRank = -1;
    int64_t endedNs = 0;
    uint64_t mailsBeforeEnd = 0;
    bool isStopped = false;
  };
  const Outcome& outcome() const { return outcome_; }
  // What the main thread asked of its world, in order, in the words of runner/native/types/world.ts.
  const std::vector<std::string>& calls() const { return calls_; }

 private:
  // Of the calls that are answered on the control thread.
  struct Answer {
    bool isGiven = false;
    std::exception_ptr failure;
    std::vector<Bytes> result;
  };

  void run();
  void work();
  bool open();
  bool runPoint(int point);
  Judgement runStage(int point, int stage);
  Verdict runBody(int point, int stage);
  void endLost(const std::string& reason);
  void setAbort(bool isAborted);
  void report(const std::string& stage, int point);
  // All ranks' bytes; the others see in the heartbeats that this rank waits in the stage.
  std::vector<Bytes> exchange(const std::string& stage, int point, const Bytes& own, int64_t timeoutNs);
  void gatherRows(int point);
  void finish(End end);
  // False where the answer had not come by then.
  bool await(const std::shared_ptr<Answer>& answer, int64_t untilNs);
  std::vector<Bytes> answered(const char* what, int64_t timeoutNs,
                              const std::function<void(int64_t deadlineNs, Completion)>& ask);
  void giveWorker(std::function<void()> task);
  bool awaitWorker(int64_t untilNs);

  const Plan& plan_;
  const int rank_;
  RunControl control_;
  std::shared_ptr<World> world_;
  std::unique_ptr<WorldGate> gate_;
  Outcome outcome_;
  Counted counted_;
  std::vector<std::string> calls_;
  std::function<void()> task_;
  std::exception_ptr taskFailure_;
  bool isBusy_ = false;
  uint32_t samples_ = 0;
};

// The steps of a stage, on the worker thread. Throws what goes wrong; what is wrong without an error is a violation.
uint32_t runSteps(RankEngine& engine, int point, int stage);
// Messages that a rank sends in the mail for the steps of all points where nothing goes wrong.
uint64_t expectedMails(RankEngine& engine);

}  // namespace railrunner::simulation
