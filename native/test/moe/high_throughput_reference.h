#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "moe/high_throughput/received_rows.h"
#include "moe/numerics.h"
#include "moe/payload.h"

// What high-throughput dispatch and combine must leave, computed in the plainest way from everybody's routing.
namespace railrunner::test {

using moe::DispatchDtype;
using moe::OutputLayout;
using moe::Shape;

struct SourceTokens {
  std::vector<int32_t> ids;  // [numTokens, numTopk]
  std::vector<float> weights;
  std::vector<uint8_t> x;     // [maxDispatchTokensPerRank, payloadRowBytes]
  std::vector<float> scales;  // [maxDispatchTokensPerRank, numScales]
  uint32_t numTokens = 0;
};

inline SourceTokens makeTokens(const Shape& s, uint32_t rank, uint32_t numTokens, uint32_t seed, bool full,
                               bool skewed) {
  SourceTokens tokens;
  tokens.numTokens = numTokens;
  std::mt19937 random(seed * 131 + rank);
  std::vector<int32_t> all(s.numExperts);
  for (uint32_t e = 0; e < s.numExperts; ++e) all[e] = static_cast<int32_t>(e);
  for (uint32_t t = 0; t < numTokens; ++t) {
    for (uint32_t k = 0; k < s.numTopk; ++k) {
      std::swap(all[k], all[k + random() % (s.numExperts - k)]);
      const bool none = (!full && random() % 7 == 0) || (skewed && all[k] % 5 != 0);
      tokens.ids.push_back(none ? -1 : all[k]);
      tokens.weights.push_back(static_cast<float>(random() % 1000) / 1000.0F);
    }
  }
  const uint64_t words = static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.payloadRowBytes() / 4;
  tokens.x.resize(words * 4);
  const uint32_t base = moe::mix32(seed * 977 + rank + 1);
  for (uint64_t i = 0; i < words; ++i) {
    const uint32_t word = moe::payloadPair(base, static_cast<uint32_t>(i));
    std::memcpy(tokens.x.data() + 4 * i, &word, 4);
  }
  tokens.scales.resize(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numScales());
  for (float& scale : tokens.scales) scale = static_cast<float>(random());
  return tokens;
}

struct ExpectedRows {
  std::vector<int32_t> count, expertBegin, sourceBegin, rowToken, sourceToken, tokenRow, tokenExpert;
  std::vector<float> tokenWeight;
  std::vector<uint32_t> source;  // of each received token
};

inline ExpectedRows expectedRows(const Shape& s, uint32_t alignment, const std::vector<SourceTokens>& all,
                                 uint32_t rank) {
  const auto local = static_cast<int32_t>(s.numLocalExperts());
  const auto first = static_cast<int32_t>(rank) * local;
  ExpectedRows e;
  std::vector<std::vector<int32_t>> lists(local);
  for (uint32_t source = 0; source < s.worldSize; ++source) {
    e.sourceBegin.push_back(static_cast<int32_t>(e.sourceToken.size()));
    for (uint32_t t = 0; t < all[source].numTokens; ++t) {
      const int32_t* ids = all[source].ids.data() + static_cast<size_t>(t) * s.numTopk;
      const auto isHere = [&](int32_t id) { return id >= first && id < first + local; };
      if (std::none_of(ids, ids + s.numTopk, isHere)) continue;
      for (uint32_t k = 0; k < s.numTopk; ++k) {
        e.tokenExpert.push_back(isHere(ids[k]) ? ids[k] - first : -1);
        e.tokenWeight.push_back(all[source].weights[static_cast<size_t>(t) * s.numTopk + k]);
        if (isHere(ids[k])) lists[ids[k] - first].push_back(static_cast<int32_t>(e.sourceToken.size()));
      }
      e.sourceToken.push_back(static_cast<int32_t>(t));
      e.source.push_back(source);
    }
  }
  e.sourceBegin.push_back(static_cast<int32_t>(e.sourceToken.size()));
  e.tokenRow.assign(e.tokenExpert.size(), -1);
  for (int32_t expert = 0; expert < local; ++expert) {
    e.count.push_back(static_cast<int32_t>(lists[expert].size()));
    e.expertBegin.push_back(static_cast<int32_t>(e.rowToken.size()));
    for (const int32_t received : lists[expert]) {
      for (uint32_t k = 0; k < s.numTopk; ++k) {
        const size_t at = static_cast<size_t>(received) * s.numTopk + k;
        if (e.tokenExpert[at] == expert) e.tokenRow[at] = static_cast<int32_t>(e.rowToken.size());
      }
      e.rowToken.push_back(received);
    }
    while (e.rowToken.size() % alignment != 0) e.rowToken.push_back(-1);
  }
  e.expertBegin.push_back(static_cast<int32_t>(e.rowToken.size()));
  return e;
}

// One column of what the experts returned for a row.
inline uint16_t expertOutput(uint32_t rank, uint32_t row, uint32_t column) {
  const uint32_t two = moe::payloadPair(moe::mix32(rank * 0x10001U + row + 7), column / 2);
  return static_cast<uint16_t>(column % 2 == 0 ? two : two >> 16);
}

// What a host sends back for one received token, column by column.
inline float hostedColumn(const Shape& s, const ExpectedRows& e, uint32_t host, uint32_t received,
                          uint32_t column, bool weighted) {
  if (s.outputLayout == OutputLayout::kRankMajor)
    return moe::bf16ToFloat(expertOutput(host, received, column));
  float sum = 0;
  for (uint32_t k = 0; k < s.numTopk; ++k) {
    const size_t at = static_cast<size_t>(received) * s.numTopk + k;
    if (e.tokenRow[at] < 0) continue;
    const float y = moe::bf16ToFloat(expertOutput(host, static_cast<uint32_t>(e.tokenRow[at]), column));
    sum = moe::addRounded(sum, moe::multiplyRounded(weighted ? e.tokenWeight[at] : 1.0F, y));
  }
  return moe::bf16ToFloat(moe::floatToBf16(sum));
}

// bf16 [numTokens, paddedHidden] of `owner`.
inline std::vector<uint16_t> expectedSums(const Shape& s, const std::vector<ExpectedRows>& hosts,
                                          uint32_t owner, uint32_t numTokens, bool weighted) {
  std::vector<uint16_t> out(static_cast<size_t>(numTokens) * s.paddedHidden());
  std::vector<std::vector<int32_t>> place(s.worldSize, std::vector<int32_t>(numTokens, -1));
  for (uint32_t host = 0; host < s.worldSize; ++host) {
    for (int32_t r = hosts[host].sourceBegin[owner]; r < hosts[host].sourceBegin[owner + 1]; ++r) {
      place[host][hosts[host].sourceToken[r]] = r;
    }
  }
  for (uint32_t t = 0; t < numTokens; ++t) {
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
      float sum = 0;
      for (uint32_t host = 0; host < s.worldSize; ++host) {
        if (place[host][t] < 0) continue;
        const auto received = static_cast<uint32_t>(place[host][t]);
        sum = moe::addRounded(sum, hostedColumn(s, hosts[host], host, received, c, weighted));
      }
      out[static_cast<size_t>(t) * s.paddedHidden() + c] = moe::floatToBf16(sum);
    }
  }
  return out;
}

}  // namespace railrunner::test
