#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "core/run_control.h"
#include "world/mail_plan.h"
#include "world/mpi.h"

namespace railrunner {

enum class MailChannel : uint32_t { kCollective = 0, kGate = 1, kFailure = 2 };

// An exchange of messages between ranks, asked for by a native thread and carried out by the control thread.
// Messages carry epoch and sequence, so an exchange can be given up at any time: what it left in flight is
// taken and thrown away, and can never be mistaken for a later one.
struct MailTask {
  enum State : uint32_t { kPending, kDone, kFailed };

  MailChannel channel = MailChannel::kCollective;
  uint32_t kind = 0;  // which collective: two ranks in different ones is an error, not a wrong result
  uint32_t epoch = 0;
  uint64_t sequence = 0;
  const char* what = "";
  std::unique_ptr<MailPlan> plan;
  uint32_t round = 0;
  bool isOver = false;
  std::vector<int> sources;     // of this round
  std::vector<Bytes> received;  // by index of sources

  std::atomic<uint32_t> state{kPending};  // released by the control thread after everything above is final
  std::atomic<int32_t> awaitedRank{-1};   // whose message is missing
  std::atomic<bool> abandoned{false};     // the caller has left
  std::exception_ptr failure;
};

using MailTaskPointer = std::shared_ptr<MailTask>;

// The control thread's side of the worker threads' exchanges.
class Mailbox {
 public:
  Mailbox(const Mpi& mpi, int comm, int worldSize, RunControl& control)
      : mpi_(mpi), comm_(comm), worldSize_(worldSize), control_(control) {}

  void submit(MailTaskPointer task);
  // Tells all other ranks that this one has failed in `epoch`: their exchanges of it end.
  void sendFailure(uint32_t epoch, int ownRank);
  // Messages and exchanges of earlier epochs end.
  void setEpoch(uint32_t epoch);
  // Receives, matches and completes. True when anything moved.
  bool progress();
  bool hasTasks() const { return !tasks_.empty(); }
  // True when everything sent has been taken by its receiver.
  bool isQuiet() const { return sending_.empty() && receiving_.empty(); }
  void failAll(const std::exception_ptr& failure);
  // Of a message with that payload. Throws kArgument where MPI cannot count them.
  static int messageBytes(uint64_t payloadBytes);

 private:
  struct Header {
    uint32_t magic = 0;
    uint32_t channel = 0;
    uint32_t kind = 0;
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    uint32_t round = 0;
    uint32_t reserved = 0;
  };
  struct Transfer {
    int request = -1;
    int peer = 0;
    Bytes message;
  };
  struct Mail {
    uint32_t kind = 0;
    Bytes payload;
  };
  // channel, epoch, sequence, round, source
  using Key = std::tuple<uint32_t, uint32_t, uint64_t, uint32_t, int>;

  void send(int peer, const Header& header, const Bytes& payload);
  void startRound(MailTask& task);
  bool receive();
  void deliver(int source, Bytes message);
  bool advance(MailTask& task);
  bool takeMail(MailTask& task);
  void abortWhereAPeerFailed();

  const Mpi& mpi_;
  const int comm_;
  const int worldSize_;
  RunControl& control_;
  uint32_t epoch_ = 1;
  std::list<Transfer> sending_;
  std::list<Transfer> receiving_;
  std::map<Key, Mail> store_;
  std::map<uint32_t, int> failedRankOfEpoch_;
  std::vector<MailTaskPointer> tasks_;
};

}  // namespace railrunner
