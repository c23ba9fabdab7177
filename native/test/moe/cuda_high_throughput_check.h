#pragma once

#include "test/moe/cuda_high_throughput_ranks.h"

// What ranks of a high-throughput exchange have left, compared with the reference byte by byte.
namespace railrunner::test {

// Everybody's tokens of one call, and what they must become.
struct Scene {
  Scene(const Setting& setting, uint32_t theSeed) : seed(theSeed), skewed(setting.skewed) {
    const Shape& s = setting.shape;
    for (uint32_t r = 0; r < s.worldSize; ++r) {
      // Uneven, and one rank without tokens.
      const uint32_t fewer = (r * 29 + seed * 7) % s.maxDispatchTokensPerRank;
      const uint32_t numTokens = setting.full ? s.maxDispatchTokensPerRank
                                 : r == 2     ? 0
                                              : s.maxDispatchTokensPerRank - fewer;
      tokens.push_back(makeTokens(s, r, numTokens, seed, setting.full, skewed));
    }
    for (uint32_t r = 0; r < s.worldSize; ++r)
      expected.push_back(expectedRows(s, setting.alignment, tokens, r));
  }
  // Other content of the same routing.
  void newContent(Ranks& ranks) {
    for (uint32_t r = 0; r < tokens.size(); ++r) {
      const SourceTokens other =
          makeTokens(ranks.shape(), r, tokens[r].numTokens, seed + 1000, false, skewed);
      tokens[r].x = other.x;
      tokens[r].scales = other.scales;
      ranks[r].enter();
      const ht::CallArguments& a = ranks[r].arguments;
      const uint32_t slot = a.map.slots > 1 ? r : 0;
      check(cudaMemcpy(a.base[r] + a.map.xOffset(ranks.shape(), slot), other.x.data(), other.x.size(),
                       cudaMemcpyHostToDevice),
            "cudaMemcpy");
    }
  }

