#include <algorithm>
#include <cstring>

#include "moe/host/low_latency/exchange.h"
#include "moe/host/rows.h"

namespace railrunner::moe::host {

namespace {

// Rows that a rank receives, taken for as many as it sends, from which on they no longer stay in the caches:
// writing past them is then faster (measured with 4 ranks on 2 cores and 32 MiB of third-level cache: 3.7 MB
// a rank is 2 x slower past them, 14.7 MB is 1.15 x faster).
constexpr uint64_t kStreamingBytes = 8ULL << 20;

// The bits that an injected fault flips: where messages are composed, and in transit. One token may have both,
// which must not undo each other.
constexpr std::byte kStagedFlip{1};
constexpr std::byte kSentFlip{2};

}  // namespace

// Which tokens go where, in token order: dedup lists them once per rank (a relay stands for its node), else
// once per expert.
void HostExchange::listDestinations() {
  std::fill(listCount_.begin(), listCount_.end(), 0);
  for (uint32_t token = 0; token < batch_.numTokens; ++token) {
    const int32_t* ids = batch_.topkIdx + static_cast<uint64_t>(token) * shape_.numTopk;
    for (uint32_t k = 0; k < shape_.numTopk; ++k) {
      if (ids[k] < 0) continue;
      const uint32_t list = shape_.dedup ? routeOfExpert_[ids[k]] : static_cast<uint32_t>(ids[k]);
      uint32_t* tokens = listTokens_.data() + static_cast<uint64_t>(list) * shape_.maxDispatchTokensPerRank;
      uint32_t& count = listCount_[list];
      if (count == 0 || tokens[count - 1] != token) tokens[count++] = token;
    }
  }
}

std::byte* HostExchange::composeMessage(std::byte* target, uint32_t token) const {
  const MessageFormat& format = layout_.message;
  if (shape_.dedup) {
    const RankMessageHeader header{token, epoch_, shape_.numTopk, 0};
    const uint64_t choice = static_cast<uint64_t>(token) * shape_.numTopk;
    std::memcpy(target, &header, sizeof(header));
    std::memcpy(target + format.idsOffset, batch_.topkIdx + choice, 4ULL * shape_.numTopk);
    std::memcpy(target + format.weightsOffset, batch_.topkWeights + choice, 4ULL * shape_.numTopk);
    const uint64_t end = format.weightsOffset + 4ULL * shape_.numTopk;
    std::memset(target + end, 0, format.payloadOffset - end);
  } else {
    const ExpertMessageHeader header{token, epoch_, {0, 0}};
    std::memcpy(target, &header, sizeof(header));
  }
  const uint16_t* row = batch_.x + static_cast<uint64_t>(token) * shape_.paddedHidden();
  if (shape_.payload == DispatchDtype::kBf16) {
    std::memcpy(target + format.payloadOffset, row, shape_.payloadRowBytes());
    return target;
  }
  quantizeRow(reinterpret_cast<uint8_t*>(target + format.payloadOffset),
              reinterpret_cast<float*>(target + format.scalesOffset), row, shape_.paddedHidden(),
              shape_.roundScale);
  const uint64_t end = format.scalesOffset + 4ULL * shape_.numScales();
  std::memset(target + end, 0, format.strideBytes - end);
  return target;
}

void HostExchange::stageMessages() {
  std::byte* staging = local(layout_.sendOffset(half_));
  const uint64_t stride = layout_.message.strideBytes;
  for (uint32_t token = 0; token < batch_.numTokens; ++token) composeMessage(staging + token * stride, token);
  if (!corrupts()) return;
  // A bit for each peer that reads here, and none twice.
  std::vector<uint32_t> flipped;
  for (const uint32_t peer : sendOrder_) {
    if (!readsInPlace(peer)) continue;
    const uint32_t numLists = shape_.dedup ? 1 : shape_.numLocalExperts();
    for (uint32_t list = peer * numLists; list < (peer + 1) * numLists; ++list) {
      if (listCount_[list] == 0) continue;
      const uint32_t token = listTokens_[static_cast<uint64_t>(list) * shape_.maxDispatchTokensPerRank];
      if (std::find(flipped.begin(), flipped.end(), token) == flipped.end()) {
        staging[token * stride + layout_.message.payloadOffset] ^= kStagedFlip;
        flipped.push_back(token);
      }
      break;
    }
  }
}

void HostExchange::sendMessage(uint32_t peer, uint32_t slot, uint64_t targetOffset, uint32_t token,
                               bool corrupt) {
  const uint64_t stride = layout_.message.strideBytes;
  std::byte* staged = local(layout_.sendOffset(half_) + token * stride);
  std::byte* base = peers_.base[peer];
  if (base == nullptr) {
    if (corrupt) staged[layout_.message.payloadOffset] ^= kSentFlip;
    link_.network->put({peer, slot, epoch_, link_.region, targetOffset, staged, stride});
    if (corrupt) staged[layout_.message.payloadOffset] ^= kSentFlip;
    bytes_.network += stride;
    return;
  }
  std::byte* target = base + targetOffset;
  if (stages_) {
    std::memcpy(target, staged, stride);
  } else {
    composeMessage(target, token);
  }
  if (corrupt) target[layout_.message.payloadOffset] ^= kSentFlip;
  bytes_.ipc += stride;
}

void HostExchange::dispatchSend(const TokenBatch& batch) {
  epoch_ = sequence_.beginDispatch();
  half_ = epoch_ & 1U;
  bytes_ = {};
  batch_ = batch;
  combined_ = nullptr;
  streams_ =
      static_cast<uint64_t>(batch_.numTokens) * shape_.numTopk * shape_.payloadRowBytes() >= kStreamingBytes;
  listDestinations();
  if (stages_) stageMessages();
  if (isSilent()) return;
  const uint64_t receive = layout_.receiveOffset(half_);
  for (const uint32_t peer : sendOrder_) {
    bool corrupt = corrupts();
    // dedup: one list, signal and slot per peer; else one per expert of the peer.
    const uint32_t numLists = shape_.dedup ? 1 : shape_.numLocalExperts();
    for (uint32_t expert = 0; expert < numLists; ++expert) {
      const uint32_t list = peer * numLists + expert;
      const uint32_t* tokens =
          listTokens_.data() + static_cast<uint64_t>(list) * shape_.maxDispatchTokensPerRank;
      const uint64_t first = receive + dispatchSlotOffset(shape_, layout_, expert, peers_.rank, 0);
      if (readsInPlace(peer)) {
        std::memcpy(peers_.base[peer] + first, tokens, 4ULL * listCount_[list]);
        bytes_.ipc += listCount_[list] * layout_.message.strideBytes;
      } else {
        for (uint32_t copy = 0; copy < listCount_[list]; ++copy) {
          sendMessage(peer, expert, first + copy * layout_.message.strideBytes, tokens[copy], corrupt);
          corrupt = false;
        }
      }
      publish(peer, expert, dispatchSignalIndex(shape_, expert, peers_.rank), listCount_[list]);
    }
    finishSend(peer);
  }
}

HostExchange::Message HostExchange::ownMessage(uint32_t token) const {
  const uint64_t choice = static_cast<uint64_t>(token) * shape_.numTopk;
  Message message{token, batch_.topkIdx + choice, batch_.topkWeights + choice, nullptr, nullptr};
  if (shape_.payload == DispatchDtype::kBf16) {
    message.payload =
        reinterpret_cast<const std::byte*>(batch_.x + static_cast<uint64_t>(token) * shape_.paddedHidden());
  } else {
    const std::byte* staged = local(layout_.sendOffset(half_) + token * layout_.message.strideBytes);
    message.payload = staged + layout_.message.payloadOffset;
    message.scales = staged + layout_.message.scalesOffset;
  }
  return message;
}

// Where a message of another rank lies: in its slot here, or where its source has composed it.
const std::byte* HostExchange::messageOf(uint32_t expert, uint32_t source, uint32_t copy) const {
  const std::byte* slots =
      local(layout_.receiveOffset(half_) + dispatchSlotOffset(shape_, layout_, expert, source, 0));
  if (!readsInPlace(source)) return slots + copy * layout_.message.strideBytes;
  uint32_t token = 0;
  std::memcpy(&token, slots + 4ULL * copy, sizeof(token));
  requireToken(token, epoch_, source);
  return peers_.base[source] + layout_.sendOffset(half_) + token * layout_.message.strideBytes;
}

// What came over the wire is not trusted: a wrong index would be written through later.
void HostExchange::requireToken(uint32_t token, uint32_t epoch, uint32_t source) const {
  if (epoch == epoch_ && token < shape_.maxDispatchTokensPerRank) return;
  throw Error(ErrorCode::kWrongData,
              "dispatch: a message of rank " + std::to_string(source) + " claims token " +
                  std::to_string(token) + " of epoch " + std::to_string(epoch) + ", expected a token below " +
                  std::to_string(shape_.maxDispatchTokensPerRank) + " of epoch " + std::to_string(epoch_) +
                  ": the memory was overwritten or published too early");
}

HostExchange::Message HostExchange::receivedMessage(const std::byte* bytes, uint32_t source) const {
  ExpertMessageHeader header;  // token and epoch lie alike in both headers
  std::memcpy(&header, bytes, sizeof(header));
  requireToken(header.sourceToken, header.epoch, source);
  const MessageFormat& format = layout_.message;
  return {header.sourceToken, reinterpret_cast<const int32_t*>(bytes + format.idsOffset),
          reinterpret_cast<const float*>(bytes + format.weightsOffset), bytes + format.payloadOffset,
          bytes + format.scalesOffset};
}

void HostExchange::copyRow(DispatchResult& result, uint64_t row, const Message& message) const {
  std::byte* target = reinterpret_cast<std::byte*>(result.x) + row * shape_.payloadRowBytes();
  if (streams_) {
    copyStreaming(target, message.payload, shape_.payloadRowBytes());
  } else {
    std::memcpy(target, message.payload, shape_.payloadRowBytes());
  }
  result.sourceToken[row] = static_cast<int32_t>(message.token);
  if (shape_.payload == DispatchDtype::kFp8E4m3) {
    std::memcpy(result.scales + row * shape_.numScales(), message.scales, 4ULL * shape_.numScales());
  }
}

namespace {

// An expert that a message names twice would get more rows than there is memory for.
void requireNotNamed(const uint32_t* named, uint32_t count, uint32_t expert, uint32_t firstExpert,
                     uint32_t source, uint32_t token) {
  if (std::find(named, named + count, expert) == named + count) return;
  throw Error(ErrorCode::kWrongData, "dispatch: the message of rank " + std::to_string(source) +
                                         " for token " + std::to_string(token) + " names expert " +
                                         std::to_string(firstExpert + expert) +
                                         " twice, expected each expert once: the memory was overwritten");
}

}  // namespace

// dedup: the one copy that came becomes a row of every local expert that its token chose.
void HostExchange::placeMessage(DispatchResult& result, uint32_t source, uint32_t copy,
                                const Message& message) {
  const uint64_t slot = static_cast<uint64_t>(source) * shape_.maxDispatchTokensPerRank + copy;
  result.messageToken[slot] = static_cast<int32_t>(message.token);
  const bool rankMajor = shape_.outputLayout == OutputLayout::kRankMajor;
  uint32_t named[kMaxTopk];  // local experts of the message so far
  uint32_t numNamed = 0;
  for (uint32_t k = 0; k < shape_.numTopk; ++k) {
    const uint32_t expert =
        static_cast<uint32_t>(message.ids[k]) - firstExpert_;  // -1 and others wrap to large
    result.messageWeight[slot * shape_.numTopk + k] = message.weights[k];
    int32_t& place = result.messageRow[slot * shape_.numTopk + k];
    place = -1;
    if (expert >= shape_.numLocalExperts()) continue;
    requireNotNamed(named, numNamed, expert, firstExpert_, source, message.token);
    named[numNamed++] = expert;
    if (rankMajor) {
      place = static_cast<int32_t>(expert);
      continue;
    }
    const uint64_t row = static_cast<uint64_t>(expert) * shape_.maxReceivedTokens() + result.count[expert]++;
    place = static_cast<int32_t>(row);
    copyRow(result, row, message);
  }
  if (rankMajor) copyRow(result, slot, message);
}

void HostExchange::receiveMessages(DispatchResult& result, uint32_t source) {
  const bool expertMajor = shape_.outputLayout == OutputLayout::kExpertMajor;
  const uint32_t count = static_cast<uint32_t>(result.messageCount[source]);
  if (expertMajor) std::copy_n(result.count, shape_.numLocalExperts(), begins_.begin());
  for (uint32_t copy = 0; copy < count; ++copy) {
    const bool own = source == peers_.rank;
    const uint64_t list = static_cast<uint64_t>(source) * shape_.maxDispatchTokensPerRank;
    const uint32_t slot = rails_.isRail(source) ? keptSlots_[copy] : copy;
    placeMessage(
        result, source, copy,
        own ? ownMessage(listTokens_[list + copy]) : receivedMessage(messageOf(0, source, slot), source));
  }
  if (!expertMajor) {
    result.count[source] = static_cast<int32_t>(count);
    result.layoutRange[source] = encodeLayoutRange(count, source * shape_.maxDispatchTokensPerRank);
    return;
  }
  for (uint32_t expert = 0; expert < shape_.numLocalExperts(); ++expert) {
    result.layoutRange[static_cast<uint64_t>(expert) * shape_.worldSize + source] =
        encodeLayoutRange(static_cast<uint32_t>(result.count[expert]) - begins_[expert], begins_[expert]);
  }
}

namespace {

void requireCount(uint32_t count, uint32_t bound, uint32_t source) {
  if (count > bound) {
    throw Error(ErrorCode::kWrongData, "dispatch: rank " + std::to_string(source) + " announced " +
                                           std::to_string(count) + " messages, expected at most " +
                                           std::to_string(bound));
  }
}

}  // namespace

// dedup off: takes the experts of one source in order, as far as their counts have come.
bool HostExchange::receiveExperts(DispatchResult& result, uint32_t source) {
  const uint32_t numLocal = shape_.numLocalExperts();
  for (uint32_t& expert = nextExpert_[source]; expert < numLocal; ++expert) {
    uint32_t count = 0;
    const bool own = source == peers_.rank;
    const uint64_t list = firstExpert_ + expert;
    if (own) {
      count = listCount_[list];
    } else if (!takeSignal(dispatchSignalIndex(shape_, expert, source), source, &count)) {
      return false;
    }
    requireCount(count, shape_.maxDispatchTokensPerRank, source);
    const auto begin = static_cast<uint32_t>(result.count[expert]);
    result.layoutRange[static_cast<uint64_t>(expert) * shape_.worldSize + source] =
        encodeLayoutRange(count, begin);
    result.count[expert] += static_cast<int32_t>(count);
    for (uint32_t copy = 0; copy < count; ++copy) {
      const uint64_t row = static_cast<uint64_t>(expert) * shape_.maxReceivedTokens() + begin + copy;
      copyRow(result, row,
              own ? ownMessage(listTokens_[list * shape_.maxDispatchTokensPerRank + copy])
                  : receivedMessage(messageOf(expert, source, copy), source));
    }
  }
  return true;
}

// This rank's own tokens never leave: rows are read where they lie.
void HostExchange::takeOwnMessages(DispatchResult& result) {
  const uint32_t rank = peers_.rank;
  uint64_t messages = 0;
  if (shape_.dedup) {
    messages = listCount_[rank];
    result.messageCount[rank] = static_cast<int32_t>(messages);
    receiveMessages(result, rank);
  } else {
    receiveExperts(result, rank);
    std::fill_n(result.ownRow, static_cast<uint64_t>(batch_.numTokens) * shape_.numTopk, -1);
    for (uint32_t expert = 0; expert < shape_.numLocalExperts(); ++expert) {
      const uint64_t list = firstExpert_ + expert;
      messages += listCount_[list];
      const uint32_t begin =
          layoutRangeBegin(result.layoutRange[static_cast<uint64_t>(expert) * shape_.worldSize + rank]);
      for (uint32_t copy = 0; copy < listCount_[list]; ++copy) {
        const uint64_t choice =
            static_cast<uint64_t>(listTokens_[list * shape_.maxDispatchTokensPerRank + copy]) *
            shape_.numTopk;
        for (uint32_t k = 0; k < shape_.numTopk; ++k) {
          if (batch_.topkIdx[choice + k] != static_cast<int32_t>(list)) continue;
          result.ownRow[choice + k] =
              static_cast<int32_t>(expert * shape_.maxReceivedTokens() + begin + copy);
        }
      }
    }
  }
  bytes_.self += messages * layout_.message.strideBytes;
}

void HostExchange::dispatchReceive(DispatchResult& result) {
  sequence_.endDispatch();
  const bool expertMajor = shape_.outputLayout == OutputLayout::kExpertMajor;
  std::fill_n(result.count, expertMajor ? shape_.numLocalExperts() : shape_.worldSize, 0);
  std::fill(nextExpert_.begin(), nextExpert_.end(), 0);
  takeOwnMessages(result);
  if (shape_.dedup) {
    collect(
        [&](uint32_t source) {
          uint32_t count = 0;
          if (!takeSignal(dispatchSignalIndex(shape_, 0, source), rails_.hearsVia(source), &count))
            return false;
          requireCount(count, shape_.maxDispatchTokensPerRank, source);
          result.messageCount[source] = static_cast<int32_t>(count);
          if (rails_.isRail(source)) forwardMessages(result, source, count);
          receiveMessages(result, source);
          return true;
        },
        "dispatch", "its message count");
  } else {
    collect([&](uint32_t source) { return receiveExperts(result, source); }, "dispatch", "its message count");
  }
  finishStreaming();
  result.epoch = epoch_;
}

}  // namespace railrunner::moe::host
