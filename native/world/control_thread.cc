#include "world/control_thread.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/clock.h"
#include "core/threads.h"
#include "world/plugin_loader.h"

namespace railrunner {

namespace {
// Nothing moved for so long: naps instead of yields. Naps grow with the silence, so that an idle rank burns
// no core and a wait is lengthened by an eighth at most.
constexpr int64_t kEagerNs = 200'000;
constexpr int64_t kShortestNapNs = 50'000;
constexpr int64_t kLongestNapBusyNs = 1'000'000;
constexpr int64_t kLongestNapIdleNs = 10'000'000;
}  // namespace

void ControlThread::start(Opened opened) {
  startDetached("the control thread",
                [self = shared_from_this(), opened = std::move(opened)] { self->run(opened); });
}

void ControlThread::run(const Opened& opened) {
  try {
    open();
  } catch (...) {
    lost_ = std::current_exception();
  }
  opened(lost_);
  if (!lost_) loop();
}

void ControlThread::push(Command command) {
  {
    std::lock_guard lock(mutex_);
    if (!isOver_) {
      commands_.push_back(std::move(command));
      wake_.notify_one();
      return;
    }
  }
  command();  // nobody takes commands any more; with lost_ set it only answers
}

void ControlThread::submit(OperationPointer operation) {
  push([this, shared = std::make_shared<OperationPointer>(std::move(operation))] {
    if (lost_) {
      (*shared)->finish(lost_);
    } else {
      operations_.push_back(std::move(*shared));
    }
  });
}

void ControlThread::submit(MailTaskPointer task) {
  push([this, task = std::move(task)] {
    if (lost_) {
      task->failure = lost_;
      task->state.store(MailTask::kFailed, std::memory_order_release);
    } else {
      mailbox_->submit(task);
    }
  });
}

void ControlThread::sendFailure() {
  push([this, failedEpoch = epoch()] {
    if (!lost_) mailbox_->sendFailure(failedEpoch, info_.rank);
  });
}

void ControlThread::setEpoch(uint32_t epoch) {
  epoch_.store(epoch, std::memory_order_release);
  mailbox_->setEpoch(epoch);
}

void ControlThread::abort(int status) {
  push([this, status] {
    if (mpi_ && !isFinalized_) mpi_->calls.abort(status);
    _exit(status);
  });
}

void ControlThread::finalize(int64_t deadlineNs, Opened done) {
  auto finish = [this, deadlineNs, done = std::move(done)](std::exception_ptr failure, std::vector<Bytes>) {
    if (failure) {
      done(failure);
      return;
    }
    heartbeat_->stopSending();
    finalizing_ = Finalizing::kDrain;
    finalizeDeadlineNs_ = deadlineNs;
    finalized_ = done;
  };
  submit(makeBarrier(deadlineNs, std::move(finish)));
}

void ControlThread::loop() {
  while (!isFinalized_) {
    const int64_t timeNs = nowNs();
    bool moved = false;
    try {
      moved = takeCommands();
      if (!lost_) moved = step(timeNs) || moved;
    } catch (...) {
      lose(std::current_exception());
    }
    if (lost_ && !isFinalized_) beatOn(timeNs);
    pause(moved, timeNs);
  }
  endCommands();
}

// One at a time: a command may throw, and those behind it are still to be answered.
bool ControlThread::takeCommands() {
  bool taken = false;
  for (;;) {
    Command command;
    {
      std::lock_guard lock(mutex_);
      if (commands_.empty()) return taken;
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    taken = true;
    command();
  }
}

// The world is down: what is asked of it now, or was in flight, is answered with lost_.
void ControlThread::endCommands() {
  for (OperationPointer& operation : operations_) operation->finish(lost_);
  operations_.clear();
  mailbox_->failAll(lost_);
  std::deque<Command> left;
  {
    std::lock_guard lock(mutex_);
    isOver_ = true;
    left.swap(commands_);
  }
  for (const Command& command : left) command();
}

bool ControlThread::step(int64_t timeNs) {
  bool moved = stepOperation();
  moved = mailbox_->progress() || moved;
  heartbeat_->progress(timeNs);
  if (finalizing_ != Finalizing::kNo) return stepFinalize() || moved;
  checkDead();
  return moved;
}

bool ControlThread::stepOperation() {
  if (operations_.empty()) return false;
  CollectiveOperation& operation = *operations_.front();
  const bool arrived = issued_ && mpi_->test(request_, operation.name());
  if (issued_ && !arrived) {
    if (nowNs() > operation.deadlineNs()) {
      throw Error(ErrorCode::kTimeout, std::string("the ranks did not all come to a ") + operation.name() +
                                           " of the control plane before its deadline");
    }
    return false;
  }
  issued_ = false;
  std::exception_ptr refusal;
  try {
    request_ = operation.next(*mpi_, controlComm_);
    issued_ = request_ != CollectiveOperation::kOver;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kWorldLost) throw;
    refusal = std::current_exception();
  }
  if (!issued_) {
    OperationPointer over = std::move(operations_.front());
    operations_.pop_front();
    over->finish(refusal);
  }
  return true;
}

void ControlThread::checkDead() {
  const int dead = heartbeat_->deadRank();
  if (dead < 0) return;
  throw Error(ErrorCode::kPeerDead, "rank " + std::to_string(dead) + " ended or stopped answering" +
                                        heartbeat_->deathText() +
                                        ". Look at that rank's own output and at its host.");
}

// The failure reaches everything that is waiting, and everything asked for later gets kWorldLost with the
// same words.
void ControlThread::lose(std::exception_ptr failure) {
  std::string reason = "unknown reason";
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    reason = error.what();
  }
  lost_ = std::make_exception_ptr(Error(ErrorCode::kWorldLost, "the control plane cannot go on: " + reason));
  for (OperationPointer& operation : operations_) {
    operation->finish(failure);
    // MPI may still write into the buffers of the one that is in flight: they stay for as long as the
    // process.
    lostOperations_.push_back(std::move(operation));
  }
  operations_.clear();
  mailbox_->failAll(failure);
  endWaits();
  if (finalized_) finalized_(failure);
}

