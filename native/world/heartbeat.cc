#include "world/heartbeat.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/clock.h"
#include "world/heartbeat_tree.h"

namespace railrunner {

namespace {
constexpr uint32_t kMagic = 0x52524842;  // "RRHB"
constexpr int kTag = 1;
// This rank itself was held up for so long (stopped, swapped out, suspended with its job): what it did not
// hear meanwhile says nothing about the others.
constexpr int64_t kOwnStallNs = 1'000'000'000;
}  // namespace

Heartbeat::Heartbeat(const Mpi& mpi, int comm, int rank, std::vector<int64_t> silenceNs, RunControl& control)
    : mpi_(mpi),
      comm_(comm),
      rank_(rank),
      silenceNs_(std::move(silenceNs)),
      control_(control),
      lastProgressNs_(nowNs()),
      known_(silenceNs_.size()) {
  for (Known& known : known_) known.heardNs = lastProgressNs_;
  for (const int peer : HeartbeatTree::neighboursOf(rank, static_cast<int>(known_.size())))
    outgoing_.push_back({peer, -1, {}});
}

void Heartbeat::setPlace(const std::string& stage, int64_t point) {
  std::lock_guard lock(mutex_);
  place_.stage.fill('\0');
  std::memcpy(place_.stage.data(), stage.data(), std::min(stage.size(), place_.stage.size() - 1));
  place_.point = point;
}

Heartbeat::Place Heartbeat::ownPlace() const {
  Place place = place_;
  place.rank = rank_;
  place.iteration = control_.iteration.load(std::memory_order_relaxed);
  place.awaitedPeer = control_.awaitedPeer.load(std::memory_order_relaxed);
  return place;
}

std::vector<RankLiveness> Heartbeat::liveness() const {
  std::lock_guard lock(mutex_);
  const int64_t timeNs = nowNs();
  std::vector<RankLiveness> result;
  for (int rank = 0; rank < static_cast<int>(known_.size()); ++rank) {
    if (rank_ != 0 && rank != 0 && rank != rank_) continue;
    const Known& known = known_[static_cast<size_t>(rank)];
    const bool own = rank == rank_;
    const Place place = own ? ownPlace() : known.place;
    result.push_back({rank, place.stage.data(), place.point, place.iteration, place.awaitedPeer,
                      own ? 0.0 : static_cast<double>(timeNs - known.heardNs) * 1e-6});
  }
  return result;
}

bool Heartbeat::progress(int64_t timeNs) {
  if (timeNs - lastProgressNs_ > kOwnStallNs) {
    std::lock_guard lock(mutex_);
    for (Known& known : known_) known.heardNs = timeNs;
  }
  lastProgressNs_ = timeNs;
  const bool moved = receive(timeNs);
  if (sending_ && timeNs >= nextSendNs_) {
    nextSendNs_ = timeNs + kPeriodNs;
    // Judged first: the others hear of a death before this rank acts on it, which may be its own end.
    judge(timeNs);
    send(timeNs);
  }
  return moved;
}

bool Heartbeat::receive(int64_t timeNs) {
  for (int found = 1; found != 0;) {
    int source = 0;
    int tag = 0;
    int bytes = 0;
    mpi_.check(mpi_.calls.iprobe(comm_, kMpiAnySource, &found, &source, &tag, &bytes),
               "MPI_Iprobe (heartbeat)");
    if (found == 0) break;
    Transfer& transfer = incoming_.emplace_back();
    transfer.peer = source;
    transfer.message.resize(static_cast<size_t>(bytes));
    mpi_.check(mpi_.calls.irecv(comm_, transfer.message.data(), bytes, source, tag, &transfer.request),
               "MPI_Irecv (heartbeat)");
  }
  bool moved = false;
  for (auto it = incoming_.begin(); it != incoming_.end();) {
    if (!mpi_.test(it->request, "heartbeat")) {
      ++it;
      continue;
    }
    take(*it, timeNs);
    it = incoming_.erase(it);
    moved = true;
  }
  return moved;
}

void Heartbeat::take(const Transfer& transfer, int64_t timeNs) {
  const int worldSize = static_cast<int>(known_.size());
  Head head;
  const size_t bytes = transfer.message.size();
  if (bytes >= sizeof head) std::memcpy(&head, transfer.message.data(), sizeof head);
  const bool isWhole = head.magic == kMagic && head.count > 0 && head.count <= worldSize &&
                       bytes == sizeof head + static_cast<size_t>(head.count) * sizeof(Place);
  if (!isWhole) {
    throw Error(ErrorCode::kWorldLost,
                "rank " + std::to_string(transfer.peer) + " sent a heartbeat of " + std::to_string(bytes) +
                    " bytes that says to hold " + std::to_string(head.count) + " places; expected 1 to " +
                    std::to_string(worldSize) + " of " + std::to_string(sizeof(Place)) + " bytes");
  }
  // A death on another node is heard of by a neighbour there, and told on to everybody.
  if (head.deadRank >= 0 && head.deadRank < worldSize && head.deadRank != rank_) noteDead(head.deadRank);
  std::lock_guard lock(mutex_);
  known_[static_cast<size_t>(transfer.peer)].heardNs = timeNs;
  for (int32_t i = 0; i < head.count; ++i) {
    Place place;
    std::memcpy(&place, transfer.message.data() + sizeof head + static_cast<size_t>(i) * sizeof place,
                sizeof place);
    takePlace(place, transfer.peer, timeNs);
  }
}

void Heartbeat::takePlace(Place place, int source, int64_t timeNs) {
  const int worldSize = static_cast<int>(known_.size());
  if (place.rank < 0 || place.rank >= worldSize || place.rank == rank_) return;
  // From the parent comes the place of rank 0, from a child those of its part of the tree.
  const bool isExpected = source < rank_ ? place.rank == 0 : HeartbeatTree::isBelow(place.rank, source);
  if (!isExpected) return;
  place.stage.back() = '\0';
  if (place.awaitedPeer < -1 || place.awaitedPeer >= worldSize) place.awaitedPeer = -1;
  const int64_t heardNs = timeNs - std::max<int64_t>(place.ageNs, 0);
  Known& known = known_[static_cast<size_t>(place.rank)];
  known.place = place;
  if (place.rank != source) known.heardNs = heardNs;
}

std::vector<uint8_t> Heartbeat::messageTo(int peer, int64_t timeNs) const {
  std::vector<Place> places;
  const auto add = [&](int rank) {
    const Known& known = known_[static_cast<size_t>(rank)];
    places.push_back(rank == rank_ ? ownPlace() : known.place);
    places.back().rank = rank;
    places.back().ageNs = rank == rank_ ? 0 : timeNs - known.heardNs;
  };
  if (peer > rank_) {
    add(0);
  } else {
    const auto worldSize = static_cast<int>(known_.size());
    for (int rank = rank_; rank < worldSize; ++rank) {
      if (HeartbeatTree::isBelow(rank, rank_)) add(rank);
    }
  }
  const Head head{kMagic, deadRank(), static_cast<int32_t>(places.size()), 0};
  std::vector<uint8_t> message(sizeof head + places.size() * sizeof(Place));
  std::memcpy(message.data(), &head, sizeof head);
  std::memcpy(message.data() + sizeof head, places.data(), places.size() * sizeof(Place));
  return message;
}

void Heartbeat::send(int64_t timeNs) {
  for (Transfer& entry : outgoing_) {
    if (entry.request >= 0) {
      if (!mpi_.test(entry.request, "heartbeat")) continue;
      entry.request = -1;
    }
    {
      std::lock_guard lock(mutex_);
      entry.message = messageTo(entry.peer, timeNs);
    }
    mpi_.check(mpi_.calls.isend(comm_, entry.message.data(), static_cast<int>(entry.message.size()),
                                entry.peer, kTag, &entry.request),
               "MPI_Issend (heartbeat)");
  }
}

void Heartbeat::judge(int64_t timeNs) {
  if (deadRank_ >= 0) return;
  std::lock_guard lock(mutex_);
  for (const Transfer& entry : outgoing_) {
    const auto peer = static_cast<size_t>(entry.peer);
    if (timeNs - known_[peer].heardNs > silenceNs_[peer]) {
      isSilent_ = true;
      noteDead(entry.peer);
      return;
    }
  }
}

void Heartbeat::noteDead(int rank) {
  int none = -1;
  deadRank_.compare_exchange_strong(none, rank);
}

std::string Heartbeat::deathText() const {
  const int dead = deadRank();
  if (!isSilent_ || dead < 0) return "";
  return ": nothing heard for " + std::to_string(silenceNs_[static_cast<size_t>(dead)] / 1'000'000) + " ms";
}

bool Heartbeat::isQuiet() {
  bool quiet = incoming_.empty();
  for (Transfer& entry : outgoing_) {
    if (entry.request >= 0 && mpi_.test(entry.request, "heartbeat")) entry.request = -1;
    quiet = quiet && entry.request < 0;
  }
  return quiet;
}

}  // namespace railrunner
