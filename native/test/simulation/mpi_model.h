#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "test/simulation/scheduler.h"
#include "world/plugin/mpi_plugin.h"

// An MPI of many ranks in one process, behind the table of the plug-ins. It does what the standard allows: messages of one
// pair of ranks keep their order, those of different pairs overtake each other; a collective call ends on a rank when
// what the rank needs of the others has come, on each rank at another time; a call on a rank that is gone never ends, or
// fails (MPICH). What the standard forbids a program to do is a violation.
namespace railrunner::simulation {

// Faults of the transport that MPI rules out: planted, to see that the checkers find what would come of them.
enum class PlantedMessage : uint32_t { kNone, kLost, kTwice };

struct MpiOptions {
  std::vector<int> hostOfRank;
  int64_t latencyNs = 20 * kUs;  // at most, of a message
  bool failsForGone = false;     // sends to a rank that is gone fail after a while, as in MPICH
  PlantedMessage planted = PlantedMessage::kNone;
  uint64_t plantedAt = 0;  // which message of the mail, counted over all ranks
};

class MpiModel {
 public:
  static MpiModel& get();
  void begin(MpiOptions options);
  const MpiPlugin& table() const { return table_; }
  // Messages that a rank sent under a tag (1 heartbeats, 2 mail).
  uint64_t sentBy(int rank, int tag) const;

 private:
  enum class Kind {
    kDup,
    kBroadcast,
    kGather,
    kGatherv,
    kAllgather,
    kAllgatherv,
    kMaximum,
    kBarrier,
    kAlltoall,
    kSplit,
    kEnd
  };
  struct Part {  // of one rank in a collective call
    bool hasEntered = false;
    const void* data = nullptr;
    int64_t readyNs = -1;
    std::vector<uint8_t> sent;  // taken at the call: the program may not change it before the end
    void* all = nullptr;
    std::vector<int> counts, displacements, sendCounts, sendDisplacements;
  };
  struct Collective {
    Kind kind;
    int root = 0;
    size_t bytes = 0;
    std::vector<Part> parts;  // by member
  };
  struct Message {
    int64_t arrivesNs;
    int source;
    int tag;
    std::vector<uint8_t> bytes;
    uint64_t request;  // of the sender
  };
  struct Communicator {
    std::vector<int> members;
    std::vector<std::deque<Message>> inbox;  // by member
    std::map<std::pair<int, int>, int64_t> lastArrivalNs;
    std::vector<std::unique_ptr<Collective>> collectives;
    std::vector<size_t> numCalls;  // by member: of collectives
  };
  struct Request {
    enum State { kSending, kReceiving, kCollective } state = kSending;
    bool isTaken = false;  // the receiver has it
    int64_t doneNs = 0;
    void* target = nullptr;
    std::vector<uint8_t> bytes;
    int comm = 0;
    size_t index = 0;  // of the collective
  };
  struct Rank {
    std::map<int, uint64_t> requests;  // by the number that the program knows
    int nextRequest = 0;
    std::vector<uint64_t> sent = std::vector<uint64_t>(4);
  };

  static int rankCall(int comm, int* rank);
  static int sizeCall(int comm, int* size);
  static int dup(int comm, int* result, int* request);
  static int splitShared(int comm, int key, int* result);
  static int finalizeCall();
  static int isend(int comm, const void* data, int bytes, int peer, int tag, int* request);
  static int irecv(int comm, void* data, int bytes, int peer, int tag, int* request);
  static int iprobe(int comm, int peer, int* found, int* source, int* tag, int* bytes);
  static int test(int request, int* done);
  void fillTable();
  void fillSized();

  int member(int comm) const;
  Rank& self() { return ranks_[static_cast<size_t>(Scheduler::get().rank())]; }
  int newRequest(Request request, int* number);
  Part& enter(int comm, Kind kind, int root, size_t bytes, const void* data, size_t dataBytes, void* all,
              int* request);
  bool isReady(Communicator& comm, Collective& collective, int member);
  void finish(Communicator& comm, Collective& collective, int member);
  bool isDone(Request& request);
  void waitFor(int comm, Kind kind);
  void checkEmpty();

  MpiPlugin table_{};
  MpiOptions options_;
  std::vector<Communicator> comms_;
  std::map<int, int> commOfHost_;
  std::vector<int> numDups_;  // by rank
  std::vector<Rank> ranks_;
  std::map<uint64_t, Request> requests_;
  uint64_t numRequests_ = 0;
  uint64_t numMails_ = 0;
  bool wasChecked_ = false;
};

}  // namespace railrunner::simulation
