#include "transfer/page_move.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kBlockIds, message); }

std::string groupName(const BlockLayout& layout, size_t group) {
  return layout.groups.size() > 1 ? "group " + std::to_string(group) + ": " : "";
}

// What both sides must have in common; all else may differ.
void requireCompatible(const BlockLayout& source, const BlockLayout& target) {
  const auto differ = [](const std::string& what, uint64_t ofSource, uint64_t ofTarget) {
    throw Error(ErrorCode::kArgument, "layouts do not fit: " + what + " " + std::to_string(ofSource) +
                                          " in the source, " + std::to_string(ofTarget) + " in the target");
  };
  if (source.pages.pageTokens == 0 || target.pages.pageTokens == 0)
    throw Error(ErrorCode::kArgument, "layouts do not fit: both must tell the tokens of a page");
  if (source.pages.pageTokens != target.pages.pageTokens)
    differ("tokens of a page:", source.pages.pageTokens, target.pages.pageTokens);
  if (source.groups.size() != target.groups.size())
    differ("groups:", source.groups.size(), target.groups.size());
  for (size_t i = 0; i < source.groups.size(); ++i) {
    const GroupLayout& from = source.groups[i];
    const GroupLayout& to = target.groups[i];
    const std::string name = groupName(source, i);
    if (from.layers != to.layers) differ(name + "layers:", from.layers.size(), to.layers.size());
    if (from.section != to.section) differ(name + "section", from.section, to.section);
    if (from.numOuters != to.numOuters) differ(name + "outer indices:", from.numOuters, to.numOuters);
    if (from.heads.totalHeads != to.heads.totalHeads)
      differ(name + "heads of the model:", from.heads.totalHeads, to.heads.totalHeads);
    for (uint32_t outer = 0; outer < from.numOuters; ++outer) {
      if (from.outers[outer].headBytes == to.outers[outer].headBytes) continue;
      differ(name + "bytes of a head and token:", from.outers[outer].headBytes, to.outers[outer].headBytes);
    }
  }
}

uint32_t blockOf(const BlockLayout& layout, uint32_t page) { return page / layout.pages.pagesPerBlock; }

size_t sectionIndex(const BlockLayout& layout, uint32_t page) {
  return static_cast<size_t>(&layout.sectionOf(blockOf(layout, page)) - layout.sections.data());
}

void requireInRange(const std::vector<uint32_t>& pages, const BlockLayout& layout, const char* side) {
  for (size_t i = 0; i < pages.size(); ++i) {
    if (pages[i] < layout.numPages()) continue;
    refuse(std::string(side) + " page " + std::to_string(pages[i]) + " (entry " + std::to_string(i) +
           "): the layout has pages 0 to " + std::to_string(layout.numPages() - 1));
  }
}

void requirePairs(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move) {
  if (move.sourcePages.size() != move.targetPages.size()) {
    refuse("pages: " + std::to_string(move.sourcePages.size()) + " sources for " +
           std::to_string(move.targetPages.size()) + " targets; expected one target for each source");
  }
  if (move.sourcePages.empty()) refuse("pages: expected at least one, received none");
  requireInRange(move.sourcePages, source.blocks, "source");
  requireInRange(move.targetPages, target.blocks, "target");
  std::vector<uint8_t> seen(target.blocks.numPages(), 0);
  for (const uint32_t page : move.targetPages) {
    if (seen[page]++ != 0)
      refuse("target page " + std::to_string(page) + " appears twice; each target is written once");
  }
  for (size_t i = 0; i < move.sourcePages.size(); ++i) {
    const uint32_t from = move.sourcePages[i];
    if (source.handle == target.handle && seen[from] != 0)
      refuse("page " + std::to_string(from) + " is source and target of one transfer");
    if (sectionIndex(source.blocks, from) == sectionIndex(target.blocks, move.targetPages[i])) continue;
    refuse("source page " + std::to_string(from) + " and target page " + std::to_string(move.targetPages[i]) +
           " (entry " + std::to_string(i) + ") hold different groups of layers");
  }
}

void requireHeads(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move) {
  if (move.heads.size() != source.blocks.groups.size()) {
    refuse("heads: expected a range for each of " + std::to_string(source.blocks.groups.size()) +
           " groups, received " + std::to_string(move.heads.size()));
  }
  for (size_t i = 0; i < move.heads.size(); ++i) {
    const HeadSpan& span = move.heads[i];
    for (const auto& [side, layout] : {std::pair{"source", &source}, std::pair{"target", &target}}) {
      const HeadRange& held = layout->blocks.groups[i].heads;
      if (span.begin == span.end ||
          (span.begin < span.end && span.begin >= held.firstHead && span.end <= held.endHead()))
        continue;
      refuse(groupName(source.blocks, i) + "heads [" + std::to_string(span.begin) + ", " +
             std::to_string(span.end) + "): the " + side + " holds [" + std::to_string(held.firstHead) +
             ", " + std::to_string(held.endHead()) + ")");
    }
  }
}

