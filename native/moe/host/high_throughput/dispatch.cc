#include <algorithm>
#include <cstring>

#include "moe/host/high_throughput/exchange.h"
#include "moe/host/rows.h"

namespace railrunner::moe::host::high_throughput {

namespace {

// Rows that a rank receives from which on they no longer stay in the caches (host/low_latency/dispatch.cc).
constexpr uint64_t kStreamingBytes = 8ULL << 20;

[[noreturn]] void refuseSource(uint32_t source, const std::string& fault) {
  throw Error(ErrorCode::kWrongData, "dispatch: rank " + std::to_string(source) + " announced " + fault +
                                         ": the memory was overwritten, or it was published too early");
}

}  // namespace

// What came from another rank is not trusted: rows are placed by it.
SourceCounts HostExchange::readCounts(uint32_t source) {
  const auto* words = reinterpret_cast<const uint32_t*>(block(source) + layout_.block.header);
  tokensOf_[source] = *words++;
  SourceCounts counts;
  counts.tokensTo.assign(words, words + shape_.worldSize);
  counts.rowsOfExpert.assign(words + shape_.worldSize, words + shape_.worldSize + shape_.numExperts);
  const uint32_t numTokens = tokensOf_[source];
  const auto isMore = [numTokens](uint32_t count) { return count > numTokens; };
  if (numTokens > shape_.maxDispatchTokensPerRank) {
    refuseSource(source, std::to_string(numTokens) + " tokens, expected at most " +
                             std::to_string(shape_.maxDispatchTokensPerRank));
  }
  if (std::any_of(counts.tokensTo.begin(), counts.tokensTo.end(), isMore) ||
      std::any_of(counts.rowsOfExpert.begin(), counts.rowsOfExpert.end(), isMore)) {
    refuseSource(source, "more tokens for a rank or an expert than its " + std::to_string(numTokens));
  }
  return counts;
}

// All counts of all ranks are known here as they are everywhere: all refuse alike, and nobody has written yet.
void HostExchange::requireRoom(const Handle& handle) const {
  for (uint32_t rank = 0; rank < shape_.worldSize; ++rank) {
    const ReceiveNeed need = needOf(shape_, options_, handle.sources, rank);
    const Capacity& capacity = capacities_[rank];
    if (need.rows <= capacity.rows && need.tokens <= capacity.tokens) continue;
    throw Error(ErrorCode::kArgument, overflowSentence(rank, need, capacity));
  }
}

void HostExchange::setBegins(const ReceivedRows& rows, const Handle& handle) const {
  uint64_t row = 0;
  for (uint32_t local = 0; local < shape_.numLocalExperts(); ++local) {
    uint32_t count = 0;
    for (const SourceCounts& source : handle.sources) count += source.rowsOfExpert[firstExpert_ + local];
    rows.count[local] = static_cast<int32_t>(count);
    rows.expertBegin[local] = static_cast<int32_t>(row);
    const uint64_t end = row + alignRows(count, options_.expertAlignment);
    std::fill(rows.rowToken + row + count, rows.rowToken + end, -1);
    row = end;
  }
  rows.expertBegin[shape_.numLocalExperts()] = static_cast<int32_t>(row);
  int32_t token = 0;
  for (uint32_t source = 0; source < shape_.worldSize; ++source) {
    rows.sourceBegin[source] = token;
    token += static_cast<int32_t>(handle.sources[source].tokensTo[places_.rank()]);
  }
  rows.sourceBegin[shape_.worldSize] = token;
}

void HostExchange::placeToken(const ReceivedRows& rows, uint32_t source, uint32_t received,
                              const int32_t* ids) {
  const uint64_t at = static_cast<uint64_t>(received) * shape_.numTopk;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const uint32_t expert = static_cast<uint32_t>(ids[k]) - firstExpert_;  // -1 and others wrap to large
    const bool isHere = expert < shape_.numLocalExperts();
    rows.tokenRow[at + k] = rows.tokenExpert[at + k] = -1;
    if (!isHere) continue;
    if (nextRow_[expert] == rowLimit_[expert]) {
      refuseSource(source,
                   "fewer rows of expert " + std::to_string(firstExpert_ + expert) + " than its ids name");
    }
    const uint32_t row = nextRow_[expert]++;
    rows.rowToken[row] = static_cast<int32_t>(received);
    rows.tokenRow[at + k] = static_cast<int32_t>(row);
    rows.tokenExpert[at + k] = static_cast<int32_t>(expert);
  }
}

