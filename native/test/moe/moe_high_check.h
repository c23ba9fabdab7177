#pragma once

#include "moe/host/high_throughput/exchange.h"
#include "moe/host/high_throughput/received.h"
#include "test/moe/moe_reference.h"

// A plain reference for what a high-throughput dispatch leaves, and for the sums of its combine.
namespace railrunner::moe::test {

namespace ht = railrunner::moe::host::high_throughput;

// What one rank holds in addition to its exchange.
struct HighRank {
  HighRank(const Shape& s, const ht::Capacity& capacity)
      : received(s, capacity),
        y(capacity.rows * s.paddedHidden()),
        out(s.maxDispatchTokensPerRank * s.paddedHidden()) {}
  ht::HostReceived received;
  ht::Handle handle;
  std::vector<uint16_t> y;
  std::vector<uint16_t> out;
};

inline uint64_t digestOf(const Shape& s, const Tokens& tokens) {
  return ht::routingDigest({tokens.ids.data(), static_cast<size_t>(tokens.numTokens) * s.numTopk},
                           tokens.numTokens);
}

// Puts the tokens where the next dispatch reads them.
inline void fill(ht::HostExchange& exchange, const Tokens& tokens) {
  const Shape& s = exchange.shape();
  const size_t choices = static_cast<size_t>(tokens.numTokens) * s.numTopk;
  std::memcpy(exchange.x(), tokens.x.data(), tokens.numTokens * s.bf16RowBytes());
  std::copy_n(tokens.ids.begin(), choices, exchange.topkIdx());
  std::copy_n(tokens.weights.begin(), choices, exchange.topkWeights());
}

// bf16: every number and every row of what `rank` received, in its one place.
inline void checkReceived(const Shape& s, uint32_t expertAlignment, uint32_t rank,
                          const ht::ReceivedRows& rows, const std::vector<Tokens>& all) {
  std::vector<std::vector<int32_t>> ofExpert(s.numLocalExperts());
  std::vector<const uint16_t*> sent;
  for (uint32_t source = 0; source < s.worldSize; ++source) {
    CHECK(rows.sourceBegin[source] == static_cast<int32_t>(sent.size()), "source %u begins", source);
    for (uint32_t token = 0; token < all[source].numTokens; ++token) {
      bool comes = false;
      for (uint32_t k = 0; k < s.numTopk; ++k) {
        const int32_t id = all[source].ids[static_cast<size_t>(token) * s.numTopk + k];
        if (id < 0 || s.rankOfExpert(static_cast<uint32_t>(id)) != rank) continue;
        ofExpert[static_cast<uint32_t>(id) % s.numLocalExperts()].push_back(
            static_cast<int32_t>(sent.size()));
        comes = true;
      }
      if (!comes) continue;
      CHECK(rows.sourceToken[sent.size()] == static_cast<int32_t>(token), "received token %zu", sent.size());
      sent.push_back(all[source].x.data() + static_cast<size_t>(token) * s.paddedHidden());
    }
  }
  CHECK(rows.sourceBegin[s.worldSize] == static_cast<int32_t>(sent.size()), "received tokens");
  uint64_t begin = 0;
  for (uint32_t expert = 0; expert < s.numLocalExperts(); ++expert) {
    const std::vector<int32_t>& tokens = ofExpert[expert];
    CHECK(rows.expertBegin[expert] == static_cast<int32_t>(begin), "expert %u begins", expert);
    CHECK(rows.count[expert] == static_cast<int32_t>(tokens.size()), "expert %u: %d rows", expert,
          rows.count[expert]);
    for (size_t i = 0; i < tokens.size(); ++i) {
      CHECK(rows.rowToken[begin + i] == tokens[i], "expert %u row %zu", expert, i);
      CHECK(std::memcmp(rows.x + (begin + i) * s.payloadRowBytes(), sent[static_cast<size_t>(tokens[i])],
                        s.payloadRowBytes()) == 0,
            "rank %u expert %u row %zu: payload differs", rank, expert, i);
    }
    const uint64_t end = begin + ht::alignRows(tokens.size(), expertAlignment);
    for (uint64_t row = begin + tokens.size(); row < end; ++row) CHECK(rows.rowToken[row] == -1, "padding");
    begin = end;
  }
  CHECK(rows.expertBegin[s.numLocalExperts()] == static_cast<int32_t>(begin), "rows");
}

// Experts, combine, and every bit of what comes back. bf16, expert-major. nodes: as in PeerBases.
inline void combineAndCheck(ht::HostExchange& exchange, uint32_t rank, HighRank& mine, const Tokens& own,
                            const std::vector<uint32_t>& nodes = {}) {
  const Shape& s = exchange.shape();
  const ht::ReceivedRows& rows = mine.received.view();
  for (uint32_t expert = 0; expert < s.numLocalExperts(); ++expert) {
    for (int32_t i = 0; i < rows.count[expert]; ++i) {
      const auto row = static_cast<uint64_t>(rows.expertBegin[expert] + i);
      for (uint64_t at = row * s.paddedHidden(); at < (row + 1) * s.paddedHidden(); ++at) {
        uint16_t bits = 0;
        std::memcpy(&bits, rows.x + 2 * at, 2);
        mine.y[at] = roundToBf16(toFloat(bits) * expertFactor(rank * s.numLocalExperts() + expert));
      }
    }
  }
  exchange.combine(mine.y.data(), rows, mine.handle, mine.out.data());
  std::vector<float> x(s.paddedHidden());
  for (uint32_t token = 0; token < own.numTokens; ++token) {
    const uint64_t at = static_cast<uint64_t>(token) * s.paddedHidden();
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) x[c] = toFloat(own.x[at + c]);
    const std::vector<uint16_t> expected = combinedRow(s, own, token, x, rank, nodes);
    CHECK(std::memcmp(mine.out.data() + at, expected.data(), s.bf16RowBytes()) == 0,
          "rank %u token %u combined wrongly", rank, token);
  }
}

}  // namespace railrunner::moe::test
