#pragma once

#include <algorithm>
#include <cmath>

#include "test/moe/moe_ranks.h"

// What must come out, computed token by token over all ranks' inputs.
namespace railrunner::moe::test {

// The value of an e4m3 code, from its definition.
inline float valueOfCode(uint8_t code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  const double value = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return static_cast<float>((code & 0x80) != 0 ? -value : value);
}

inline uint16_t roundToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint32_t low = bits & 0xffffU;
  uint32_t high = bits >> 16;
  if (low > 0x8000U || (low == 0x8000U && (high & 1U) != 0)) ++high;
  return static_cast<uint16_t>(high);
}

// Row `row` of a result as floats, whatever its type.
inline std::vector<float> resultRow(const Shape& s, const DispatchResult& result, uint64_t row) {
  std::vector<float> values(s.paddedHidden());
  for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
    const uint64_t index = row * s.paddedHidden() + c;
    if (s.payload == DispatchDtype::kBf16) {
      uint16_t bits;
      std::memcpy(&bits, result.x + 2 * index, 2);
      values[c] = toFloat(bits);
    } else {
      values[c] = valueOfCode(result.x[index]) * result.scales[row * s.numScales() + c / 128];
    }
  }
  return values;
}

// Largest relative step of e4m3 against the block's largest value.
inline bool rowMatches(const Shape& s, const std::vector<float>& received, const uint16_t* sent) {
  for (uint32_t block = 0; block < s.numScales(); ++block) {
    float amax = 1e-4F;
    for (uint32_t c = 0; c < 128; ++c) amax = std::max(amax, std::fabs(toFloat(sent[block * 128 + c])));
    for (uint32_t c = block * 128; c < block * 128 + 128; ++c) {
      const float exact = toFloat(sent[c]);
      const float slack =
          std::max(std::fabs(exact) / 16.0F, amax / 448.0F / 512.0F) * (s.roundScale ? 2.0F : 1.0F);
      const float tolerance = s.payload == DispatchDtype::kBf16 ? 0.0F : slack * 1.001F;
      if (!(std::fabs(received[c] - exact) <= tolerance)) return false;
    }
  }
  return true;
}

// Checks counts, multisets of tokens and payloads of one rank's result.
inline void checkDispatch(const Shape& s, uint32_t rank, const DispatchResult& result,
                          const std::vector<Tokens>& all) {
  const uint32_t numLocal = s.numLocalExperts();
  const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
  const uint32_t groups = rankMajor ? 1 : numLocal;
  std::vector<uint32_t> total(groups, 0);
  for (uint32_t source = 0; source < s.worldSize; ++source) {
    for (uint32_t group = 0; group < groups; ++group) {
      const uint64_t range =
          result.layoutRange[rankMajor ? source : static_cast<uint64_t>(group) * s.worldSize + source];
      const auto count = static_cast<uint32_t>(range);
      const auto begin = static_cast<uint32_t>(range >> 32);
      std::vector<uint32_t> expected, found;
      for (uint32_t token = 0; token < all[source].numTokens; ++token) {
        bool comes = false;
        for (uint32_t k = 0; k < s.numTopk; ++k) {
          const int32_t id = all[source].ids[static_cast<size_t>(token) * s.numTopk + k];
          comes = comes || (id >= 0 && static_cast<uint32_t>(id) / numLocal == rank &&
                            (rankMajor || static_cast<uint32_t>(id) % numLocal == group));
        }
        if (comes) expected.push_back(token);
      }
      const uint64_t base =
          rankMajor ? 0 : static_cast<uint64_t>(group) * s.worldSize * s.maxDispatchTokensPerRank;
      for (uint32_t i = 0; i < count; ++i) {
        const auto token = static_cast<uint32_t>(result.sourceToken[base + begin + i]);
        found.push_back(token);
        if (token >= all[source].numTokens) continue;
        CHECK(rowMatches(s, resultRow(s, result, base + begin + i),
                         all[source].x.data() + static_cast<size_t>(token) * s.paddedHidden()),
              "rank %u group %u source %u token %u: payload differs", rank, group, source, token);
      }
      std::sort(found.begin(), found.end());
      CHECK(found == expected, "rank %u group %u source %u: %zu tokens, expected %zu", rank, group, source,
            found.size(), expected.size());
      total[group] += count;
    }
    if (rankMajor)
      CHECK(result.count[source] == static_cast<int32_t>(result.layoutRange[source]), "source %u", source);
  }
  for (uint32_t group = 0; !rankMajor && group < groups; ++group) {
    CHECK(result.count[group] == static_cast<int32_t>(total[group]),
          "rank %u expert %u: count %d, expected %u", rank, group, result.count[group], total[group]);
  }
}