// Collects runs and counts their bytes.
class Spans {
 public:
  Spans(CopyPlan& plan, uint64_t maxSpanBytes)
      : plan_(plan), limit_(maxSpanBytes == 0 ? UINT64_MAX : maxSpanBytes) {}

  void add(uint64_t from, uint64_t to, uint64_t bytes) {
    plan_.payloadBytes += bytes;
    addRun(plan_.spans, 0, {from, to, bytes}, limit_);
  }

 private:
  CopyPlan& plan_;
  uint64_t limit_;
};

// The heads [begin, end) of one page in one region, on both sides. Written once per group, added for every region.
struct Piece {
  uint64_t from;
  uint64_t to;
  uint64_t bytes;
};

class MoveCompiler {
 public:
  MoveCompiler(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move)
      : source_(source.blocks), target_(target.blocks), move_(move) {}

  CopyPlan compile(uint64_t maxSpanBytes) {
    CopyPlan plan;
    Spans spans(plan, maxSpanBytes);
    for (uint32_t group = 0; group < source_.groups.size(); ++group) addGroup(group, spans, plan);
    plan.batchEnds = {static_cast<uint32_t>(plan.spans.size())};
    return plan;
  }

 private:
  void addGroup(uint32_t index, Spans& spans, CopyPlan& plan) {
    const HeadSpan& heads = move_.heads[index];
    const LayerSpan layers = source_.groups[index].span(move_.layerBegin, move_.layerEnd);
    if (heads.begin == heads.end || layers.size() == 0) return;
    makePieces(index, heads);
    // Walked as the source lies in memory, so that runs join.
    if (source_.kind == LayoutKind::kFullyContiguous) {
      for (size_t entry = 0; entry < move_.sourcePages.size(); ++entry) {
        for (uint32_t position = layers.begin; position < layers.end; ++position)
          addOuters(entry, index, position, spans, plan);
      }
      return;
    }
    for (uint32_t position = layers.begin; position < layers.end; ++position) {
      if (source_.blockDim == BlockDim::kFirst) {
        for (size_t entry = 0; entry < move_.sourcePages.size(); ++entry)
          addOuters(entry, index, position, spans, plan);
        continue;
      }
      for (uint32_t outer = 0; outer < source_.groups[index].numOuters; ++outer) {
        for (size_t entry = 0; entry < move_.sourcePages.size(); ++entry)
          addRegion(entry, {index, position, outer}, spans, plan);
      }
    }
  }

  struct Place {
    uint32_t group, position, outer;
  };

  void addOuters(size_t entry, uint32_t group, uint32_t position, Spans& spans, CopyPlan& plan) const {
    for (uint32_t outer = 0; outer < source_.groups[group].numOuters; ++outer)
      addRegion(entry, {group, position, outer}, spans, plan);
  }

  void addRegion(size_t entry, Place at, Spans& spans, CopyPlan& plan) const {
    const uint32_t fromPages = source_.pages.pagesPerBlock;
    const uint32_t toPages = target_.pages.pagesPerBlock;
    const uint32_t fromPage = move_.sourcePages[entry];
    const uint32_t toPage = move_.targetPages[entry];
    if (sectionIndex(source_, fromPage) != source_.groups[at.group].section) return;
    const uint64_t from = source_.offset(fromPage / fromPages, at.group, at.position, at.outer);
    const uint64_t to = target_.offset(toPage / toPages, at.group, at.position, at.outer);
    ++plan.numRegions;
    for (const Piece& piece : pieces_[at.outer][fromPage % fromPages * toPages + toPage % toPages])
      spans.add(from + piece.from, to + piece.to, piece.bytes);
  }

  // By outer index and (place of the page in the source's block, in the target's).
  void makePieces(uint32_t index, const HeadSpan& heads) {
    pieces_.assign(source_.groups[index].numOuters, {});
    for (uint32_t outer = 0; outer < pieces_.size(); ++outer) {
      for (uint32_t from = 0; from < source_.pages.pagesPerBlock; ++from) {
        for (uint32_t to = 0; to < target_.pages.pagesPerBlock; ++to)
          pieces_[outer].push_back(piecesOf(index, outer, heads, {from, to}));
      }
    }
  }

  std::vector<Piece> piecesOf(uint32_t index, uint32_t outer, const HeadSpan& heads,
                              std::pair<uint32_t, uint32_t> places) const {
    const GroupLayout& from = source_.groups[index];
    const GroupLayout& to = target_.groups[index];
    const uint64_t bytes = from.outers[outer].headBytes;
    CopyPlan joined;
    Spans spans(joined, 0);
    const auto add = [&](uint32_t head, uint32_t token) {
      spans.add(headOffset(bytes, source_.pages, from.heads, head, places.first, token),
                headOffset(bytes, target_.pages, to.heads, head, places.second, token), bytes);
    };
    const uint32_t tokens = source_.pages.pageTokens;
    if (from.heads.order == HeadOrder::kTokenMajor) {
      for (uint32_t token = 0; token < tokens; ++token) {
        for (uint32_t head = heads.begin; head < heads.end; ++head) add(head, token);
      }
    } else {
      for (uint32_t head = heads.begin; head < heads.end; ++head) {
        for (uint32_t token = 0; token < tokens; ++token) add(head, token);
      }
    }
    std::vector<Piece> pieces;
    for (const CopySpan& span : joined.spans)
      pieces.push_back({span.sourceOffset, span.targetOffset, span.bytes});
    return pieces;
  }

