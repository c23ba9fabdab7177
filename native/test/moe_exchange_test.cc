#include <atomic>
#include <chrono>

#include "core/clock.h"
#include "moe_rounds.h"

// Dispatch and combine between ranks as threads: every format, layout and phase order against the reference.
namespace railrunner::moe::test {
namespace {

// A rank that sends nothing: the others stop at the abort word and say whom they waited for. The word is set
// once all of them stand in the call that cannot end and name the silent rank, however long they take to come
// there: from then on they wait for no other, since a wait names the first of those that are missing.
void checkSilentRank(const Shape& shape) {
  constexpr uint32_t kSilentCall = 1;
  std::vector<TestSeam> seams(shape.worldSize);
  seams[1].silentFromEpoch = 2 * kSilentCall + 1;  // a call dispatches and combines, in an epoch each
  Ranks ranks(shape, seams);
  std::vector<std::unique_ptr<Buffers>> buffers;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) buffers.push_back(std::make_unique<Buffers>(shape));
  std::thread deadline([&] {
    const int64_t limitNs = nowNs() + 60'000'000'000;
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      if (rank == 1) continue;
      const auto waits = [&] {
        return buffers[rank]->call.load() == kSilentCall && ranks.control(rank).awaitedPeer.load() == 1;
      };
      while (!waits() && nowNs() < limitNs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      CHECK(waits(), "rank %u awaits %d in call %u", rank, ranks.control(rank).awaitedPeer.load(),
            buffers[rank]->call.load());
    }
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) ranks.control(rank).abort.store(1);
  });
  const auto faults = ranks.run([&](uint32_t rank) {
    if (rank == 1) {
      try {
        oneRank(ranks, rank, 7, 4, *buffers[rank]);
      } catch (const Error&) {
        // Nobody answers the silent rank's next call either.
      }
      return;
    }
    oneRank(ranks, rank, 7, 4, *buffers[rank]);
  });
  deadline.join();
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
    if (rank == 1) continue;
    CHECK(faults[rank].find("stopped waiting for rank 1") != std::string::npos, "rank %u said: %s", rank,
          faults[rank].c_str());
    CHECK(shape.dedup || faults[rank].find("of expert ") != std::string::npos, "rank %u said: %s", rank,
          faults[rank].c_str());
  }
  std::printf("silent rank: %s\n", faults[0].c_str());
}

void checkSequence() {
  Shape shape;
  shape.worldSize = 1, shape.numExperts = 4, shape.numTopk = 2, shape.hidden = 128, shape.maxTokens = 4;
  Ranks ranks(shape, {});
  Buffers a(shape), b(shape), c(shape);
  const Tokens tokens(shape, 1, 0, 0, false);
  HostExchange& exchange = ranks.exchange(0);
  const auto refuses = [](auto&& call, const char* words) {
    try {
      call();
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kState && std::string(error.what()).find(words) != std::string::npos,
            "%s", error.what());
      return;
    }
    CHECK(false, "not refused: %s", words);
  };
  exchange.dispatchSend(tokens.view());
  refuses([&] { exchange.dispatchSend(tokens.view()); }, "Receive first");
  exchange.dispatchReceive(a.result.view);
  exchange.dispatchSend(tokens.view());
  exchange.dispatchReceive(b.result.view);
  refuses([&] { exchange.dispatchSend(tokens.view()); },
          "found two (epochs 1 and 2). Combine or discard one first");
  exchange.discard(a.result.view);
  exchange.dispatchSend(tokens.view());
  exchange.dispatchReceive(c.result.view);
  refuses([&] { exchange.combineSend(nullptr, tokens.view(), a.result.view); }, "not alive");
  std::printf("call sequence: ok\n");
}

