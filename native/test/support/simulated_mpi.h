#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <queue>
#include <utility>
#include <vector>

#include "world/mpi.h"

// An MPI of many ranks inside one process and one thread, for code of the control plane that takes an Mpi: messages are
// delivered after a simulated time. Its driver says which rank runs (`run`), in the order of `nextEvent`.
namespace railrunner::test {

struct LinkModel {
  int64_t latencyNs = 2'000;
  int64_t sendNs = 500;     // CPU time of the sender per message
  int64_t receiveNs = 500;  // and of the receiver
  double bytesPerNs = 10;   // copies and wire alike
};

class SimulatedMpi {
 public:
  struct Counts {
    uint64_t messages = 0;
    uint64_t bytes = 0;
  };

  explicit SimulatedMpi(int worldSize, LinkModel model = {})
      : model_(model),
        clockNs(static_cast<size_t>(worldSize)),
        sent(static_cast<size_t>(worldSize)),
        received(static_cast<size_t>(worldSize)),
        isGone(static_cast<size_t>(worldSize)),
        inbox_(static_cast<size_t>(worldSize)) {
    current_ = this;
    table_.isend = &SimulatedMpi::isend;
    table_.irecv = &SimulatedMpi::irecv;
    table_.iprobe = &SimulatedMpi::iprobe;
    table_.test = &SimulatedMpi::testRequest;
    table_.errorText = [](int, char* text, int) { text[0] = '\0'; };
  }
  ~SimulatedMpi() { current_ = nullptr; }
  SimulatedMpi(const SimulatedMpi&) = delete;
  SimulatedMpi& operator=(const SimulatedMpi&) = delete;

  const MpiPlugin& table() const { return table_; }
  // The calls that follow are made by `rank`, not before `timeNs`.
  void run(int rank, int64_t timeNs) {
    rank_ = static_cast<size_t>(rank);
    clockNs[rank_] = std::max(clockNs[rank_], timeNs);
  }
  // The next arrival of a message: when and at which rank. False where nothing is on its way.
  bool nextEvent(int64_t& timeNs, int& rank) {
    if (events_.empty()) return false;
    timeNs = events_.top().first;
    rank = events_.top().second;
    events_.pop();
    return true;
  }

 private:
  struct Message {
    int64_t arrivesNs;
    int source;
    int request;
    std::vector<uint8_t> bytes;
  };

  LinkModel model_;

 public:
  std::vector<int64_t> clockNs;    // by rank
  std::vector<Counts> sent;        // by rank
  std::vector<uint64_t> received;  // messages, by rank
  std::vector<uint8_t> isGone;     // by rank: takes nothing, sends nothing

 private:
  static int isend(int, const void* data, int bytes, int peer, int, int* request) {
    SimulatedMpi& mpi = *current_;
    const auto cost = static_cast<int64_t>(bytes / mpi.model_.bytesPerNs);
    *request = mpi.newRequest(false);
    mpi.clockNs[mpi.rank_] += mpi.model_.sendNs + cost;
    mpi.sent[mpi.rank_].messages += 1;
    mpi.sent[mpi.rank_].bytes += static_cast<uint64_t>(bytes);
    const auto* begin = static_cast<const uint8_t*>(data);
    const int64_t arrivesNs = mpi.clockNs[mpi.rank_] + mpi.model_.latencyNs;
    mpi.inbox_[static_cast<size_t>(peer)].push_back(
        {arrivesNs, static_cast<int>(mpi.rank_), *request, {begin, begin + bytes}});
    mpi.events_.emplace(arrivesNs, peer);
    return 0;
  }
  static int iprobe(int, int, int* found, int* source, int* tag, int* bytes) {
    SimulatedMpi& mpi = *current_;
    const std::deque<Message>& inbox = mpi.inbox_[mpi.rank_];
    *found = 0;
    for (const Message& message : inbox) {
      if (message.arrivesNs > mpi.clockNs[mpi.rank_]) continue;
      *found = 1;
      *source = message.source;
      *tag = 0;
      *bytes = static_cast<int>(message.bytes.size());
      break;
    }
    return 0;
  }
  static int irecv(int, void* data, int bytes, int source, int, int* request) {
    SimulatedMpi& mpi = *current_;
    std::deque<Message>& inbox = mpi.inbox_[mpi.rank_];
    for (auto it = inbox.begin(); it != inbox.end(); ++it) {
      if (it->source != source || it->arrivesNs > mpi.clockNs[mpi.rank_]) continue;
      std::memcpy(data, it->bytes.data(), static_cast<size_t>(bytes));
      mpi.clockNs[mpi.rank_] += mpi.model_.receiveNs + static_cast<int64_t>(bytes / mpi.model_.bytesPerNs);
      mpi.requests_[static_cast<size_t>(it->request)] = 1;
      mpi.received[mpi.rank_] += 1;
      *request = mpi.newRequest(true);
      inbox.erase(it);
      return 0;
    }
    return 1;
  }
  static int testRequest(int request, int* done) {
    SimulatedMpi& mpi = *current_;
    *done = mpi.requests_[static_cast<size_t>(request)];
    if (*done != 0) mpi.free_.push_back(request);
    return 0;
  }
  int newRequest(bool isDone) {
    if (free_.empty()) {
      requests_.push_back(isDone ? 1 : 0);
      return static_cast<int>(requests_.size()) - 1;
    }
    const int request = free_.back();
    free_.pop_back();
    requests_[static_cast<size_t>(request)] = isDone ? 1 : 0;
    return request;
  }

  using Event = std::pair<int64_t, int>;
  inline static SimulatedMpi* current_ = nullptr;
  MpiPlugin table_{};
  size_t rank_ = 0;
  std::vector<std::deque<Message>> inbox_;  // by rank
  std::vector<uint8_t> requests_;
  std::vector<int> free_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace railrunner::test
