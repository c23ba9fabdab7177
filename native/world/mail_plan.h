#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"

namespace railrunner {

using Bytes = std::vector<uint8_t>;

// What an exchange of messages between ranks sends and awaits, round by round. Carried out by the mailbox, on the control
// thread; results are read once the exchange is over.
class MailPlan {
 public:
  struct Round {
    bool isOver = false;  // there is no such round: the exchange is whole
    std::vector<std::pair<int, Bytes>> sends;
    std::vector<int> sources;
  };

  virtual ~MailPlan() = default;
  // What this rank sends and awaits in that round. Asked for in order, each once.
  virtual Round begin(uint32_t round) = 0;
  // What came, by index of the round's sources. Throws kWorldLost where a peer sent what this exchange cannot hold.
  virtual void end(uint32_t round, std::vector<Bytes> received) = 0;
};

// The maximum over `participants`, in rounds of doubling distance (Hensgen, Finkel, Manber: dissemination): ceil(log2 n)
// messages per rank, for any number of them, because a maximum does not mind hearing a value twice. A barrier is the
// maximum of nothing.
class MaximumPlan : public MailPlan {
 public:
  // `position`: this rank's place among the participants.
  MaximumPlan(std::vector<int> participants, size_t position, uint64_t value)
      : participants_(std::move(participants)), position_(position), maximum_(value) {}
  Round begin(uint32_t round) override;
  void end(uint32_t round, std::vector<Bytes> received) override;
  uint64_t maximum() const { return maximum_; }

 private:
  std::vector<int> participants_;
  size_t position_;
  uint64_t maximum_;
  int source_ = -1;
};

// Every rank's bytes to every rank. Up to kDirectRanks ranks each tells each other: one round, and who is awaited is who
// is missing. Above, blocks travel in rounds of doubling distance (Bruck et al. 1997): ceil(log2 n) messages per rank,
// and a rank may be awaited because it waits for another.
class AllgatherPlan : public MailPlan {
 public:
  static constexpr int kDirectRanks = 16;

  AllgatherPlan(int rank, int worldSize, std::span<const uint8_t> data);
  Round begin(uint32_t round) override;
  void end(uint32_t round, std::vector<Bytes> received) override;
  // By rank.
  std::vector<Bytes> result() const;

 private:
  bool isDirect() const { return worldSize_ <= kDirectRanks; }
  // Ranks whose blocks a round moves; 0 where there is no such round.
  int countOf(uint32_t round) const;
  void append(const Bytes& message, int count, int source);
  size_t endOf(int count) const;
  uint32_t bytesAt(size_t begin) const;
  int rankOf(int i) const;

  int rank_;
  int worldSize_;
  Bytes held_;  // records of a length (4 bytes) and the bytes, in the order of rankOf
};

}  // namespace railrunner
