// Worlds of ranks in a simulator: `simulation_test [--seeds FROM COUNT] [--seed N] [--trace] [--plant NAME]`. Every seed
// is a process; a seed that fails is named with what was found, and --seed N --trace repeats it, event by event.
// `--calls none|fails|hangs|sticks` runs one point in which rank 1 of 2 has that trouble in its second sample, and prints
// what each main thread asks of its world.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/simulation/checks.h"

namespace railrunner::simulation {
namespace {

constexpr int64_t kLimitNs = 300 * kSecond;
constexpr unsigned kRealSeconds = 120;

struct Request {
  uint64_t first = 1;
  uint64_t count = 300;
  bool prints = false;
  bool isOne = false;
  std::string planted;
  std::string calls;
};

Plan planOfCalls(const std::string& trouble) {
  Plan plan;
  plan.seed = 1;
  plan.mpi.hostOfRank = {0, 0};
  plan.points = {PlannedPoint(kNumStages)};
  plan.points[0][1].push_back({StepKind::kGates, 1, 3});
  const char* const names[] = {"none", "fails", "hangs", "sticks"};
  for (uint32_t i = 0; i < std::size(names); ++i) {
    if (trouble == names[i]) plan.trouble = static_cast<Trouble>(i);
  }
  plan.troubleRank = 1;
  plan.troublePlace = {0, 1, 0};
  plan.troubleSample = 1;
  return plan;
}

void applyPlanted(const std::string& name, Plan& plan) {
  plan.mpi.plantedAt = mix64(plan.seed) % 40;
  if (name == "lost-message") plan.mpi.planted = PlantedMessage::kLost;
  if (name == "early-signal") plan.signalsEarly = true;
  if (name == "skipped-rank") plan.skipsARank = true;
}

void spawnEvents(const Plan& plan, const std::vector<std::unique_ptr<RankEngine>>& engines) {
  const auto at = [&](int rank, int64_t timeNs, const std::function<void()>& event) {
    if (rank < 0) return;
    Scheduler::get().spawn(rank, "event", [timeNs, event] {
      if (timeNs > Scheduler::get().nowNs()) Scheduler::get().sleep(timeNs - Scheduler::get().nowNs());
      event();
    });
  };
  at(plan.crashRank, plan.crashNs, [&plan] {
    Scheduler::get().trace("crash", plan.crashRank);
    Scheduler::get().crash(plan.crashRank);
  });
  at(plan.frozenRank, plan.freezeNs, [&plan] {
    Scheduler::get().trace("freeze", plan.frozenRank);
    Scheduler::get().freeze(plan.frozenRank, plan.frozenForNs);
  });
  at(plan.cutRanks[0], plan.cutNs, [&plan] {
    Scheduler::get().trace("cut", plan.cutRanks[0], plan.cutRanks[1]);
    UcxModel::get().cut(plan.cutRanks[0], plan.cutRanks[1], plan.cutNs + plan.cutForNs);
  });
  at(plan.signalRank, plan.signalNs, [&plan, &engines] {
    Scheduler::get().trace("signal", plan.signalRank);
    engines[static_cast<size_t>(plan.signalRank)]->control().stop.store(
        static_cast<uint32_t>(StopReason::kSignal));
  });
}

// Returns 0 where all held. Ends with the process.
int runSeed(uint64_t seed, const Request& request) {
  alarm(kRealSeconds);
  Plan plan = request.calls.empty() ? makePlan(seed) : planOfCalls(request.calls);
  applyPlanted(request.planted, plan);
  Scheduler& scheduler = Scheduler::get();
  scheduler.begin(seed, plan.worldSize + 1, request.prints);
  MpiModel::get().begin(plan.mpi);
  UcxModel::get().begin(plan.ucx, plan.worldSize);
  std::vector<std::unique_ptr<RankEngine>> engines;
  for (int rank = 0; rank < plan.worldSize; ++rank)
    engines.push_back(std::make_unique<RankEngine>(plan, rank));
  for (const auto& engine : engines) engine->start();
  spawnEvents(plan, engines);
  scheduler.run(kLimitNs);
  checkOutcomes(plan, engines);
  for (const auto& engine : engines) {
    for (const std::string& call : engine->calls())
      if (!request.calls.empty()) std::printf("rank %d: %s\n", engine->rank(), call.c_str());
  }
  if (request.isOne) {
    std::printf("seed %llu: %s\nevents %llu, simulated %.3f s, trace hash %016llx\n",
                static_cast<unsigned long long>(seed), plan.describe().c_str(),
                static_cast<unsigned long long>(scheduler.numEvents()),
                static_cast<double>(scheduler.nowNs() - kSecond) * 1e-9,
                static_cast<unsigned long long>(scheduler.traceHash()));
  }
  if (scheduler.violations().empty()) return 0;
  std::printf("seed %llu FAILED (%s); repeat it with --seed %llu --trace\n",
              static_cast<unsigned long long>(seed), plan.describe().c_str(),
              static_cast<unsigned long long>(seed));
  size_t shown = 0;
  for (const std::string& violation : scheduler.violations()) {
    if (++shown <= 6) std::printf("  %s\n", violation.c_str());
  }
  if (request.isOne) std::printf("%s", scheduler.describe().c_str());
  return 1;
}

int statusOfChild(uint64_t seed, const Request& request) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int status = runSeed(seed, request);
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  std::printf("seed %llu FAILED: its process ended by signal %d; repeat it with --seed %llu --trace\n",
              static_cast<unsigned long long>(seed), WTERMSIG(status), static_cast<unsigned long long>(seed));
  return 1;
}

int runSeeds(const Request& request) {
  uint64_t failed = 0;
  for (uint64_t i = 0; i < request.count; ++i)
    failed += statusOfChild(request.first + i, request) != 0 ? 1 : 0;
  std::printf("%llu seeds from %llu, %llu failed\n", static_cast<unsigned long long>(request.count),
              static_cast<unsigned long long>(request.first), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace railrunner::simulation

int main(int argc, char** argv) {
  using namespace railrunner::simulation;
  Request request;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (option == "--seed") {
      request.first = number();
      request.isOne = true;
    } else if (option == "--seeds") {
      request.first = number();
      request.count = number();
    } else if (option == "--trace") {
      request.prints = true;
    } else if (option == "--calls" && i + 1 < argc) {
      request.calls = argv[++i];
      request.isOne = true;
    } else if (option == "--plant" && i + 1 < argc) {
      request.planted = argv[++i];
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
  }
  return request.isOne ? statusOfChild(request.first, request) : runSeeds(request);
}
