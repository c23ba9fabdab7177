#include <algorithm>
#include <cstring>

#include "moe/cuda/high_throughput/bench.h"

// What the last sample left, and what calls move by it.
namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::check;
using railrunner::cuda::makeCurrent;

namespace {

template <class T>
std::vector<T> fetched(const T* device, uint64_t count) {
  std::vector<T> values(count);
  if (count != 0)
    check(cudaMemcpy(values.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return values;
}

}  // namespace

uint64_t CudaBench::rowsInUse() const {
  const int32_t* last = isExpertMajor() ? arguments_.result.expertBegin + shape_.numLocalExperts()
                                        : arguments_.result.sourceBegin + shape_.worldSize;
  return static_cast<uint64_t>(
      std::clamp<int64_t>(fetched(last, 1)[0], 0, static_cast<int64_t>(rowsOfX(shape_, capacity_))));
}

// Received tokens of each source, by the layout.
std::vector<uint32_t> CudaBench::receivedFrom() const {
  const auto begin = fetched(arguments_.result.sourceBegin, shape_.worldSize + 1ULL);
  std::vector<uint32_t> received;
  for (uint32_t source = 0; source < shape_.worldSize; ++source) {
    received.push_back(static_cast<uint32_t>(begin[source + 1] - begin[source]));
  }
  return received;
}

// Of each source, as its last call said.
std::vector<uint32_t> CudaBench::announcedTokens() const {
  const auto words = fetched(
      reinterpret_cast<const uint64_t*>(links_->buffer->local() + arguments_.map.ready), shape_.worldSize);
  std::vector<uint32_t> tokens;
  for (const uint64_t word : words) {
    tokens.push_back(std::min(static_cast<uint32_t>(word), shape_.maxDispatchTokensPerRank));
  }
  return tokens;
}

// Over the network as this rank puts them, else as it reads them: rows (all of a peer's where they are gathered), ids and weights where a layout is made, and
// two words from each peer.
PathBytes CudaBench::dispatchBytes() const {
  const uint64_t scaleBytes = shape_.payload == DispatchDtype::kFp8E4m3 ? 4ULL * shape_.numScales() : 0;
  const uint64_t rowBytes = shape_.payloadRowBytes() + scaleBytes;
  const auto received = receivedFrom();
  const auto tokens = announcedTokens();
  PathBytes bytes;
  for (uint32_t source = 0; source < shape_.worldSize; ++source) {
    if (source == rank_) {
      bytes.self += received[source] * rowBytes;
      continue;
    }
    if (isOverNetwork(source)) continue;
    bytes.ipc += (gathers() ? tokens[source] : received[source]) * rowBytes + (hasSlots() ? 24 : 16);
    if (!ht_.reuseLayout) bytes.ipc += 8ULL * tokens[source] * shape_.numTopk;
  }
  if (staged_ != nullptr) bytes.network = staged_->dispatchBytes();
  return bytes;
}

// Likewise: the rows of its tokens from every host, and two words.
PathBytes CudaBench::combineBytes() const {
  const auto place =
      fetched(arguments_.work.tokenPlace, static_cast<uint64_t>(routing_.numTokens) * shape_.worldSize);
  PathBytes bytes;
  for (uint32_t host = 0; host < shape_.worldSize; ++host) {
    uint64_t rows = 0;
    for (uint64_t token = 0; token < routing_.numTokens; ++token)
      rows += place[token * shape_.worldSize + host] >= 0;
    if (host == rank_) {
      bytes.self += rows * shape_.bf16RowBytes();
    } else if (!isOverNetwork(host)) {
      bytes.ipc += rows * shape_.bf16RowBytes() + 16;
    }
  }
  if (staged_ != nullptr) bytes.network = staged_->combineBytes();
  return bytes;
}

// Rank-major and gathered: rows in the order of received tokens, from the slots where they lie; the row that must not
// change is the one behind the last source's tokens.
void CudaBench::fetchGathered(BenchResults& copy) const {
  const SymmetricMap& map = arguments_.map;
  const std::byte* own = links_->buffer->local();
  const uint64_t rowBytes = shape_.payloadRowBytes();
  for (uint32_t source = 0; source < shape_.worldSize; ++source) {
    const auto x = fetched(reinterpret_cast<const uint8_t*>(own + map.xOffset(shape_, source)),
                           shape_.maxDispatchTokensPerRank * rowBytes);
    const auto scales = fetched(reinterpret_cast<const float*>(own + map.scalesOffset(shape_, source)),
                                static_cast<uint64_t>(shape_.maxDispatchTokensPerRank) * map.scaleBytes / 4);
    for (int32_t received = copy.sourceBegin[source]; received < copy.sourceBegin[source + 1]; ++received) {
      const auto token = static_cast<uint64_t>(copy.sourceToken[static_cast<size_t>(received)]);
      if (token >= shape_.maxDispatchTokensPerRank) continue;  // the oracle finds it
      copy.x.insert(copy.x.end(), x.begin() + token * rowBytes, x.begin() + (token + 1) * rowBytes);
      if (map.scaleBytes == 0) continue;
      const auto first = scales.begin() + token * map.scaleBytes / 4;
      copy.scales.insert(copy.scales.end(), first, first + shape_.numScales());
    }
  }
  const uint64_t behind = announcedTokens().back() * rowBytes;
  copy.guard = fetched(
      reinterpret_cast<const uint8_t*>(own + map.xOffset(shape_, shape_.worldSize - 1) + behind), rowBytes);
}

BenchResults CudaBench::results() const {
  makeCurrent(ordinal_);
  const ReceivedRows& result = arguments_.result;
  BenchResults copy;
  copy.salt = salt_;
  copy.count = fetched(result.count, shape_.numLocalExperts());
  copy.expertBegin = fetched(result.expertBegin, shape_.numLocalExperts() + 1ULL);
  copy.sourceBegin = fetched(result.sourceBegin, shape_.worldSize + 1ULL);
  const auto bounded = [](int32_t value, uint64_t most) {
    return static_cast<uint64_t>(std::clamp<int64_t>(value, 0, static_cast<int64_t>(most)));
  };
  const uint64_t tokens = bounded(copy.sourceBegin.back(), capacity_.tokens);
  copy.rowToken = fetched(result.rowToken, bounded(copy.expertBegin.back(), capacity_.rows));
  copy.sourceToken = fetched(result.sourceToken, tokens);
  copy.tokenRow = fetched(result.tokenRow, tokens * shape_.numTopk);
  copy.tokenExpert = fetched(result.tokenExpert, tokens * shape_.numTopk);
  copy.tokenWeight = fetched(result.tokenWeight, tokens * shape_.numTopk);
  if (leavesInSlots()) {
    fetchGathered(copy);
  } else {
    const uint64_t rows = rowsInUse();
    copy.x = fetched(result.x, rows * shape_.payloadRowBytes());
    if (shape_.payload == DispatchDtype::kFp8E4m3)
      copy.scales = fetched(result.scales, rows * shape_.numScales());
    copy.guard = fetched(result.x + rows * shape_.payloadRowBytes(), shape_.payloadRowBytes());
  }
  copy.combined = fetched(combined_.as<uint16_t>(),
                          static_cast<uint64_t>(shape_.maxDispatchTokensPerRank) * shape_.paddedHidden());
  return copy;
}

}  // namespace railrunner::moe::cuda::high_throughput
