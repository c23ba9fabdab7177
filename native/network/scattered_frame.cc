#include "network/scattered_frame.h"

#include <algorithm>
#include <cstring>

namespace railrunner {

void ScatteredFrame::clear() {
  pieces_.clear();
  bytes_ = pieceOffset_ = 0;
  piece_ = 0;
}

void ScatteredFrame::add(const uint8_t* data, uint64_t bytes) {
  if (bytes == 0) return;
  bytes_ += bytes;
  if (!pieces_.empty() && pieces_.back().data + pieces_.back().bytes == data) {
    pieces_.back().bytes += bytes;
  } else {
    pieces_.push_back({data, bytes});
  }
}

uint64_t ScatteredFrame::take(uint64_t offset, uint8_t* target, uint64_t bytes) {
  if (offset < pieceOffset_) piece_ = pieceOffset_ = 0;
  uint64_t taken = 0;
  while (piece_ < pieces_.size()) {
    const Piece& piece = pieces_[piece_];
    const uint64_t inside = offset + taken - pieceOffset_;
    if (inside < piece.bytes) {
      if (taken == bytes) break;
      const uint64_t now = std::min(piece.bytes - inside, bytes - taken);
      std::memcpy(target + taken, piece.data + inside, now);
      taken += now;
    } else {
      pieceOffset_ += piece.bytes;
      ++piece_;
    }
  }
  return taken;
}

}  // namespace railrunner
