#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "world/control_thread.h"

namespace railrunner {

// The ranks of this run. Two planes, which never meet on a communicator:
//
// Control plane (start*): asked for by the main thread, answered by a completion on the control thread. Every
// rank takes part in every one of them, whatever became of its work; one that passes its deadline loses the
// world.
//
// Exchanges (allgather, maximum, barrier, the sampling gate): blocking, for the one worker thread of each rank.
// It may be given up: an aborted or failed rank leaves at once, and after renew() on the control plane all
// ranks begin a new epoch in which nothing of the old one is heard.
class World {
 public:
  using Opened = std::function<void(std::exception_ptr failure, std::shared_ptr<World> world)>;

  // Collective. Calls `opened` on the control thread. `control` must outlive the process's last wait.
  static void open(WorldOptions options, RunControl& control, Opened opened);

  const WorldInfo& info() const { return thread_->info(); }
  RunControl& control() { return thread_->control(); }
  NodeBlock& nodeBlock() { return thread_->nodeBlock(); }
  uint32_t epoch() const { return thread_->epoch(); }

  void startBroadcast(Bytes data, int root, int64_t deadlineNs, Completion done);
  void startAllgather(Bytes data, int64_t deadlineNs, Completion done);
  void startGather(Bytes data, int root, int64_t deadlineNs, Completion done);
  void startAlltoall(std::vector<Bytes> data, int64_t deadlineNs, Completion done);
  void startBarrier(int64_t deadlineNs, Completion done);
  // Begins a new epoch of the worker threads' exchanges. No worker thread may be inside one of these calls.
  void startRenew(int64_t deadlineNs, ControlThread::Opened done);
  void startFinalize(int64_t deadlineNs, ControlThread::Opened done);
  void abort(int status) { thread_->abort(status); }

  void report(const std::string& stage, int64_t point) { thread_->heartbeat().setPlace(stage, point); }
  std::vector<RankLiveness> liveness() const { return thread_->heartbeat().liveness(); }
  // The rank whose heartbeats stopped, or whose process ended, and so this world, -1 while there is none. Known on every rank.
  int deadRank() const { return thread_->heartbeat().deadRank(); }
  // The process of `rank` is gone: the world ends as if its heartbeats had stopped.
  void noteDead(int rank) { thread_->heartbeat().noteDead(rank); }

  // Exchanges. deadlineNs as in core/wait.h (0: the stage's abort ends it). Throw kAborted when this rank is
  // told to stop waiting or another has failed, kTimeout, kState when ranks are in different calls,
  // kWorldLost, kPeerDead.
  std::vector<Bytes> allgather(std::span<const uint8_t> data, int64_t deadlineNs);
  uint64_t allreduceMax(uint64_t value, int64_t deadlineNs);
  void barrier(int64_t deadlineNs);
  // The maximum over one rank of each node (its local rank 0), for the sampling gate. Ordered by `sequence`
  // alone.
  uint64_t maximumOverNodes(uint64_t value, uint32_t epoch, uint64_t sequence);
  // Tells all ranks that this one comes to no further call of this epoch; they leave theirs.
  void failEpoch() { thread_->sendFailure(); }

 private:
  explicit World(std::shared_ptr<ControlThread> thread) : thread_(std::move(thread)) {}

  std::shared_ptr<MailTask> newTask(uint32_t kind, const char* what, std::unique_ptr<MailPlan> plan);
  std::unique_ptr<MailPlan> maximumOfAll(uint64_t value) const;
  uint64_t maximum(const std::shared_ptr<MailTask>& task, int64_t deadlineNs);
  void run(const std::shared_ptr<MailTask>& task, int64_t deadlineNs);

  std::shared_ptr<ControlThread> thread_;
  std::vector<int> leaders_;  // local rank 0 of every node, by node
  uint32_t sequenceEpoch_ = 0;
  uint64_t sequence_ = 0;  // of the worker thread's collectives in this epoch
};

}  // namespace railrunner
