#include "transfer/row_plan.h"

#include <algorithm>

namespace railrunner {

namespace {

// Whether `next` is one row further than `last` is, seen from a piece that has its first two rows or one.
bool continues(const RowPiece& piece, const CopySpan& next, uint32_t maxBytes) {
  if (next.bytes != piece.rowBytes || piece.bytes() + next.bytes > maxBytes) return false;
  if (next.sourceOffset <= piece.source || next.targetOffset <= piece.target) return false;
  const uint64_t source = next.sourceOffset - piece.source;
  const uint64_t target = next.targetOffset - piece.target;
  if (piece.numRows == 1) return source <= UINT32_MAX && target <= UINT32_MAX;
  return source == uint64_t{piece.sourceStride} * piece.numRows &&
         target == uint64_t{piece.targetStride} * piece.numRows;
}

}  // namespace

std::vector<RowPiece> rowPieces(std::span<const CopySpan> spans, uint32_t maxBytes) {
  std::vector<RowPiece> pieces;
  for (const CopySpan& span : spans) {
    if (span.bytes == 0) continue;
    if (!pieces.empty() && continues(pieces.back(), span, maxBytes)) {
      RowPiece& piece = pieces.back();
      if (piece.numRows == 1) {
        piece.sourceStride = static_cast<uint32_t>(span.sourceOffset - piece.source);
        piece.targetStride = static_cast<uint32_t>(span.targetOffset - piece.target);
      }
      ++piece.numRows;
      continue;
    }
    for (uint64_t done = 0; done < span.bytes; done += maxBytes) {
      const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(maxBytes, span.bytes - done));
      pieces.push_back({span.sourceOffset + done, span.targetOffset + done, bytes, 1, 0, 0});
    }
  }
  return pieces;
}

}  // namespace railrunner
