#include "world/world.h"

#include <cstring>
#include <numeric>

#include "core/wait.h"

namespace railrunner {

namespace {
// What is asked for in a message: two ranks in different calls is an error, not a wrong result.
enum Kind : uint32_t { kAllgather = 1, kMaximum, kBarrier, kGate };
}  // namespace

void World::open(WorldOptions options, RunControl& control, Opened opened) {
  auto thread = std::make_shared<ControlThread>(std::move(options), control);
  thread->start([thread, opened = std::move(opened)](std::exception_ptr failure) {
    if (failure) {
      opened(failure, nullptr);
      return;
    }
    std::shared_ptr<World> world(new World(thread));
    for (int node = 0; node < world->info().numNodes; ++node) {
      world->leaders_.push_back(ranksOfNode(world->info(), node).front());
    }
    opened(nullptr, world);
  });
}

void World::startBroadcast(Bytes data, int root, int64_t deadlineNs, Completion done) {
  thread_->submit(makeBroadcast(std::move(data), root, info().rank, deadlineNs, std::move(done)));
}

void World::startAllgather(Bytes data, int64_t deadlineNs, Completion done) {
  thread_->submit(makeAllgather(std::move(data), info().worldSize, deadlineNs, std::move(done)));
}

void World::startGather(Bytes data, int root, int64_t deadlineNs, Completion done) {
  thread_->submit(
      makeGather(std::move(data), root, info().rank, info().worldSize, deadlineNs, std::move(done)));
}

void World::startAlltoall(std::vector<Bytes> data, int64_t deadlineNs, Completion done) {
  thread_->submit(makeAlltoall(std::move(data), deadlineNs, std::move(done)));
}

void World::startBarrier(int64_t deadlineNs, Completion done) {
  thread_->submit(makeBarrier(deadlineNs, std::move(done)));
}

void World::startRenew(int64_t deadlineNs, ControlThread::Opened done) {
  auto agreed = [thread = thread_, done = std::move(done)](std::exception_ptr failure,
                                                           std::vector<Bytes> result) {
    if (!failure) {
      uint64_t epoch = 0;
      std::memcpy(&epoch, result[0].data(), sizeof epoch);
      thread->setEpoch(static_cast<uint32_t>(epoch));
    }
    done(failure);
  };
  thread_->submit(makeReduceMax(uint64_t{epoch()} + 1, deadlineNs, std::move(agreed)));
}

void World::startFinalize(int64_t deadlineNs, ControlThread::Opened done) {
  thread_->finalize(deadlineNs, std::move(done));
}

std::shared_ptr<MailTask> World::newTask(uint32_t kind, const char* what, std::unique_ptr<MailPlan> plan) {
  auto task = std::make_shared<MailTask>();
  task->kind = kind;
  task->what = what;
  task->plan = std::move(plan);
  task->epoch = epoch();
  if (task->epoch != sequenceEpoch_) {
    sequenceEpoch_ = task->epoch;
    sequence_ = 0;
  }
  task->sequence = ++sequence_;
  return task;
}

void World::run(const std::shared_ptr<MailTask>& task, int64_t deadlineNs) {
  RunControl& words = control();
  thread_->submit(task);
  try {
    waitUntil(
        [&] {
          if (task->state.load(std::memory_order_acquire) != MailTask::kPending) return true;
          words.awaitedPeer.store(task->awaitedRank.load(std::memory_order_relaxed),
                                  std::memory_order_relaxed);
          return false;
        },
        words, deadlineNs, task->what);
  } catch (const Error&) {
    // awaitedPeer stays: the report of the hang reads it.
    task->abandoned.store(true, std::memory_order_relaxed);
    throw;
  }
  // Ended by a failure it stays as well: a peer's deadline may have come before this rank's.
  if (task->failure) std::rethrow_exception(task->failure);
  words.awaitedPeer.store(-1, std::memory_order_relaxed);
}

std::vector<Bytes> World::allgather(std::span<const uint8_t> data, int64_t deadlineNs) {
  auto plan = std::make_unique<AllgatherPlan>(info().rank, info().worldSize, data);
  const AllgatherPlan& gathering = *plan;
  auto task = newTask(kAllgather, "an allgather", std::move(plan));
  run(task, deadlineNs);
  return gathering.result();
}

uint64_t World::allreduceMax(uint64_t value, int64_t deadlineNs) {
  return maximum(newTask(kMaximum, "a maximum", maximumOfAll(value)), deadlineNs);
}

void World::barrier(int64_t deadlineNs) { run(newTask(kBarrier, "a barrier", maximumOfAll(0)), deadlineNs); }

uint64_t World::maximumOverNodes(uint64_t value, uint32_t epoch, uint64_t sequence) {
  auto task = std::make_shared<MailTask>();
  task->channel = MailChannel::kGate;
  task->kind = kGate;
  task->what = "the sampling gate";
  task->epoch = epoch;
  task->sequence = sequence;
  task->plan = std::make_unique<MaximumPlan>(leaders_, static_cast<size_t>(info().node), value);
  return maximum(task, 0);
}

std::unique_ptr<MailPlan> World::maximumOfAll(uint64_t value) const {
  std::vector<int> ranks(static_cast<size_t>(info().worldSize));
  std::iota(ranks.begin(), ranks.end(), 0);
  return std::make_unique<MaximumPlan>(std::move(ranks), static_cast<size_t>(info().rank), value);
}

uint64_t World::maximum(const std::shared_ptr<MailTask>& task, int64_t deadlineNs) {
  run(task, deadlineNs);
  return static_cast<const MaximumPlan&>(*task->plan).maximum();
}

}  // namespace railrunner
