#pragma once

#include <memory>
#include <vector>

#include "core/clock.h"
#include "test/support/simulated_mpi.h"
#include "world/heartbeat.h"
#include "world/mail_plan.h"
#include "world/mailbox.h"

namespace railrunner::test {

// The mailboxes of a whole world over one simulated MPI, and exchanges of them from the first message to the last.
class SimulatedMail {
 public:
  explicit SimulatedMail(int worldSize, LinkModel model = {})
      : mpi(worldSize, model), calls_(mpi.table()), controls_(static_cast<size_t>(worldSize)) {
    for (int rank = 0; rank < worldSize; ++rank)
      boxes_.push_back(std::make_unique<Mailbox>(calls_, 0, worldSize, controls_[static_cast<size_t>(rank)]));
  }

  int worldSize() const { return static_cast<int>(boxes_.size()); }

  // Every rank begins its plan at one time; ends when nothing is on its way any more. Returns the tasks by rank.
  std::vector<MailTaskPointer> exchange(const std::function<std::unique_ptr<MailPlan>(int rank)>& planOf) {
    std::vector<MailTaskPointer> tasks;
    ++sequence_;
    for (int rank = 0; rank < worldSize(); ++rank) {
      auto task = std::make_shared<MailTask>();
      task->kind = 1;
      task->epoch = 1;
      task->sequence = sequence_;
      task->what = "a simulated exchange";
      task->plan = planOf(rank);
      tasks.push_back(task);
      mpi.run(rank, 0);
      boxes_[static_cast<size_t>(rank)]->submit(task);
      boxes_[static_cast<size_t>(rank)]->progress();
    }
    int64_t timeNs = 0;
    int rank = 0;
    while (mpi.nextEvent(timeNs, rank)) {
      mpi.run(rank, timeNs);
      boxes_[static_cast<size_t>(rank)]->progress();
    }
    return tasks;
  }

  SimulatedMpi mpi;

 private:
  Mpi calls_;
  std::vector<RunControl> controls_;
  std::vector<std::unique_ptr<Mailbox>> boxes_;
  uint64_t sequence_ = 0;
};

// The heartbeats of a whole world.
class SimulatedHeartbeats {
 public:
  explicit SimulatedHeartbeats(int worldSize, LinkModel model = {})
      : mpi(worldSize, model),
        calls_(mpi.table()),
        controls_(static_cast<size_t>(worldSize)),
        nowNs_(nowNs()) {
    const std::vector<int64_t> silenceNs(static_cast<size_t>(worldSize), 5'000'000'000);
    for (int rank = 0; rank < worldSize; ++rank) {
      beats.push_back(
          std::make_unique<Heartbeat>(calls_, 0, rank, silenceNs, controls_[static_cast<size_t>(rank)]));
    }
  }

  // Lets every rank that is not gone look at its messages each `stepNs`, for so long.
  void pass(int64_t durationNs, int64_t stepNs = 50'000'000) {
    for (const int64_t endNs = nowNs_ + durationNs; nowNs_ < endNs;) {
      nowNs_ += stepNs;
      for (int rank = 0; rank < static_cast<int>(beats.size()); ++rank) {
        if (mpi.isGone[static_cast<size_t>(rank)] != 0) continue;
        mpi.run(rank, nowNs_);
        beats[static_cast<size_t>(rank)]->progress(nowNs_);
      }
    }
  }

  SimulatedMpi mpi;
  std::vector<std::unique_ptr<Heartbeat>> beats;

 private:
  Mpi calls_;
  std::vector<RunControl> controls_;
  int64_t nowNs_;
};

}  // namespace railrunner::test
