#include <algorithm>
#include <string>

#include "moe/cuda/bench.h"

// What the calls of a point issue, by the routing and by what came.
namespace railrunner::moe::cuda {

namespace {

// Distinct tokens and choices that go from this rank to each, by the routing.
struct Going {
  std::vector<uint64_t> tokens;
  std::vector<uint64_t> choices;
};

Going goingOf(const Shape& shape, const Routing& routing) {
  Going going{std::vector<uint64_t>(shape.worldSize), std::vector<uint64_t>(shape.worldSize)};
  std::vector<uint8_t> seen(shape.worldSize);
  for (uint32_t token = 0; token < routing.numTokens; ++token) {
    std::fill(seen.begin(), seen.end(), 0);
    for (uint32_t k = 0; k < shape.numTopk; ++k) {
      const int32_t id = routing.topkIdx[static_cast<uint64_t>(token) * shape.numTopk + k];
      if (id < 0) continue;
      const uint32_t host = shape.rankOfExpert(static_cast<uint32_t>(id));
      ++going.choices[host];
      if (seen[host]++ == 0) ++going.tokens[host];
    }
  }
  return going;
}

}  // namespace

// Rows, and to other ranks 8 for every word: records, counts, flags (not over the network), the word that
// begins the call.
ByteCounts CudaBench::dispatchBytes() const {
  const Going going = goingOf(shape_, routing_);
  ByteCounts bytes;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const uint64_t rows = shape_.dedup ? going.tokens[peer] : going.choices[peer];
    const uint64_t rowBytes = rows * arguments_.map.messageBytes;
    const uint64_t words = 1 + planWords(shape_, routing_.numTokens);
    if (peer == rank_) {
      bytes.self += rowBytes;
    } else if (options_.overNetwork[peer] != 0) {
      bytes.network += rowBytes + 8 * words;
    } else {
      bytes.ipc += rowBytes + 8 * (words + going.tokens[peer] * launch_.slices);
    }
  }
  return bytes;
}

// Counted from what came: rows go back where messages came from.
ByteCounts CudaBench::combineBytes() const {
  const uint32_t numTopk = shape_.numTopk;
  std::vector<int32_t> messages;
  std::vector<int32_t> rows;
  fetch(messages, result_.view().messageCount, shape_.worldSize);
  ByteCounts bytes;
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    const auto count = static_cast<uint64_t>(messages[peer]);
    uint64_t sent = count;
    if (!shape_.dedup) {
      rows.clear();
      fetch(rows, result_.view().messageRow + static_cast<uint64_t>(peer) * shape_.maxTokens * numTopk,
            count * numTopk);
      sent = static_cast<uint64_t>(
          std::count_if(rows.begin(), rows.end(), [](int32_t row) { return row >= 0; }));
    }
    if (peer == rank_) {
      bytes.self += shape_.dedup ? sent * shape_.bf16RowBytes() : 0;
    } else if (options_.overNetwork[peer] != 0) {
      bytes.network += sent * shape_.bf16RowBytes() + 8;
    } else {
      bytes.ipc += sent * shape_.bf16RowBytes() + 8 * (count * launch_.slices + 1);
    }
  }
  return bytes;
}

// Over the network bytes are counted again where a proxy issues them: both must agree.
void CudaBench::requireCountedBytes(uint64_t before) const {
  const uint64_t expected = dispatches_ * dispatchBytes().network + combines_ * combineBytes().network;
  const uint64_t issued = issuedToNetwork() - before;
  if (issued == expected) return;
  throw Error(ErrorCode::kWrongData, "MoE exchange: " + std::to_string(dispatches_) + " dispatches and " +
                                         std::to_string(combines_) + " combines of rank " +
                                         std::to_string(rank_) + " issued " + std::to_string(issued) +
                                         " bytes to the network, expected " + std::to_string(expected) +
                                         " by the routing");
}

uint64_t CudaBench::issuedToNetwork() const {
  return link_.network == nullptr ? 0 : link_.network->totalCounters().payloadBytes;
}

}  // namespace railrunner::moe::cuda
