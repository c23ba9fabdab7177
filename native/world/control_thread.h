#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "world/collective_operation.h"
#include "world/heartbeat.h"
#include "world/mailbox.h"
#include "world/mpi.h"
#include "world/node_block.h"
#include "world/topology.h"

namespace railrunner {

struct WorldOptions {
  std::string pluginPath;
  int ranksPerNode = 0;  // 0 = nodes are hosts
  int64_t timeoutNs = 0;
  // Silence after which a rank counts as dead: TCP takes 6 s to come back from an outage of 3 s between hosts.
  int64_t peerTimeoutNs = 5'000'000'000;  // on this host
  int64_t remotePeerTimeoutNs = 15'000'000'000;
};

// The one thread that calls MPI, init and finalize included. It never waits inside MPI: it issues
// non-blocking calls, tests them and backs off, which gives every wait a deadline and lets more ranks than
// cores make progress.
//
// Detached: a thread stuck in MPI is left behind by _exit, never joined.
class ControlThread : public std::enable_shared_from_this<ControlThread> {
 public:
  using Opened = std::function<void(std::exception_ptr failure)>;

  ControlThread(WorldOptions options, RunControl& control)
      : options_(std::move(options)), control_(control) {}

  // Starts the thread, forms the world, and calls `opened` from it.
  void start(Opened opened);

  // All of these may be called from any thread.
  void submit(OperationPointer operation);
  void submit(MailTaskPointer task);
  void sendFailure();
  void finalize(int64_t deadlineNs, Opened done);
  void abort(int status);

  // Good after `opened` without failure; never change afterwards.
  const WorldInfo& info() const { return info_; }
  NodeBlock& nodeBlock() { return *nodeBlock_; }
  Heartbeat& heartbeat() { return *heartbeat_; }
  RunControl& control() { return control_; }
  // The epoch of the worker threads' exchanges; advanced by renewal, on all ranks or on none.
  uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  // Runs `change` on the control thread with the new epoch once a renewal is agreed.
  void setEpoch(uint32_t epoch);

 private:
  using Command = std::function<void()>;

  void run(const Opened& opened);
  void open();
  void findHost();
  int countHostCores(const std::vector<int>& leaders, int leader);
  void exchangeNodeBlocks();
  int duplicate(const char* what);
  void wait(int request, const char* what);
  void push(Command command);
  void loop();
  bool takeCommands();
  void endCommands();
  bool stepOperation();
  bool step(int64_t timeNs);
  void checkDead();
  void lose(std::exception_ptr failure);
  void beatOn(int64_t timeNs);
  void endWaits();
  void pause(bool moved, int64_t timeNs);
  bool stepFinalize();

  const WorldOptions options_;
  RunControl& control_;
  int64_t openDeadlineNs_ = 0;
  std::unique_ptr<Mpi> mpi_;
  WorldInfo info_;
  int controlComm_ = -1;
  std::unique_ptr<NodeBlock> nodeBlock_;
  std::vector<int> hostLeaders_;  // by rank: the lowest rank of its host
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<Mailbox> mailbox_;
  std::atomic<uint32_t> epoch_{1};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Command> commands_;
  bool isOver_ = false;  // under mutex_: commands are answered by their sender

  std::deque<OperationPointer> operations_;  // the first one is in flight
  int request_ = CollectiveOperation::kOver;
  bool issued_ = false;
  std::exception_ptr lost_;
  std::vector<OperationPointer> lostOperations_;
  bool isBeatLost_ = false;
  int64_t movedNs_ = 0;

  // Taking the world down: all ranks meet, stop sending, take what is in flight, meet again, MPI_Finalize.
  enum class Finalizing { kNo, kDrain, kMeet };
  Finalizing finalizing_ = Finalizing::kNo;
  int64_t finalizeDeadlineNs_ = 0;
  Opened finalized_;
  bool isFinalized_ = false;
};

}  // namespace railrunner