// From the counts alone follows where a source's tokens go, so that sources may come in any order.
void HostExchange::placeTokens(const ReceivedRows& rows, Handle& handle, uint32_t source) {
  const uint32_t rank = places_.rank();
  for (uint32_t local = 0; local < shape_.numLocalExperts(); ++local) {
    nextRow_[local] = static_cast<uint32_t>(rows.expertBegin[local]);
    for (uint32_t before = 0; before < source; ++before) {
      nextRow_[local] += handle.sources[before].rowsOfExpert[firstExpert_ + local];
    }
    rowLimit_[local] = nextRow_[local] + handle.sources[source].rowsOfExpert[firstExpert_ + local];
  }
  const auto* ids = reinterpret_cast<const int32_t*>(block(source) + layout_.block.ids);
  const auto* weights = reinterpret_cast<const float*>(block(source) + layout_.block.weights);
  const bool isWhole = places_.homeOf(source).inbox < 0;  // the source's own block has a row for every token
  auto received = static_cast<uint32_t>(rows.sourceBegin[source]);
  const auto end = static_cast<uint32_t>(rows.sourceBegin[source + 1]);
  uint32_t inboxRow = 0;
  for (uint32_t token = 0; token < tokensOf_[source]; ++token) {
    const int32_t* own = ids + static_cast<uint64_t>(token) * shape_.numTopk;
    const bool isHere = std::any_of(own, own + shape_.numTopk, [&](int32_t id) {
      return static_cast<uint32_t>(id) - firstExpert_ < shape_.numLocalExperts();
    });
    const uint32_t row = isWhole ? token : inboxRow;
    if (!isWhole && goesTo(own, rank)) ++inboxRow;
    if (!isHere) continue;
    if (received == end) refuseSource(source, "fewer tokens for this rank than its ids name");
    placeToken(rows, source, received, own);
    std::copy_n(weights + static_cast<uint64_t>(token) * shape_.numTopk, shape_.numTopk,
                rows.tokenWeight + static_cast<uint64_t>(received) * shape_.numTopk);
    rows.sourceToken[received] = static_cast<int32_t>(token);
    handle.homeRow[received++] = row;
  }
  if (received != end || nextRow_ != rowLimit_) {
    refuseSource(source, "more tokens or rows for this rank than its ids name");
  }
}

void HostExchange::copyRow(const ReceivedRows& rows, uint64_t row, const uint8_t* x,
                           const float* scales) const {
  const uint64_t rowBytes = shape_.payloadRowBytes();
  if (streams_) {
    copyStreaming(rows.x + row * rowBytes, x, rowBytes);
  } else {
    std::memcpy(rows.x + row * rowBytes, x, rowBytes);
  }
  if (shape_.payload == DispatchDtype::kFp8E4m3) {
    std::memcpy(rows.scales + row * shape_.numScales(), scales, 4ULL * shape_.numScales());
  }
}

// allGather: a contiguous copy of all that the source has, which rows are then taken from.
const std::byte* HostExchange::gathered(uint32_t source, const std::byte* from, uint64_t bytes) {
  const uint64_t share = gathered_->count() / shape_.worldSize;
  std::byte* target = gathered_->data() + source * share;
  std::memcpy(target, from, bytes);
  return target;
}

