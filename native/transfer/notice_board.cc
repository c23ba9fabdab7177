#include "transfer/notice_board.h"

#include <algorithm>
#include <atomic>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/error.h"

namespace railrunner {

namespace {

std::atomic_ref<uint64_t> wordAt(std::byte* base, uint64_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(base + offset));
}

std::vector<uint8_t> sharersOf(const std::vector<uint8_t>& overNetwork) {
  std::vector<uint8_t> shares;
  for (const uint8_t over : overNetwork) shares.push_back(over == 0 ? 1 : 0);
  return shares;
}

}  // namespace

NoticeBoard::NoticeBoard(Exchange& exchange, RunControl& control, const std::vector<uint8_t>& overNetwork,
                         int64_t deadlineNs)
    : rank_(exchange.rank()), overNetwork_(overNetwork), device_(openDevice(DeviceKind::kHost, 0)) {
  const bool mine = std::ranges::any_of(overNetwork, [](uint8_t over) { return over != 0; });
  const auto all = Agreement(exchange, "asking who is reached over the network", deadlineNs).run([&] {
    if (overNetwork.size() != exchange.worldSize() || overNetwork[exchange.rank()] != 0) {
      throw Error(ErrorCode::kArgument, "overNetwork: expected an entry for each rank, 0 for the own");
    }
    return std::vector<uint8_t>{static_cast<uint8_t>(mine)};
  });
  const bool anyone =
      std::ranges::any_of(all, [](const auto& one) { return one == std::vector<uint8_t>{1}; });
  const uint64_t bytes = uint64_t{kNotices} * exchange.worldSize() * 64;
  words_ = SymmetricBuffer::open(exchange, *device_, bytes, sharersOf(overNetwork), deadlineNs);
  if (!anyone) return;
  const std::exception_ptr failure = attempt([&] {
    NetworkOptions options;
    options.usesNetwork = overNetwork;
    options.numSlots = kNotices + 1;
    options.deadlineNs = deadlineNs;
    network_ = Network::open(exchange, control, options);
    region_ = network_->registerMemory(exchange, words_->local(), bytes, DeviceKind::kHost, deadlineNs);
  });
  if (!failure) return;
  static_cast<void>(attempt([&] { close(nullptr, 0); }));
  std::rethrow_exception(failure);
}

void NoticeBoard::post(Notice notice, uint32_t peer, uint64_t epoch) {
  const uint64_t at = offset(notice, rank_);
  if (isOverNetwork(peer)) {
    network_->signal({peer, slotOf(notice), epoch, region_, at, epoch});
  } else {
    wordAt(words_->bases()[peer], at).store(epoch, std::memory_order_release);
  }
}

bool NoticeBoard::has(Notice notice, uint32_t peer, uint64_t epoch) const {
  return wordAt(words_->local(), offset(notice, peer)).load(std::memory_order_acquire) >= epoch;
}

void NoticeBoard::postFailed(uint64_t epoch) noexcept {
  for (uint32_t peer = 0; peer < overNetwork_.size(); ++peer) {
    if (peer != rank_) static_cast<void>(attempt([&] { post(Notice::kFailed, peer, epoch); }));
  }
}

void NoticeBoard::requireAll(uint64_t epoch) const {
  for (uint32_t peer = 0; peer < overNetwork_.size(); ++peer) {
    if (has(Notice::kFailed, peer, epoch)) {
      throw Error(ErrorCode::kAborted, "stopped waiting for rank " + std::to_string(peer) +
                                           ": it failed in this transfer and says why itself");
    }
  }
  if (network_) network_->throwIfPeerLost();
}

uint32_t NoticeBoard::registerTarget(Exchange& exchange, void* base, uint64_t bytes, DeviceKind kind,
                                     int64_t deadlineNs) {
  if (!network_) throw Error(ErrorCode::kState, "no rank of this transfer is reached over the network");
  return network_->registerMemory(exchange, base, bytes, kind, deadlineNs, RegionSizes::kAny);
}

void NoticeBoard::close(Exchange* exchange, int64_t deadlineNs) {
  const std::exception_ptr failure = attempt([&] {
    if (network_) network_->close(exchange, deadlineNs);
  });
  network_.reset();
  if (words_) words_->close(exchange, deadlineNs);
  words_.reset();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
