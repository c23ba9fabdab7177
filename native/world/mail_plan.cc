#include "world/mail_plan.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace railrunner {

namespace {

// MPI counts the bytes of a message in an int; 4 KiB of it for headers.
constexpr uint64_t kMostBytes = INT32_MAX - 4096;

Error unreadable(int source, const char* what, const std::string& why) {
  return Error(ErrorCode::kWorldLost, "rank " + std::to_string(source) + " sent a message of " + what +
                                          " that cannot be read: " + why);
}

}  // namespace

MailPlan::Round MaximumPlan::begin(uint32_t round) {
  const size_t count = participants_.size();
  const size_t distance = size_t{1} << round;
  if (distance >= count) return {true, {}, {}};
  Bytes value(sizeof maximum_);
  std::memcpy(value.data(), &maximum_, sizeof maximum_);
  source_ = participants_[(position_ + count - distance) % count];
  Round result;
  result.sends.emplace_back(participants_[(position_ + distance) % count], std::move(value));
  result.sources.push_back(source_);
  return result;
}

void MaximumPlan::end(uint32_t, std::vector<Bytes> received) {
  uint64_t value = 0;
  if (received[0].size() != sizeof value) {
    throw unreadable(source_, "a maximum",
                     "expected 8 bytes, received " + std::to_string(received[0].size()));
  }
  std::memcpy(&value, received[0].data(), sizeof value);
  maximum_ = std::max(maximum_, value);
}

AllgatherPlan::AllgatherPlan(int rank, int worldSize, std::span<const uint8_t> data)
    : rank_(rank), worldSize_(worldSize) {
  if (data.size() > kMostBytes) {
    throw Error(ErrorCode::kArgument, "an allgather of " + std::to_string(data.size()) +
                                          " bytes per rank; expected at most " + std::to_string(kMostBytes) +
                                          ". Send it in parts.");
  }
  const auto bytes = static_cast<uint32_t>(data.size());
  held_.resize(sizeof bytes + data.size());
  std::memcpy(held_.data(), &bytes, sizeof bytes);
  if (!data.empty()) std::memcpy(held_.data() + sizeof bytes, data.data(), data.size());
}

int AllgatherPlan::countOf(uint32_t round) const {
  if (isDirect()) return round == 0 && worldSize_ > 1 ? 1 : 0;
  const int64_t distance = int64_t{1} << round;
  return static_cast<int>(std::clamp<int64_t>(worldSize_ - distance, 0, distance));
}

MailPlan::Round AllgatherPlan::begin(uint32_t round) {
  const int count = countOf(round);
  if (count == 0) return {true, {}, {}};
  Round result;
  if (isDirect()) {
    for (int peer = 0; peer < worldSize_; ++peer) {
      if (peer == rank_) continue;
      result.sends.emplace_back(peer, held_);
      result.sources.push_back(peer);
    }
    return result;
  }
  // Held are the blocks of this rank and of those before it; the rank `distance` behind lacks the first `count`.
  // In the direction of a maximum, so that ranks in different calls meet and notice.
  const int distance = 1 << round;
  const auto end = held_.begin() + static_cast<ptrdiff_t>(endOf(count));
  result.sends.emplace_back((rank_ + distance) % worldSize_, Bytes(held_.begin(), end));
  result.sources.push_back((rank_ + worldSize_ - distance) % worldSize_);
  return result;
}

void AllgatherPlan::end(uint32_t round, std::vector<Bytes> received) {
  if (!isDirect()) {
    append(received[0], countOf(round), (rank_ + worldSize_ - (1 << round)) % worldSize_);
    return;
  }
  for (size_t i = 0; i < received.size(); ++i) {
    const int index = static_cast<int>(i);
    append(received[i], 1, index < rank_ ? index : index + 1);
  }
}

// Where the first `count` records that are held end.
size_t AllgatherPlan::endOf(int count) const {
  size_t end = 0;
  for (int i = 0; i < count; ++i) end += sizeof(uint32_t) + bytesAt(end);
  return end;
}

uint32_t AllgatherPlan::bytesAt(size_t begin) const {
  uint32_t bytes = 0;
  std::memcpy(&bytes, held_.data() + begin, sizeof bytes);
  return bytes;
}

// A message of `count` records: checked, and held behind the others.
void AllgatherPlan::append(const Bytes& message, int count, int source) {
  size_t at = 0;
  for (int i = 0; i < count; ++i) {
    uint32_t bytes = 0;
    const size_t left = message.size() - at;
    if (left >= sizeof bytes) std::memcpy(&bytes, message.data() + at, sizeof bytes);
    if (left < sizeof bytes || left - sizeof bytes < bytes) {
      throw unreadable(source, "an allgather",
                       "record " + std::to_string(i) + " of " + std::to_string(count) + " does not fit its " +
                           std::to_string(message.size()) + " bytes");
    }
    at += sizeof bytes + bytes;
  }
  if (at != message.size()) {
    throw unreadable(source, "an allgather",
                     std::to_string(message.size() - at) + " bytes are left behind its " +
                         std::to_string(count) + " records");
  }
  held_.reserve(held_.size() + message.size());
  held_.insert(held_.end(), message.begin(), message.end());
}

std::vector<Bytes> AllgatherPlan::result() const {
  std::vector<Bytes> all(static_cast<size_t>(worldSize_));
  size_t at = 0;
  for (int i = 0; i < worldSize_; ++i) {
    const uint32_t bytes = bytesAt(at);
    const auto from = held_.begin() + static_cast<ptrdiff_t>(at + sizeof bytes);
    all[static_cast<size_t>(rankOf(i))] = Bytes(from, from + bytes);
    at += sizeof bytes + bytes;
  }
  return all;
}

// Whose record is the i-th of those held: first the own, then in order of arrival.
int AllgatherPlan::rankOf(int i) const {
  if (!isDirect()) return (rank_ + worldSize_ - i) % worldSize_;
  if (i == 0) return rank_;
  return i <= rank_ ? i - 1 : i;
}

}  // namespace railrunner
