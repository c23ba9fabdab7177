#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "world/mpi.h"

namespace railrunner {

// What is known of a rank from its heartbeats.
struct RankLiveness {
  int rank = 0;
  std::string stage;
  int64_t point = -1;
  int64_t iteration = -1;
  int32_t awaitedPeer = -1;
  double ageMs = 0;  // of the newest beat
};

// Small messages on a communicator of their own, along a tree (heartbeat_tree.h): every rank tells its parent where it and
// the ranks below it are, so rank 0 knows of all; every parent tells its children that it lives and where rank 0 is.
// Neighbours judge each other by their silence, and news of a death travels in both directions. Beats are sent by the control
// thread, so they go on while the main thread or the worker thread hangs, and stop when the process does.
//
// setPlace, liveness and deadRank may be called from any thread, all else from the control thread.
class Heartbeat {
 public:
  static constexpr int64_t kPeriodNs = 150'000'000;

  // `silenceNs`: by rank, the silence after which it counts as dead.
  Heartbeat(const Mpi& mpi, int comm, int rank, std::vector<int64_t> silenceNs, RunControl& control);

  void setPlace(const std::string& stage, int64_t point);
  std::vector<RankLiveness> liveness() const;

  // Receives what is there, sends what is due. True when a message moved.
  bool progress(int64_t timeNs);
  // The first rank whose beats have stopped for the time-out or whose process is gone, -1 while all live.
  int deadRank() const { return deadRank_.load(std::memory_order_relaxed); }
  // The process of `rank` was seen to be gone: as if its beats had stopped, at once. The first death stays.
  void noteDead(int rank);
  // What is known of the death in this rank, as the end of a sentence.
  std::string deathText() const;
  // No more beats are sent, and silence is no longer death: the world is being taken down.
  void stopSending() { sending_ = false; }
  // True when every beat that was sent has been taken by its receiver.
  bool isQuiet();

 private:
  // A message: the head, then `count` places.
  struct Head {
    uint32_t magic = 0;
    int32_t deadRank = -1;
    int32_t count = 0;
    int32_t reserved = 0;
  };
  struct Place {
    int32_t rank = 0;
    int32_t awaitedPeer = -1;
    int64_t point = -1;
    int64_t iteration = -1;
    int64_t ageNs = 0;  // since that rank said so
    std::array<char, 28> stage{};
    int32_t reserved = 0;
  };
  struct Transfer {
    int peer = 0;
    int request = -1;
    std::vector<uint8_t> message;
  };
  struct Known {
    Place place;
    int64_t heardNs = 0;
  };

  bool receive(int64_t timeNs);
  void take(const Transfer& transfer, int64_t timeNs);
  void takePlace(Place place, int source, int64_t timeNs);
  void send(int64_t timeNs);
  std::vector<uint8_t> messageTo(int peer, int64_t timeNs) const;
  void judge(int64_t timeNs);
  Place ownPlace() const;

  const Mpi& mpi_;
  const int comm_;
  const int rank_;
  const std::vector<int64_t> silenceNs_;
  RunControl& control_;
  bool sending_ = true;
  std::atomic<int> deadRank_{-1};
  std::atomic<bool> isSilent_{false};  // this rank found the death by silence
  int64_t nextSendNs_ = 0;
  int64_t lastProgressNs_;
  std::vector<Transfer>
      outgoing_;  // one per neighbour; one that has not taken the last beat gets no further one
  std::list<Transfer> incoming_;  // address-stable while MPI writes
  mutable std::mutex mutex_;      // guards place_ and known_
  Place place_;
  std::vector<Known> known_;  // by rank: rank 0, the neighbours and the ranks below are heard of
};

}  // namespace railrunner
