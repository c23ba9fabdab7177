#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace railrunner {

// A message whose parts lie in several places of memory, in their order.
class ScatteredFrame {
 public:
  // So that add() of as many pieces does not allocate.
  void reserve(size_t pieces) { pieces_.reserve(pieces); }
  void clear();
  // Where it lies right behind the last part, that one grows.
  void add(const uint8_t* data, uint64_t bytes);
  uint64_t bytes() const { return bytes_; }
  size_t numPieces() const { return pieces_.size(); }
  // Copies up to `bytes` from `offset` on; returns how many, less only at the end. Quick for one range behind the other.
  uint64_t take(uint64_t offset, uint8_t* target, uint64_t bytes);

 private:
  struct Piece {
    const uint8_t* data = nullptr;
    uint64_t bytes = 0;
  };
  std::vector<Piece> pieces_;
  uint64_t bytes_ = 0;
  // Where the last take() ended.
  size_t piece_ = 0;
  uint64_t pieceOffset_ = 0;  // of that piece, in the message
};

}  // namespace railrunner