// Each token of the source that belongs here crosses once, however many rows it becomes.
void HostExchange::takeRows(const ReceivedRows& rows, const Handle& handle, uint32_t source) {
  const Places::Home home = places_.homeOf(source);
  const uint64_t rowBytes = shape_.payloadRowBytes();
  const bool isFp8 = shape_.payload == DispatchDtype::kFp8E4m3;
  const uint64_t tokenBytes = rowBytes + (isFp8 ? 4ULL * shape_.numScales() : 0);
  const std::byte* x = block(source) + layout_.block.rows;
  const auto* scales = reinterpret_cast<const float*>(block(source) + layout_.block.scales);
  const auto first = static_cast<uint32_t>(rows.sourceBegin[source]);
  const auto end = static_cast<uint32_t>(rows.sourceBegin[source + 1]);
  const bool isOwn = source == places_.rank();
  uint64_t moved = end - first;
  if (options_.strategy == Strategy::kAllGather && !isOwn && home.holder != places_.rank()) {
    moved = tokensOf_[source];
    x = gathered(source, x, moved * rowBytes);
  }
  (isOwn ? bytes_.self : home.holder == places_.rank() ? bytes_.self : bytes_.ipc) += moved * tokenBytes;
  const bool isExpertMajor = shape_.outputLayout == OutputLayout::kExpertMajor;
  for (uint32_t received = first; received < end; ++received) {
    const auto* row = reinterpret_cast<const uint8_t*>(x + handle.homeRow[received] * rowBytes);
    const float* rowScales = scales + static_cast<uint64_t>(handle.homeRow[received]) * shape_.numScales();
    if (!isExpertMajor) {
      copyRow(rows, received, row, rowScales);
      continue;
    }
    const int32_t* targets = rows.tokenRow + static_cast<uint64_t>(received) * shape_.numTopk;
    for (uint32_t k = 0; k < shape_.numTopk; ++k) {
      if (targets[k] >= 0) copyRow(rows, static_cast<uint64_t>(targets[k]), row, rowScales);
    }
  }
}

void HostExchange::dispatch(uint32_t numTokens, uint64_t digest, ReceivedRows& rows, Handle& handle) {
  begin(Call::kDispatch);
  const uint32_t rank = places_.rank();
  numTokens_ = numTokens;
  handle.epoch = 0;
  handle.digest = digest;
  handle.sources.resize(shape_.worldSize);
  handle.sources[rank] =
      countRouting(shape_, {topkIdx(), static_cast<size_t>(numTokens) * shape_.numTopk}, places_.nodeOf());
  tokensOf_[rank] = numTokens;
  writeCounts(handle);
  publish(epoch_);
  pending_ = everyone_;
  collect(
      [&](uint32_t source) {
        if (!hasCome(block(source) + layout_.block.counted, source, epoch_)) return false;
        handle.sources[source] = readCounts(source);
        const uint64_t bytes =
            BlockLayout::headerBytes(shape_) + 8ULL * tokensOf_[source] * shape_.numTopk + 16;
        if (places_.homeOf(source).holder != rank) bytes_.ipc += bytes;
        return true;
      },
      "its token counts");
  requireRoom(handle);
  setBegins(rows, handle);
  handle.homeRow.resize(static_cast<size_t>(rows.sourceBegin[shape_.worldSize]));
  streams_ = static_cast<uint64_t>(rows.expertBegin[shape_.numLocalExperts()]) * shape_.payloadRowBytes() >=
             kStreamingBytes;
  placeTokens(rows, handle, rank);
  takeRows(rows, handle, rank);
  pending_ = everyone_;
  collect(
      [&](uint32_t source) {
        if (!hasCome(block(source) + layout_.block.ready, source, epoch_)) return false;
        placeTokens(rows, handle, source);
        takeRows(rows, handle, source);
        return true;
      },
      "its rows");
  finishStreaming();
  handle.epoch = epoch_;
}

void HostExchange::dispatchAgain(uint32_t numTokens, uint64_t digest, ReceivedRows& rows,
                                 const Handle& handle) {
  if (handle.epoch == 0 || handle.digest != digest) {
    throw Error(
        ErrorCode::kArgument,
        handle.epoch == 0
            ? std::string("dispatch: the handle holds no layout. Dispatch once without it first.")
            : "dispatch: the handle of dispatch " + std::to_string(handle.epoch) +
                  " was made for another routing than this rank's " + std::to_string(numTokens) +
                  " tokens have: nothing was sent. Dispatch without a handle when the routing changes.");
  }
  begin(Call::kDispatch);
  numTokens_ = numTokens;
  publish(handle.epoch);
  takeRows(rows, handle, places_.rank());
  pending_ = everyone_;
  collect(
      [&](uint32_t source) {
        if (!hasCome(block(source) + layout_.block.ready, source, handle.epoch)) return false;
        if (places_.homeOf(source).holder != places_.rank()) bytes_.ipc += 8;
        takeRows(rows, handle, source);
        return true;
      },
      "its rows");
  finishStreaming();
}

}  // namespace railrunner::moe::host::high_throughput