  const BlockLayout& source_;
  const BlockLayout& target_;
  const PageMove& move_;
  std::vector<std::vector<std::vector<Piece>>> pieces_;
};

// Each changes what arrives, and nothing that is counted at the target.
void plant(CopyPlan& plan, FaultKind fault, const BlockLayout& source) {
  if (plan.spans.empty()) return;
  CopySpan& middle = plan.spans[plan.spans.size() / 2];
  if (fault == FaultKind::kWrongSplit) {
    // One head further, or one back at the end. A span that covers the whole source starts a head later and keeps its
    // end. The number of spans stays, because bounce buffers are cut by it.
    const uint64_t step = source.groups.front().outers[0].headBytes;
    if (middle.sourceOffset + middle.bytes + step <= source.totalBytes) {
      middle.sourceOffset += step;
    } else if (middle.sourceOffset >= step) {
      middle.sourceOffset -= step;
    } else {
      const uint64_t left = std::min(step, middle.bytes / 2);
      middle.sourceOffset += left;
      middle.bytes -= left;
    }
  }
  if (fault == FaultKind::kLostPiece) middle.bytes = 0;
  if (fault == FaultKind::kTruncatedPiece) middle.bytes -= std::min<uint64_t>(middle.bytes, 8);
}

}  // namespace

void validateMove(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move) {
  requireCompatible(source.blocks, target.blocks);
  const uint32_t numLayers = source.blocks.numLayers;
  if (move.layerBegin >= move.layerEnd || move.layerEnd > numLayers) {
    refuse("layer range [" + std::to_string(move.layerBegin) + ", " + std::to_string(move.layerEnd) +
           "): expected begin < end <= " + std::to_string(numLayers));
  }
  requirePairs(source, target, move);
  requireHeads(source, target, move);
  for (size_t i = 0; i < move.heads.size(); ++i) {
    const GroupLayout& group = source.blocks.groups[i];
    if (move.heads[i].begin == move.heads[i].end || group.span(move.layerBegin, move.layerEnd).size() == 0)
      continue;
    if (std::any_of(move.sourcePages.begin(), move.sourcePages.end(),
                    [&](uint32_t page) { return sectionIndex(source.blocks, page) == group.section; })) {
      return;
    }
  }
  refuse("transfer: the pages hold nothing in these layers and heads");
}

void validateDisjointMoves(const PhysicalLayout& target, const PageMove& one, const PageMove& other) {
  std::vector<uint8_t> written(target.blocks.numPages(), 0);
  for (const uint32_t page : one.targetPages) written[page] = 1;
  for (const uint32_t page : other.targetPages) {
    if (written[page] == 0) continue;
    for (size_t group = 0; group < one.heads.size(); ++group) {
      const uint32_t begin = std::max(one.heads[group].begin, other.heads[group].begin);
      if (begin >= std::min(one.heads[group].end, other.heads[group].end)) continue;
      refuse("target page " + std::to_string(page) + ": head " + std::to_string(begin) +
             " is written by two transfers at the same time");
    }
  }
}

CopyPlan compileMove(const PhysicalLayout& source, const PhysicalLayout& target, const PageMove& move,
                     uint64_t maxSpanBytes, std::optional<FaultKind> fault) {
  CopyPlan plan = MoveCompiler(source, target, move).compile(maxSpanBytes);
  if (fault) plant(plan, *fault, source.blocks);
  return plan;
}

std::string placeOf(const BlockLayout& layout, uint64_t offset) {
  for (const Strip& strip : layout.strips) {
    const uint64_t end = strip.begin + strip.stride * layout.sections[strip.section].numBlocks;
    if (offset < strip.begin || offset >= end) continue;
    const auto local = static_cast<uint32_t>((offset - strip.begin) / strip.stride);
    uint64_t inExtent = (offset - strip.begin) % strip.stride;
    std::string name;
    uint64_t begin = 0;
    forEachRegion(layout, strip, [&](uint32_t group, uint32_t position, uint32_t outer) {
      const uint64_t bytes = layout.groups[group].outers[outer].regionBytes;
      if (inExtent >= begin && inExtent < begin + bytes) {
        name = placeName(layout, layout.sections[strip.section].firstBlock + local, group, position, outer,
                         inExtent - begin);
      }
      begin += bytes;
    });
    return name;
  }
  return "";
}

}  // namespace railrunner