// A third dispatch is refused on every rank before anything leaves: both results stay whole, and after one is
// given up the exchange goes on.
void checkThirdDispatch(const Shape& s) {
  Ranks ranks(s, {});
  const auto tokensOf = [&](uint32_t call) {
    std::vector<Tokens> all;
    for (uint32_t source = 0; source < s.worldSize; ++source) all.emplace_back(s, 23, call, source, false);
    return all;
  };
  const std::vector<Tokens> first = tokensOf(0), second = tokensOf(1), third = tokensOf(2);
  const auto faults = ranks.run([&](uint32_t rank) {
    HostExchange& exchange = ranks.exchange(rank);
    ResultMemory a(s), b(s);
    exchange.dispatchSend(first[rank].view());
    exchange.dispatchReceive(a.view);
    exchange.dispatchSend(second[rank].view());
    exchange.dispatchReceive(b.view);
    std::string said;
    try {
      exchange.dispatchSend(third[rank].view());
    } catch (const Error& error) {
      said = std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    CHECK(said.find("E_STATE: cannot begin a dispatch: expected at most one earlier result") == 0, "%s",
          said.c_str());
    CHECK(said.find("found two (epochs 1 and 2). Combine or discard one first.") != std::string::npos, "%s",
          said.c_str());
    checkDispatch(s, rank, a.view, first);
    checkDispatch(s, rank, b.view, second);
    exchange.discard(a.view);
    exchange.dispatchSend(third[rank].view());
    exchange.dispatchReceive(a.view);
    checkDispatch(s, rank, a.view, third);
  });
  for (const std::string& fault : faults) CHECK(fault.empty(), "%s", fault.c_str());
  std::printf("a third dispatch: refused\n");
}

void checkCorruption(Shape shape) {
  std::vector<TestSeam> seams(shape.worldSize);
  seams[2].corruptFromEpoch = 1;
  Ranks ranks(shape, seams);
  std::vector<std::unique_ptr<Buffers>> buffers;
  for (uint32_t rank = 0; rank < shape.worldSize; ++rank) buffers.push_back(std::make_unique<Buffers>(shape));
  const int before = failures;
  ranks.run([&](uint32_t rank) { oneRank(ranks, rank, 11, 1, *buffers[rank]); });
  const bool seen = failures > before;
  failures = before;
  CHECK(seen, "a flipped bit went unseen");
  std::printf("corruption: %s\n", seen ? "seen, as it must be" : "NOT SEEN");
}

}  // namespace
}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe;
  using namespace railrunner::moe::test;
  Shape s;
  s.worldSize = 4, s.numExperts = 16, s.numTopk = 4, s.hidden = 256, s.maxTokens = 24;
  for (const bool dedup : {false, true}) {
    s.dedup = dedup;
    s.payload = PayloadType::kBf16;
    check(dedup ? "dedup bf16" : "expert bf16", s, 20);
    s.payload = PayloadType::kFp8E4m3;
    check(dedup ? "dedup fp8" : "expert fp8", s, 20);
    s.roundScale = true;
    check(dedup ? "dedup fp8 power-of-two" : "expert fp8 power-of-two", s, 10);
    s.roundScale = false;
  }
  s.payload = PayloadType::kBf16;
  s.outputLayout = OutputLayout::kRankMajor;
  check("rank-major bf16", s, 20);
  s.zeroCopy = true;
  check("rank-major zero copy", s, 20);
  s.payload = PayloadType::kFp8E4m3;
  check("rank-major fp8 zero copy", s, 10);
  s.outputLayout = OutputLayout::kExpertMajor;
  s.payload = PayloadType::kBf16;
  s.dedup = false;
  check("expert zero copy", s, 20);
  s.zeroCopy = false;
  s.hidden = 300;  // padded to 384
  check("padded hidden", s, 10);
  s.dedup = true;
  s.numTopk = 16;
  check("every expert", s, 10);
  s.worldSize = 8, s.numExperts = 8, s.numTopk = 1, s.hidden = 128;
  check("top-1, one expert a rank", s, 20);
  s.worldSize = 1;
  check("one rank", s, 5);
  s.worldSize = 4, s.numExperts = 16, s.numTopk = 4, s.hidden = 256;
  checkSilentRank(s);
  checkCorruption(s);
  checkThirdDispatch(s);
  s.dedup = false;
  checkSilentRank(s);
  checkCorruption(s);
  checkThirdDispatch(s);
  checkSequence();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