// Waits that no exchange ends (spins on a peer's memory, on the network) end by the abort word, long before
// the stage's deadline. An own deadline's word stays.
void ControlThread::endWaits() {
  uint32_t none = 0;
  control_.abort.compare_exchange_strong(none, static_cast<uint32_t>(AbortReason::kWorldLost));
}

// In a lost world heartbeats go on as far as MPI allows: rank 0 names the missing rank by them, and tells the
// others. The abort word is set again and again: a stage that begins now clears it before it has heard.
void ControlThread::beatOn(int64_t timeNs) {
  endWaits();
  if (!heartbeat_ || isBeatLost_) return;
  try {
    heartbeat_->progress(timeNs);
  } catch (const Error&) {
    isBeatLost_ = true;
  }
}

bool ControlThread::stepFinalize() {
  if (nowNs() > finalizeDeadlineNs_) {
    throw Error(ErrorCode::kTimeout, "messages were still in flight when the world was to be taken down");
  }
  if (finalizing_ == Finalizing::kDrain) {
    if (!heartbeat_->isQuiet() || !mailbox_->isQuiet()) return false;
    mpi_->check(mpi_->calls.ibarrier(controlComm_, &request_), "MPI_Ibarrier");
    finalizing_ = Finalizing::kMeet;
    return true;
  }
  // Until all have met, beats and messages of the others are still taken by step().
  if (!mpi_->test(request_, "MPI_Ibarrier")) return false;
  mpi_->check(mpi_->calls.finalize(), "MPI_Finalize");
  lost_ = std::make_exception_ptr(
      Error(ErrorCode::kState, "the world is finalized: no call of it is possible any more"));
  isFinalized_ = true;
  finalized_(nullptr);
  return true;
}

void ControlThread::pause(bool moved, int64_t timeNs) {
  if (moved) {
    movedNs_ = timeNs;
    return;
  }
  const int64_t quietNs = timeNs - movedNs_;
  if (quietNs < kEagerNs) {
    sched_yield();
    return;
  }
  const bool isBusy =
      !operations_.empty() || finalizing_ != Finalizing::kNo || (mailbox_ && mailbox_->hasTasks());
  const int64_t napNs =
      std::clamp(quietNs / 8, kShortestNapNs, isBusy ? kLongestNapBusyNs : kLongestNapIdleNs);
  std::unique_lock lock(mutex_);
  if (commands_.empty()) wake_.wait_for(lock, std::chrono::nanoseconds(napNs));
}

}  // namespace railrunner
