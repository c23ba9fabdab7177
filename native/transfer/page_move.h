#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/injected_fault.h"
#include "kv/copy_plan.h"
#include "transfer/physical_layout.h"

// Which bytes one transfer moves between two layouts that may differ in page size, heads, order and kind.
namespace railrunner {

// Heads [begin, end), counted over the model.
struct HeadSpan {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// Page sourcePages[i] goes to page targetPages[i], heads and layers given. Pages are numbered block x pagesPerBlock +
// place in the block.
struct PageMove {
  std::vector<uint32_t> sourcePages;
  std::vector<uint32_t> targetPages;
  uint32_t layerBegin = 0;
  uint32_t layerEnd = 0;
  std::vector<HeadSpan> heads;  // by group; begin = end: nothing of it
};

// Before any memory is touched: layouts hold the same groups, pages, heads of the same size and model; lists of equal
// length, not empty, in range, of one section in pairs, no target twice, no page that is source and target of one
// layout; layer range; heads that both sides hold; at least one byte. Throws kBlockIds naming what is wrong, kArgument
// for layouts that do not fit.
void validateMove(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move);

// The two are the same blocks, or meet in a page that both write, or that one writes and the other reads.
void validateDisjointMoves(const PhysicalLayout& target, const PageMove& one, const PageMove& other);

// Runs are joined where they are contiguous on both sides, and cut at maxSpanBytes (0: never). Offsets count from the
// first byte of either layout. One batch. `fault`: a wrong split, a lost or a truncated piece is planted in the middle.
CopyPlan compileMove(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move,
                     uint64_t maxSpanBytes, std::optional<FaultKind> fault = std::nullopt);

// Block, layer, outer index, head and token of a byte of a layout, for messages; '' for padding.
std::string placeOf(const BlockLayout& layout, uint64_t offset);

}  // namespace railrunner