  uint32_t seed;
  bool skewed;
  std::vector<SourceTokens> tokens;
  std::vector<ExpectedRows> expected;
};

template <class T>
void expectSame(const std::vector<T>& found, const std::vector<T>& expected, const std::string& what) {
  expectEqual(found.size(), expected.size(), what + ": length");
  for (size_t i = 0; i < found.size(); ++i)
    expectEqual(found[i], expected[i], what + " " + std::to_string(i));
}

// One row of x and its scales against the token that it is of; source worldSize: padding, still poison.
inline void checkRow(const Ranks& ranks, const Scene& scene, const std::vector<uint8_t>& x,
                     const std::vector<float>& scales, uint64_t row, uint32_t source, uint32_t token,
                     const std::string& where) {
  const Shape& s = ranks.shape();
  const uint64_t rowBytes = s.payloadRowBytes();
  const uint8_t* found = x.data() + row * rowBytes;
  if (source == s.worldSize) {
    ok(std::all_of(found, found + rowBytes, [](uint8_t b) { return b == kPoison; }),
       where + ": padding was written");
    return;
  }
  const uint8_t* sent = scene.tokens[source].x.data() + token * rowBytes;
  ok(std::memcmp(found, sent, rowBytes) == 0, where + " row " + std::to_string(row) +
                                                  ": other bytes than token " + std::to_string(token) +
                                                  " of rank " + std::to_string(source));
  if (s.payload != DispatchDtype::kFp8E4m3) return;
  const float* sentScales = scene.tokens[source].scales.data() + static_cast<uint64_t>(token) * s.numScales();
  ok(std::memcmp(scales.data() + row * s.numScales(), sentScales, 4 * s.numScales()) == 0,
     where + " row " + std::to_string(row) + ": other scales");
}

inline void checkRows(Ranks& ranks, const Scene& scene) {
  const Shape& s = ranks.shape();
  const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
  for (uint32_t r = 0; r < s.worldSize; ++r) {
    const std::string where = "rank " + std::to_string(r);
    ranks[r].enter();
    expectEqual(ranks.control(r).failed, 0U, where + ": failed");
    const ExpectedRows& e = scene.expected[r];
    const moe::high_throughput::ReceivedRows& result = ranks[r].arguments.result;
    expectSame(fetched(result.count, e.count.size()), e.count, where + ": count");
    expectSame(fetched(result.expertBegin, e.expertBegin.size()), e.expertBegin, where + ": expertBegin");
    expectSame(fetched(result.sourceBegin, e.sourceBegin.size()), e.sourceBegin, where + ": sourceBegin");
    expectSame(fetched(result.rowToken, e.rowToken.size()), e.rowToken, where + ": rowToken");
    expectSame(fetched(result.sourceToken, e.sourceToken.size()), e.sourceToken, where + ": sourceToken");
    expectSame(fetched(result.tokenRow, e.tokenRow.size()), e.tokenRow, where + ": tokenRow");
    expectSame(fetched(result.tokenExpert, e.tokenExpert.size()), e.tokenExpert, where + ": tokenExpert");
    expectSame(fetched(result.tokenWeight, e.tokenWeight.size()), e.tokenWeight, where + ": tokenWeight");
    const uint64_t rows = rankMajor ? e.sourceToken.size() : e.rowToken.size();
    const auto x = fetched(result.x, rows * s.payloadRowBytes());
    const auto scales =
        fetched(result.scales, s.payload == DispatchDtype::kFp8E4m3 ? rows * s.numScales() : 0);
    for (uint64_t row = 0; row < rows; ++row) {
      const int32_t received = rankMajor ? static_cast<int32_t>(row) : e.rowToken[row];
      const uint32_t source = received < 0 ? s.worldSize : e.source[received];
      const auto token = static_cast<uint32_t>(received < 0 ? 0 : e.sourceToken[received]);
      checkRow(ranks, scene, x, scales, row, source, token, where);
    }
    if (rows == moe::high_throughput::rowsOfX(s, ranks.capacity())) continue;
    const auto guard = fetched(result.x + rows * s.payloadRowBytes(), s.payloadRowBytes());
    ok(std::all_of(guard.begin(), guard.end(), [](uint8_t b) { return b == kPoison; }),
       where + ": behind the rows");
  }
}

inline void checkSums(Ranks& ranks, const Scene& scene) {
  const Shape& s = ranks.shape();
  for (uint32_t r = 0; r < s.worldSize; ++r) {
    ranks[r].enter();
    expectEqual(ranks.control(r).failed, 0U, "rank " + std::to_string(r) + ": failed");
    const auto expected =
        expectedSums(s, scene.expected, r, scene.tokens[r].numTokens, ranks.setting().weighted);
    const auto all = fetched(ranks[r].out.as<uint16_t>(),
                             static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.paddedHidden());
    for (size_t i = 0; i < all.size(); ++i) {
      const uint16_t wanted =
          i < expected.size() ? expected[i] : static_cast<uint16_t>(kPoison << 8 | kPoison);
      if (all[i] == wanted) continue;
      throw Failure("rank " + std::to_string(r) + " token " + std::to_string(i / s.paddedHidden()) +
                    " column " + std::to_string(i % s.paddedHidden()) + ": expected bits " +
                    std::to_string(wanted) + ", found " + std::to_string(all[i]));
    }
  }
}

inline void checkReports(Ranks& ranks, const Scene& scene) {
  for (uint32_t r = 0; r < ranks.shape().worldSize; ++r) {
    const auto& report = *ranks[r].report.as<ht::NeedReport>();
    expectEqual(report.epoch, ranks.epoch(), "epoch of the report");
    for (uint32_t host = 0; host < ranks.shape().worldSize; ++host) {
      expectEqual(report.tokens[host], scene.expected[host].sourceToken.size(), "tokens that a rank needs");
      expectEqual(report.rows[host], scene.expected[host].rowToken.size(), "rows that a rank needs");
    }
  }
}

}  // namespace railrunner::test
