#include "transfer/directory.h"

#include <cstring>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/byte_record.h"

namespace railrunner {

namespace {

constexpr uint64_t kMaxBlobBytes = kMetadataFixedBytes + 2 * kMetadataBytesPerAllocation;
constexpr uint64_t kMaxPagesBytes = uint64_t{1} << 32;

std::string agentName(uint32_t rank) { return "worker-" + std::to_string(rank); }

void writeHandle(ByteWriter& writer, const std::optional<LayoutHandle>& handle) {
  writer.number(handle ? 1 : 0);
  writer.number(handle ? handle->low() : 0);
  writer.number(handle ? handle->high() : 0);
}

std::optional<LayoutHandle> readHandle(ByteReader& reader) {
  const uint64_t has = reader.number();
  const uint64_t low = reader.number();
  const uint64_t high = reader.number();
  if (has > 1 || high > UINT16_MAX) throw reader.fault("a handle that cannot be");
  if (has == 0) return std::nullopt;
  return layoutHandleOf(low, high);
}

void writePages(ByteWriter& writer, const std::vector<uint32_t>& pages) {
  writer.bytes({reinterpret_cast<const uint8_t*>(pages.data()), pages.size() * sizeof(uint32_t)});
}

std::vector<uint32_t> readPages(ByteReader& reader) {
  const std::vector<uint8_t> bytes = reader.bytes(kMaxPagesBytes);
  if (bytes.size() % sizeof(uint32_t) != 0) throw reader.fault("pages that are not of 4 bytes");
  std::vector<uint32_t> pages(bytes.size() / sizeof(uint32_t));
  if (!bytes.empty()) std::memcpy(pages.data(), bytes.data(), bytes.size());
  return pages;
}

uint32_t readSmall(ByteReader& reader, uint64_t limit, const char* what) {
  const uint64_t value = reader.number();
  if (value >= limit) throw reader.fault(std::string(what) + " " + std::to_string(value));
  return static_cast<uint32_t>(value);
}

}  // namespace

TransferDirectory::TransferDirectory(uint32_t rank, TransferOp op)
    : rank_(rank), op_(op), registry_({rank, agentName(rank)}) {}

LayoutHandle TransferDirectory::registerPool(BlockPool& pool) {
  storages_.push_back(poolStorage(pool));
  storages_.back()->registerWith(peers_);
  return registry_.registerLocal(*storages_.back(), pool.shape(), pool.sectionBlocks());
}

void TransferDirectory::registerPools(BlockPool* source, BlockPool* target) {
  if (source != nullptr && source == target) {
    throw Error(ErrorCode::kArgument,
                "source and target of a transfer must be two pools: the target is poisoned");
  }
  Sides& mine = sides_[rank_];
  if (source != nullptr) mine.source = registerPool(*source);
  if (target != nullptr) mine.target = registerPool(*target);
}

std::vector<uint8_t> TransferDirectory::announcement(const std::vector<uint8_t>& blob,
                                                     const std::vector<RankMove>& moves) const {
  const Sides& mine = sides_.at(rank_);
  ByteWriter writer;
  writer.number(static_cast<uint64_t>(op_));
  writer.bytes(blob);
  writeHandle(writer, mine.source);
  writeHandle(writer, mine.target);
  writer.number(moves.size());
  for (const RankMove& move : moves) {
    writer.number(move.peer);
    writer.number(move.pages.layerBegin);
    writer.number(move.pages.layerEnd);
    writePages(writer, move.pages.sourcePages);
    writePages(writer, move.pages.targetPages);
    writer.number(move.pages.heads.size());
    for (const HeadSpan& span : move.pages.heads) {
      writer.number(span.begin);
      writer.number(span.end);
    }
  }
  return writer.data();
}

std::vector<RankMove> TransferDirectory::readAnnouncement(const std::vector<uint8_t>& record, uint32_t peer,
                                                          uint32_t worldSize) {
  ByteReader reader(record, peer);
  if (reader.number() != static_cast<uint64_t>(op_)) throw reader.fault("it reads where this rank writes");
  const std::vector<uint8_t> blob = reader.bytes(kMaxBlobBytes);
  Sides sides;
  sides.source = readHandle(reader);
  sides.target = readHandle(reader);
  std::vector<RankMove> moves(readSmall(reader, uint64_t{worldSize} + 1, "moves"));
  for (RankMove& move : moves) {
    move.peer = readSmall(reader, worldSize, "a move to rank");
    move.pages.layerBegin = readSmall(reader, UINT32_MAX, "a layer");
    move.pages.layerEnd = readSmall(reader, UINT32_MAX, "a layer");
    move.pages.sourcePages = readPages(reader);
    move.pages.targetPages = readPages(reader);
    move.pages.heads.resize(readSmall(reader, kMaxGroups + 1, "groups"));
    for (HeadSpan& span : move.pages.heads) {
      span.begin = readSmall(reader, UINT32_MAX, "a head");
      span.end = readSmall(reader, UINT32_MAX, "a head");
    }
  }
  reader.end();
  if (peer == rank_) return moves;
  registry_.importMetadata(blob, agentName(peer));
  for (const auto& handle : {sides.source, sides.target}) {
    if (handle && handle->workerId != peer) throw reader.fault("a handle of another worker");
    if (handle) static_cast<void>(registry_.find(*handle, "announced"));
  }
  sides_[peer] = sides;
  return moves;
}

PlannedMove TransferDirectory::plan(uint32_t initiator, const RankMove& move) const {
  const bool writes = op_ == TransferOp::kWrite;
  const uint32_t from = writes ? initiator : move.peer;
  const uint32_t to = writes ? move.peer : initiator;
  const std::string what =
      "transfer from rank " + std::to_string(from) + " to rank " + std::to_string(to) + ": ";
  const std::optional<LayoutHandle>& source = sides_.at(from).source;
  const std::optional<LayoutHandle>& target = sides_.at(to).target;
  if (!source || !target) {
    throw Error(ErrorCode::kArgument,
                what + "rank " + std::to_string(source ? to : from) + " has no pool on that side");
  }
  PlannedMove planned{initiator, move.peer, move.pages, registry_.find(*source, "source"),
                      registry_.find(*target, "target")};
  try {
    validateMove(*planned.source, *planned.target, planned.pages);
  } catch (const Error& error) {
    throw Error(error.code(), what + error.what());
  }
  return planned;
}

void TransferDirectory::requireDisjoint() const {
  std::vector<const PlannedMove*> arriving;
  for (const auto* list : {&own_, &ofPeers_}) {
    for (const PlannedMove& move : *list) {
      if (registry_.isLocal(move.target->handle)) arriving.push_back(&move);
    }
  }
  for (size_t i = 0; i < arriving.size(); ++i) {
    for (size_t j = i + 1; j < arriving.size(); ++j)
      validateDisjointMoves(*arriving[i]->target, arriving[i]->pages, arriving[j]->pages);
  }
}

void TransferDirectory::exchange(Exchange& exchange, const std::vector<uint8_t>& blob,
                                 const std::vector<RankMove>& moves, int64_t deadlineNs) {
  const auto all =
      Agreement(exchange, "exchanging metadata", deadlineNs).run([&] { return announcement(blob, moves); });
  Agreement(exchange, "importing metadata", deadlineNs).run([&] {
    std::vector<std::vector<RankMove>> ofRank;
    for (uint32_t peer = 0; peer < all.size(); ++peer)
      ofRank.push_back(readAnnouncement(all[peer], peer, exchange.worldSize()));
    std::vector<uint8_t> taken(all.size(), 0);
    for (const RankMove& move : ofRank[rank_]) {
      if (taken[move.peer]++ != 0) {
        throw Error(ErrorCode::kArgument, "moves: two with rank " + std::to_string(move.peer) +
                                              "; expected one, with all its pages");
      }
      own_.push_back(plan(rank_, move));
    }
    for (uint32_t peer = 0; peer < all.size(); ++peer) {
      for (const RankMove& move : ofRank[peer]) {
        if (peer != rank_ && move.peer == rank_) ofPeers_.push_back(plan(peer, move));
      }
    }
    requireDisjoint();
  });
}

void TransferDirectory::close() {
  std::exception_ptr failure;
  for (const auto& storage : storages_) {
    const std::exception_ptr thrown = attempt([&] { storage->close(); });
    if (failure == nullptr) failure = thrown;
  }
  storages_.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