// y: what the experts make of the result, in the layout that combine takes.
inline void runExperts(const Shape& s, uint32_t rank, const DispatchResult& result, uint16_t* y) {
  const uint32_t numLocal = s.numLocalExperts();
  const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
  for (uint32_t group = 0; group < (rankMajor ? s.worldSize : numLocal); ++group) {
    for (int32_t i = 0; i < result.count[group]; ++i) {
      const uint64_t row =
          static_cast<uint64_t>(group) * (rankMajor ? s.maxDispatchTokensPerRank : s.maxReceivedTokens()) + i;
      const std::vector<float> x = resultRow(s, result, row);
      for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
        float value = 0;
        if (!rankMajor) {
          value = x[c] * expertFactor(rank * numLocal + group);
        } else {
          for (uint32_t k = 0; k < s.numTopk; ++k) {
            const int32_t local = result.messageRow[row * s.numTopk + k];
            if (local < 0) continue;
            const float output =
                toFloat(roundToBf16(x[c] * expertFactor(rank * numLocal + static_cast<uint32_t>(local))));
            value = value + result.messageWeight[row * s.numTopk + k] * output;
          }
        }
        y[row * s.paddedHidden() + c] = roundToBf16(value);
      }
    }
  }
}

// What one rank's experts make of one column of a token, as it leaves the rank.
inline float partialOf(const Shape& s, const Tokens& tokens, uint32_t token, uint32_t host, float x) {
  float partial = 0;
  for (uint32_t k = 0; k < s.numTopk; ++k) {
    const int32_t id = tokens.ids[static_cast<size_t>(token) * s.numTopk + k];
    if (id < 0 || static_cast<uint32_t>(id) / s.numLocalExperts() != host) continue;
    const float y = toFloat(roundToBf16(x * expertFactor(static_cast<uint32_t>(id))));
    const float product = tokens.weights[static_cast<size_t>(token) * s.numTopk + k] * y;
    partial = partial + product;
  }
  return toFloat(roundToBf16(partial));
}

// One column of a token of `owner`, dedup on. With nodes: another node's ranks are summed first, and stand
// where its rank is that is as many ranks into its node as the owner is into its own.
inline uint16_t combinedColumn(const Shape& s, const Tokens& tokens, uint32_t token, float x, uint32_t owner,
                               const std::vector<uint32_t>& nodes) {
  const auto placeOf = [&](uint32_t rank) {
    return std::count(nodes.begin(), nodes.begin() + rank, nodes[rank]);
  };
  float sum = 0;
  for (uint32_t rank = 0; rank < s.worldSize; ++rank) {
    if (nodes.empty() || nodes[rank] == nodes[owner]) {
      sum = sum + partialOf(s, tokens, token, rank, x);
    } else if (placeOf(rank) == placeOf(owner)) {
      float ofNode = 0;
      for (uint32_t host = 0; host < s.worldSize; ++host) {
        if (nodes[host] == nodes[rank]) ofNode = ofNode + partialOf(s, tokens, token, host, x);
      }
      sum = sum + toFloat(roundToBf16(ofNode));
    }
  }
  return roundToBf16(sum);
}

// The combined row of one token of `owner`, in the tree that the shape says. `x` is what the experts
// received.
inline std::vector<uint16_t> combinedRow(const Shape& s, const Tokens& tokens, uint32_t token,
                                         const std::vector<float>& x, uint32_t owner,
                                         const std::vector<uint32_t>& nodes) {
  std::vector<uint16_t> out(s.paddedHidden());
  for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
    if (s.dedup) {
      out[c] = combinedColumn(s, tokens, token, x[c], owner, nodes);
      continue;
    }
    float sum = 0;
    for (uint32_t k = 0; k < s.numTopk; ++k) {
      const int32_t id = tokens.ids[static_cast<size_t>(token) * s.numTopk + k];
      if (id < 0) continue;
      const float y = toFloat(roundToBf16(x[c] * expertFactor(static_cast<uint32_t>(id))));
      const float product = tokens.weights[static_cast<size_t>(token) * s.numTopk + k] * y;
      sum = sum + product;
    }
    out[c] = roundToBf16(sum);
  }
  return out;
}

}  // namespace railrunner::moe::test
