#pragma once

#include <atomic>

#include "test/moe/moe_reference.h"

// Rounds of dispatch and combine between ranks as threads, each compared with the reference.
namespace railrunner::moe::test {

struct Buffers {
  explicit Buffers(const Shape& s)
      : result(s),
        ownY(s.resultRows() * s.bf16RowBytes()),
        out(s.maxDispatchTokensPerRank * s.bf16RowBytes()) {}
  ResultMemory result;
  Memory ownY;
  Memory out;
  std::atomic<uint32_t> call{0};  // that the rank is in
};

inline void checkCombine(const Ranks& ranks, uint32_t rank, const Tokens& tokens, const uint16_t* out) {
  const Shape& s = ranks.shape();
  for (uint32_t token = 0; token < tokens.numTokens; ++token) {
    const uint16_t* sent = tokens.x.data() + static_cast<size_t>(token) * s.paddedHidden();
    std::vector<float> x(s.paddedHidden());
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) x[c] = toFloat(sent[c]);
    const std::vector<uint16_t> expected = combinedRow(s, tokens, token, x, rank, ranks.nodeOfRank());
    const uint16_t* got = out + static_cast<size_t>(token) * s.paddedHidden();
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
      // fp8: what the experts saw is a rounded x; 1/16 of each term is the format's step.
      const bool ok = s.payload == DispatchDtype::kBf16
                          ? got[c] == expected[c]
                          : std::fabs(toFloat(got[c]) - toFloat(expected[c])) <= 16.0F;
      if (ok) continue;
      CHECK(false, "rank %u token %u column %u: combined %g, expected %g", rank, token, c, toFloat(got[c]),
            toFloat(expected[c]));
      return;
    }
  }
}

inline void oneRank(Ranks& ranks, uint32_t rank, uint64_t seed, uint32_t calls, Buffers& mine) {
  const Shape& s = ranks.shape();
  HostExchange& exchange = ranks.exchange(rank);
  for (uint32_t call = 0; call < calls; ++call) {
    mine.call.store(call);
    const bool skewed = call % 3 == 1;
    std::vector<Tokens> all;
    for (uint32_t source = 0; source < s.worldSize; ++source) all.emplace_back(s, seed, call, source, skewed);
    const TokenBatch batch = all[rank].view();
    requireLegal(s, batch);
    exchange.dispatchSend(batch);
    exchange.dispatchReceive(mine.result.view);
    checkDispatch(s, rank, mine.result.view, all);
    if (call % 5 == 4) {  // a dispatch that nobody combines moves the halves' parity
      exchange.discard(mine.result.view);
      continue;
    }
    auto* y = s.zeroCopy ? exchange.combineInput() : reinterpret_cast<uint16_t*>(mine.ownY.data);
    runExperts(s, rank, mine.result.view, y);
    auto* out = reinterpret_cast<uint16_t*>(mine.out.data);
    exchange.combineSend(y, batch, mine.result.view);
    exchange.combineReceive(out);
    checkCombine(ranks, rank, all[rank], out);
  }
}

inline void check(const char* name, const Shape& shape, uint32_t calls,
                  const std::vector<uint32_t>& nodes = {}) {
  Ranks ranks(shape, {}, nodes);
  std::vector<std::unique_ptr<Buffers>> buffers;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) buffers.push_back(std::make_unique<Buffers>(shape));
  const int before = failures;
  const auto faults = ranks.run([&](uint32_t rank) { oneRank(ranks, rank, 42, calls, *buffers[rank]); });
  for (const std::string& fault : faults) CHECK(fault.empty(), "%s: %s", name, fault.c_str());
  std::printf("%s: %s\n", name, failures == before ? "ok" : "FAILED");
}

}  // namespace railrunner::moe::test
