#include "world/world.h"

#include <cstring>

#include "core/wait.h"

namespace railrunner {

namespace {
enum Kind : uint32_t { kBroadcast = 1, kAllgather, kGather, kAlltoall, kMaximum, kBarrier, kGate };

Bytes toBytes(std::span<const uint8_t> data) { return {data.begin(), data.end()}; }
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

std::shared_ptr<MailTask> World::newTask(uint32_t kind, const char* what) {
  auto task = std::make_shared<MailTask>();
  task->kind = kind;
  task->what = what;
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
  words.awaitedPeer.store(-1, std::memory_order_relaxed);
  if (task->failure) std::rethrow_exception(task->failure);
}

Bytes World::broadcast(std::span<const uint8_t> data, int root, int64_t deadlineNs) {
  auto task = newTask(kBroadcast, "a broadcast");
  if (info().rank == root) {
    for (int peer = 0; peer < info().worldSize; ++peer) {
      if (peer != root) task->sends.emplace_back(peer, toBytes(data));
    }
  } else {
    task->sources.push_back(root);
  }
  run(task, deadlineNs);
  return info().rank == root ? toBytes(data) : std::move(task->received[0]);
}

std::vector<Bytes> World::alltoall(std::vector<Bytes> data, int64_t deadlineNs) {
  auto task = newTask(kAlltoall, "an alltoall");
  const int rank = info().rank;
  for (int peer = 0; peer < info().worldSize; ++peer) {
    if (peer == rank) continue;
    task->sends.emplace_back(peer, std::move(data[static_cast<size_t>(peer)]));
    task->sources.push_back(peer);
  }
  run(task, deadlineNs);
  std::vector<Bytes> result = std::move(task->received);
  result.insert(result.begin() + rank, std::move(data[static_cast<size_t>(rank)]));
  return result;
}

std::vector<Bytes> World::allgather(std::span<const uint8_t> data, int64_t deadlineNs) {
  auto task = newTask(kAllgather, "an allgather");
  const int rank = info().rank;
  for (int peer = 0; peer < info().worldSize; ++peer) {
    if (peer == rank) continue;
    task->sends.emplace_back(peer, toBytes(data));
    task->sources.push_back(peer);
  }
  run(task, deadlineNs);
  std::vector<Bytes> result = std::move(task->received);
  result.insert(result.begin() + rank, toBytes(data));
  return result;
}

std::vector<Bytes> World::gather(std::span<const uint8_t> data, int root, int64_t deadlineNs) {
  auto task = newTask(kGather, "a gather");
  const int rank = info().rank;
  if (rank != root) {
    task->sends.emplace_back(root, toBytes(data));
  } else {
    for (int peer = 0; peer < info().worldSize; ++peer) {
      if (peer != rank) task->sources.push_back(peer);
    }
  }
  run(task, deadlineNs);
  if (rank != root) return {};
  std::vector<Bytes> result = std::move(task->received);
  result.insert(result.begin() + rank, toBytes(data));
  return result;
}

uint64_t World::allreduceMax(uint64_t value, int64_t deadlineNs) {
  auto task = newTask(kMaximum, "a maximum");
  for (int rank = 0; rank < info().worldSize; ++rank) task->participants.push_back(rank);
  task->position = static_cast<size_t>(info().rank);
  task->maximum = value;
  run(task, deadlineNs);
  return task->maximum;
}

void World::barrier(int64_t deadlineNs) {
  auto task = newTask(kBarrier, "a barrier");
  for (int rank = 0; rank < info().worldSize; ++rank) task->participants.push_back(rank);
  task->position = static_cast<size_t>(info().rank);
  run(task, deadlineNs);
}

uint64_t World::maximumOverNodes(uint64_t value, uint32_t epoch, uint64_t sequence) {
  auto task = std::make_shared<MailTask>();
  task->channel = MailChannel::kGate;
  task->kind = kGate;
  task->what = "the sampling gate";
  task->epoch = epoch;
  task->sequence = sequence;
  task->participants = leaders_;
  task->position = static_cast<size_t>(info().node);
  task->maximum = value;
  run(task, 0);
  return task->maximum;
}

}  // namespace railrunner
