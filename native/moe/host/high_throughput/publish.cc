#include <algorithm>
#include <cstring>

#include "moe/host/high_throughput/exchange.h"
#include "moe/signal_word.h"

namespace railrunner::moe::host::high_throughput {

void HostExchange::store(uint64_t offset, uint64_t word) const {
  std::atomic_ref<uint64_t> signal(*reinterpret_cast<uint64_t*>(own(offset)));
  if (seam_.publishWithoutRelease) {
    signal.store(word, std::memory_order_relaxed);
  } else {
    signal.store(word, std::memory_order_release);
  }
}

void HostExchange::writeCounts(const Handle& handle) {
  const SourceCounts& counts = handle.sources[places_.rank()];
  auto* header = reinterpret_cast<uint32_t*>(own(layout_.block.header));
  *header++ = numTokens_;
  header = std::copy(counts.tokensTo.begin(), counts.tokensTo.end(), header);
  std::copy(counts.rowsOfExpert.begin(), counts.rowsOfExpert.end(), header);
}

// Whether the partner, or a rank that it serves, has use for the token.
bool HostExchange::goesTo(const int32_t* ids, uint32_t partner) const {
  if (options_.strategy == Strategy::kAllGather) return true;
  const std::vector<uint32_t>& served = places_.servedBy(partner);
  return std::any_of(ids, ids + shape_.numTopk, [&](int32_t id) {
    return id >= 0 &&
           std::binary_search(served.begin(), served.end(), shape_.rankOfExpert(static_cast<uint32_t>(id)));
  });
}

void HostExchange::putCounted(uint32_t partner) {
  const uint64_t target = layout_.inbox(places_.inboxOf(partner, places_.rank()));
  const uint64_t choices = 4ULL * numTokens_ * shape_.numTopk;
  const auto put = [&](uint64_t offset, uint64_t bytes) {
    if (bytes == 0) return;
    link_.network->put({partner, 0, epoch_, link_.region, target + offset, own(offset), bytes});
    bytes_.network += bytes;
  };
  put(layout_.block.header, BlockLayout::headerBytes(shape_));
  put(layout_.block.ids, choices);
  put(layout_.block.weights, choices);
  link_.network->signal(
      {partner, 0, epoch_, link_.region, target + layout_.block.counted, encodeSignal(epoch_, epoch_)});
  bytes_.network += 8;
}

// Rows close up: those that the partner has no use for leave no gap.
void HostExchange::putRows(uint32_t partner, uint32_t handleEpoch) {
  const uint64_t target = layout_.inbox(places_.inboxOf(partner, places_.rank()));
  const uint64_t rowBytes = shape_.payloadRowBytes();
  const uint64_t scaleBytes = shape_.payload == DispatchDtype::kFp8E4m3 ? 4ULL * shape_.numScales() : 0;
  uint64_t at = 0;
  for (uint32_t token = 0; token < numTokens_; ++token) {
    if (!goesTo(topkIdx() + static_cast<uint64_t>(token) * shape_.numTopk, partner)) continue;
    link_.network->put({partner, 1, epoch_, link_.region, target + layout_.block.rows + at * rowBytes,
                        x() + token * rowBytes, rowBytes});
    if (scaleBytes != 0) {
      link_.network->put({partner, 1, epoch_, link_.region, target + layout_.block.scales + at * scaleBytes,
                          scales() + static_cast<uint64_t>(token) * shape_.numScales(), scaleBytes});
    }
    bytes_.network += rowBytes + scaleBytes;
    ++at;
  }
  link_.network->signal(
      {partner, 1, epoch_, link_.region, target + layout_.block.ready, encodeSignal(epoch_, handleEpoch)});
  bytes_.network += 8;
}

// One bit of the first token that goes to each other rank.
void HostExchange::corruptRows() {
  std::vector<uint32_t> tokens;
  for (const uint32_t peer : everyone_) {
    for (uint32_t token = 0; token < numTokens_; ++token) {
      const int32_t* ids = topkIdx() + static_cast<uint64_t>(token) * shape_.numTopk;
      const bool goes = std::any_of(ids, ids + shape_.numTopk, [&](int32_t id) {
        return id >= 0 && shape_.rankOfExpert(static_cast<uint32_t>(id)) == peer;
      });
      if (!goes) continue;
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
      break;
    }
  }
  for (const uint32_t token : tokens) x()[token * shape_.payloadRowBytes()] ^= 1;
}

// What others read here is there when the words are; what partners read goes to them.
void HostExchange::publish(uint32_t handleEpoch) {
  if (seam_.corruptFromEpoch != 0 && epoch_ >= seam_.corruptFromEpoch) corruptRows();
  if (isSilent()) return;
  const bool isFresh = handleEpoch == epoch_;
  if (isFresh) store(layout_.block.counted, encodeSignal(epoch_, epoch_));
  store(layout_.block.ready, encodeSignal(epoch_, handleEpoch));
  for (const uint32_t partner : places_.partners()) {
    if (isFresh) putCounted(partner);
  }
  for (const uint32_t partner : places_.partners()) {
    putRows(partner, handleEpoch);
    link_.network->push(partner);
  }
}

}  // namespace railrunner::moe::host::high_throughput
