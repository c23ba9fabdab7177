#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

namespace railrunner {

// Which peers can no longer be reached, and why. Written by whichever thread learns it, read by all. A lost
// connection fails the point, not the run: a link may come back, and a rank that is dead ends the run by its
// heartbeats.
class PeerBoard {
 public:
  PeerBoard(uint32_t rank, uint32_t worldSize) : rank_(rank), lost_(worldSize), reasons_(worldSize) {}

  // The first reason stays. Ignored once connections are being closed on purpose.
  void markLost(uint32_t peer, const std::string& reason) {
    if (closing_.load(std::memory_order_relaxed)) return;
    std::lock_guard<std::mutex> hold(mutex_);
    if (lost_[peer].load(std::memory_order_relaxed) != 0) return;
    reasons_[peer] = reason;
    lost_[peer].store(1, std::memory_order_release);
    anyLost_.store(true, std::memory_order_release);
  }
  void setClosing() { closing_.store(true, std::memory_order_relaxed); }

  bool isLost(uint32_t peer) const { return lost_[peer].load(std::memory_order_acquire) != 0; }

  void throwIfLost(uint32_t peer) const {
    if (!isLost(peer)) return;
    std::lock_guard<std::mutex> hold(mutex_);
    throw Error(ErrorCode::kNetwork, "network: rank " + std::to_string(rank_) +
                                         " lost its connection to rank " + std::to_string(peer) + ": " +
                                         reasons_[peer] +
                                         ". Look at that rank's log and at the link between the two hosts.");
  }
  // For sends that wait: nobody will free space any more.
  void throwIfClosing(uint32_t peer) const {
    if (!closing_.load(std::memory_order_relaxed)) return;
    throw Error(ErrorCode::kState, "network: rank " + std::to_string(rank_) +
                                       " closed its connections while it still had to send to rank " +
                                       std::to_string(peer) + ". Close after the last signal has been sent.");
  }
  void throwIfAnyLost() const {
    if (!anyLost_.load(std::memory_order_acquire)) return;
    for (uint32_t peer = 0; peer < lost_.size(); ++peer) throwIfLost(peer);
  }

 private:
  const uint32_t rank_;
  std::atomic<bool> closing_{false};
  std::atomic<bool> anyLost_{false};
  std::vector<std::atomic<uint8_t>> lost_;
  mutable std::mutex mutex_;
  std::vector<std::string> reasons_;
};

}  // namespace railrunner
