#include "world/heartbeat.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/clock.h"

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
  const int worldSize = static_cast<int>(known_.size());
  for (Known& known : known_) known.heardNs = lastProgressNs_;
  for (int peer = 0; peer < worldSize; ++peer) {
    if (peer != rank && (rank == 0 || peer == 0)) outgoing_.push_back({peer, -1, {}});
  }
}

void Heartbeat::setPlace(const std::string& stage, int64_t point) {
  std::lock_guard lock(mutex_);
  place_.stage.fill('\0');
  std::memcpy(place_.stage.data(), stage.data(), std::min(stage.size(), place_.stage.size() - 1));
  place_.point = point;
}

Heartbeat::Beat Heartbeat::currentBeat() const {
  Beat beat = place_;
  beat.magic = kMagic;
  beat.iteration = control_.iteration.load(std::memory_order_relaxed);
  beat.awaitedPeer = control_.awaitedPeer.load(std::memory_order_relaxed);
  beat.deadRank = deadRank();
  return beat;
}

std::vector<RankLiveness> Heartbeat::liveness() const {
  std::lock_guard lock(mutex_);
  const int64_t timeNs = nowNs();
  std::vector<RankLiveness> result;
  for (int rank = 0; rank < static_cast<int>(known_.size()); ++rank) {
    if (rank_ != 0 && rank != 0 && rank != rank_) continue;
    const Known& known = known_[static_cast<size_t>(rank)];
    const bool own = rank == rank_;
    const Beat beat = own ? currentBeat() : known.beat;
    result.push_back({rank, beat.stage.data(), beat.point, beat.iteration, beat.awaitedPeer,
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
    send();
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
    if (bytes != static_cast<int>(sizeof(Beat))) {
      throw Error(ErrorCode::kWorldLost, "rank " + std::to_string(source) + " sent a heartbeat of " +
                                             std::to_string(bytes) + " bytes; expected " +
                                             std::to_string(sizeof(Beat)));
    }
    Transfer& transfer = incoming_.emplace_back();
    transfer.peer = source;
    mpi_.check(mpi_.calls.irecv(comm_, &transfer.beat, bytes, source, tag, &transfer.request),
               "MPI_Irecv (heartbeat)");
  }
  bool moved = false;
  for (auto it = incoming_.begin(); it != incoming_.end();) {
    if (!mpi_.test(it->request, "heartbeat")) {
      ++it;
      continue;
    }
    take(it->peer, it->beat, timeNs);
    it = incoming_.erase(it);
    moved = true;
  }
  return moved;
}

void Heartbeat::take(int source, Beat beat, int64_t timeNs) {
  if (beat.magic != kMagic) return;
  const int worldSize = static_cast<int>(known_.size());
  beat.stage.back() = '\0';
  if (beat.awaitedPeer < -1 || beat.awaitedPeer >= worldSize) beat.awaitedPeer = -1;
  // Rank 0 hears of the deaths on other nodes, and tells everybody.
  if (beat.deadRank >= 0 && beat.deadRank < worldSize && beat.deadRank != rank_) noteDead(beat.deadRank);
  std::lock_guard lock(mutex_);
  known_[static_cast<size_t>(source)] = {beat, timeNs};
}

void Heartbeat::send() {
  Beat beat;
  {
    std::lock_guard lock(mutex_);
    beat = currentBeat();
  }
  for (Transfer& entry : outgoing_) {
    if (entry.request >= 0) {
      if (!mpi_.test(entry.request, "heartbeat")) continue;
      entry.request = -1;
    }
    entry.beat = beat;
    mpi_.check(mpi_.calls.isend(comm_, &entry.beat, sizeof entry.beat, entry.peer, kTag, &entry.request),
               "MPI_Issend (heartbeat)");
  }
}

void Heartbeat::judge(int64_t timeNs) {
  if (deadRank_ >= 0) return;
  std::lock_guard lock(mutex_);
  for (int rank = 0; rank < static_cast<int>(known_.size()); ++rank) {
    const bool heardOf = rank != rank_ && (rank_ == 0 || rank == 0);
    if (heardOf &&
        timeNs - known_[static_cast<size_t>(rank)].heardNs > silenceNs_[static_cast<size_t>(rank)]) {
      isSilent_ = true;
      noteDead(rank);
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
