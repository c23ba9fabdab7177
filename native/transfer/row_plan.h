#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/copy_plan.h"

namespace railrunner {

// Rows of equal length that lie at equal distances on both sides: the heads that a rank gives away of each token of a
// page. Numbers of one piece, so that many bytes are in flight however short a row is.
struct RowPiece {
  uint64_t source = 0;  // of the first row: an offset, or an address once a base was added
  uint64_t target = 0;
  uint32_t rowBytes = 0;
  uint32_t numRows = 0;
  uint32_t sourceStride = 0;  // from row to row; 0 with one row
  uint32_t targetStride = 0;
  uint64_t bytes() const { return uint64_t{rowBytes} * numRows; }
  bool operator==(const RowPiece&) const = default;
};

// The same bytes as `spans`, in their order, in pieces of at most maxBytes. Empty spans vanish.
std::vector<RowPiece> rowPieces(std::span<const CopySpan> spans, uint32_t maxBytes);

}  // namespace railrunner
