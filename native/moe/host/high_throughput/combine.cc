#include <algorithm>
#include <cstring>

#include "moe/host/high_throughput/exchange.h"
#include "moe/host/rows.h"
#include "moe/signal_word.h"

namespace railrunner::moe::host::high_throughput {

namespace {

// The ranks that have a partial sum of one token, ascending, each once.
uint32_t ranksOf(const int32_t* ids, uint32_t numTopk, const Shape& shape, const Places& places,
                 uint32_t* ranks, bool asOrigins) {
  uint32_t count = 0;
  for (uint32_t k = 0; k < numTopk; ++k) {
    // Ids of another rank were checked by nobody else.
    if (ids[k] < 0 || static_cast<uint32_t>(ids[k]) >= shape.numExperts) continue;
    const uint32_t host = shape.rankOfExpert(static_cast<uint32_t>(ids[k]));
    ranks[count++] = asOrigins ? places.originOf(host) : host;
  }
  std::sort(ranks, ranks + count);
  return static_cast<uint32_t>(std::unique(ranks, ranks + count) - ranks);
}

}  // namespace

uint16_t* HostExchange::combineInput() const {
  if (shape_.outputLayout != OutputLayout::kRankMajor) return nullptr;
  return reinterpret_cast<uint16_t*>(own(layout_.partials));
}

// Expert-major: bf16(sum over the token's choices here, in the order of k, of weight * its row). The rows for one
// owner follow each other.
void HostExchange::reduceFor(uint32_t owner, const uint16_t* y, const ReceivedRows& rows) {
  const uint64_t columns = shape_.paddedHidden();
  auto* partials = reinterpret_cast<uint16_t*>(own(layout_.partials));
  for (auto token = static_cast<uint64_t>(rows.sourceBegin[owner]);
       token < static_cast<uint64_t>(rows.sourceBegin[owner + 1]); ++token) {
    const uint16_t* terms[kMaxTopk];
    float weights[kMaxTopk];
    uint32_t count = 0;
    for (uint64_t choice = token * shape_.numTopk; choice < (token + 1) * shape_.numTopk; ++choice) {
      if (rows.tokenRow[choice] < 0) continue;
      terms[count] = y + static_cast<uint64_t>(rows.tokenRow[choice]) * columns;
      weights[count++] = rows.tokenWeight[choice];
    }
    sumRows(partials + token * columns, terms, options_.weighted ? weights : nullptr, count,
            shape_.paddedHidden());
  }
}

uint64_t HostExchange::firstPartial(uint32_t host, uint32_t owner, const Handle& handle) const {
  uint64_t first = 0;
  for (uint32_t source = 0; source < owner; ++source) first += handle.sources[source].tokensTo[host];
  return first;
}

// Those that the near rank `host` has for the owner's tokens, in the order of tokens.
const uint16_t* HostExchange::partialsOf(uint32_t host, uint32_t owner, const Handle& handle) {
  const uint64_t rowBytes = shape_.bf16RowBytes();
  const std::byte* rows =
      places_.base(host) + layout_.partials + firstPartial(host, owner, handle) * rowBytes;
  const uint64_t bytes = handle.sources[owner].tokensTo[host] * rowBytes;
  (host == places_.rank() ? bytes_.self : bytes_.ipc) += bytes;
  if (options_.strategy == Strategy::kAllGather && host != places_.rank()) rows = gathered(host, rows, bytes);
  return reinterpret_cast<const uint16_t*>(rows);
}

// A partner's token comes back as one row: bf16(sum over the ranks that it serves here, ascending).
void HostExchange::sumFor(uint32_t partner, const Handle& handle) {
  const std::vector<uint32_t>& served = places_.servedBy(places_.rank());
  for (const uint32_t host : served) partial_[host] = partialsOf(host, partner, handle);
  std::fill(ordinal_.begin(), ordinal_.end(), 0);
  const auto* ids = reinterpret_cast<const int32_t*>(block(partner) + layout_.block.ids);
  const uint32_t index = places_.inboxOf(partner, places_.rank());  // in the partner's memory
  const uint64_t rowBytes = shape_.bf16RowBytes();
  uint64_t target = layout_.sumsRows(index);
  for (uint32_t token = 0; token < tokensOf_[partner]; ++token) {
    uint32_t ranks[kMaxTopk];
    const uint16_t* terms[kMaxTopk];
    const uint32_t numRanks = ranksOf(ids + static_cast<uint64_t>(token) * shape_.numTopk, shape_.numTopk,
                                      shape_, places_, ranks, false);
    uint32_t count = 0;
    for (uint32_t i = 0; i < numRanks; ++i) {
      if (!std::binary_search(served.begin(), served.end(), ranks[i])) continue;
      terms[count++] =
          partial_[ranks[i]] + static_cast<uint64_t>(ordinal_[ranks[i]]++) * shape_.paddedHidden();
    }
    if (count == 0) continue;
    sumRows(sum_.data(), terms, nullptr, count, shape_.paddedHidden());
    link_.network->put({partner, 0, epoch_, link_.region, target, sum_.data(), rowBytes});
    bytes_.network += rowBytes;
    target += rowBytes;
  }
  link_.network->signal(
      {partner, 0, epoch_, link_.region, layout_.sumsReady(index), encodeSignal(epoch_, handle.epoch)});
  bytes_.network += 8;
  link_.network->push(partner);
}

// out = bf16(sum over the token's origins, ascending): near ranks' partial sums, and partners' sums.
void HostExchange::sumOwn(const Handle& handle, uint16_t* out) {
  const uint32_t rank = places_.rank();
  for (uint32_t host = 0; host < shape_.worldSize; ++host) {
    if (places_.isNear(host)) partial_[host] = partialsOf(host, rank, handle);
  }
  for (const uint32_t partner : places_.partners()) {
    partial_[partner] =
        reinterpret_cast<const uint16_t*>(own(layout_.sumsRows(places_.inboxOf(rank, partner))));
  }
  std::fill(ordinal_.begin(), ordinal_.end(), 0);
  for (uint32_t token = 0; token < numTokens_; ++token) {
    uint32_t origins[kMaxTopk];
    const uint16_t* terms[kMaxTopk];
    const uint32_t count = ranksOf(topkIdx() + static_cast<uint64_t>(token) * shape_.numTopk, shape_.numTopk,
                                   shape_, places_, origins, true);
    for (uint32_t i = 0; i < count; ++i) {
      terms[i] = partial_[origins[i]] + static_cast<uint64_t>(ordinal_[origins[i]]++) * shape_.paddedHidden();
    }
    sumRows(out + static_cast<uint64_t>(token) * shape_.paddedHidden(), terms, nullptr, count,
            shape_.paddedHidden());
  }
}

void HostExchange::combine(const uint16_t* y, const ReceivedRows& rows, const Handle& handle, uint16_t* out) {
  if (handle.epoch == 0) {
    throw Error(ErrorCode::kState, "combine: the handle holds no layout. Dispatch first.");
  }
  if (shape_.outputLayout == OutputLayout::kRankMajor && y != combineInput()) {
    throw Error(ErrorCode::kArgument, "combine: with rankMajor the rows must lie in combineInput()");
  }
  begin(Call::kCombine);
  // Partners first: what is for them still crosses the network. Then from the next rank on, itself last.
  std::vector<uint32_t>& owners = pending_;
  owners = everyone_;
  std::stable_partition(owners.begin(), owners.end(), [&](uint32_t owner) { return !places_.isNear(owner); });
  owners.push_back(places_.rank());
  for (const uint32_t owner : owners) {
    if (shape_.outputLayout == OutputLayout::kExpertMajor) reduceFor(owner, y, rows);
    if (!isSilent()) store(layout_.partialReady + 8ULL * owner, encodeSignal(epoch_, handle.epoch));
  }
  const uint32_t rank = places_.rank();
  const auto hasPartials = [&](uint32_t host, uint32_t owner) {
    if (host == rank) return true;
    if (!hasCome(places_.base(host) + layout_.partialReady + 8ULL * owner, host, handle.epoch)) return false;
    return true;
  };
  // Each partner's sum goes out when its last partial is here; a word from each rank ends the call.
  for (const uint32_t partner : places_.partners()) {
    pending_ = places_.servedBy(rank);
    collect([&](uint32_t host) { return hasPartials(host, partner); },
            "its partial sums for a rank behind the network");
    bytes_.ipc += 8ULL * (places_.servedBy(rank).size() - 1);
    if (!isSilent()) sumFor(partner, handle);
  }
  pending_.clear();
  for (const uint32_t peer : everyone_) {
    if (places_.isNear(peer)) pending_.push_back(peer);
  }
  bytes_.ipc += 8ULL * pending_.size();
  collect([&](uint32_t host) { return hasPartials(host, rank); }, "its partial sums");
  pending_ = places_.partners();
  collect(
      [&](uint32_t partner) {
        return hasCome(own(layout_.sumsReady(places_.inboxOf(rank, partner))), partner, handle.epoch);
      },
      "its sums");
  sumOwn(handle, out);
}

}  // namespace railrunner::moe::host::high_throughput
