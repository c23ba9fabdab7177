#include <atomic>
#include <chrono>

#include "core/clock.h"
#include "core/gate.h"
#include "device/host/host_device.h"
#include "moe/bench.h"
#include "test/moe/moe_rounds.h"

// Dispatch and combine between ranks as threads: every format, layout and phase order against the reference.
namespace railrunner::moe::test {
namespace {

// A single rank.
struct AloneExchange : Exchange {
  uint32_t rank() const override { return 0; }
  uint32_t worldSize() const override { return 1; }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> own, int64_t) override {
    return {{own.begin(), own.end()}};
  }
};

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
  shape.worldSize = 1, shape.numExperts = 4, shape.numTopk = 2, shape.hidden = 128,
  shape.maxDispatchTokensPerRank = 4;
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

// What a peer's messages claim is not followed: bytes that changed on their way end in wrong data, by name.
void checkHostileMessages(Shape shape) {
  shape.worldSize = 2, shape.numExperts = 4, shape.numTopk = 2;
  const BufferLayout layout = bufferLayout(shape);
  const MessageFormat& format = layout.message;
  const auto refuses = [&](const char* what, const char* words, auto&& change) {
    Ranks ranks(shape, {});
    std::vector<uint16_t> x(static_cast<size_t>(shape.maxDispatchTokensPerRank) * shape.paddedHidden(),
                            0x3f80);
    std::vector<int32_t> ids;
    for (uint32_t token = 0; token < shape.maxDispatchTokensPerRank; ++token) ids.insert(ids.end(), {2, 3});
    const std::vector<float> weights(ids.size(), 0.5F);
    const TokenBatch batch{x.data(), ids.data(), weights.data(), shape.maxDispatchTokensPerRank};
    for (uint32_t rank = 0; rank < 2; ++rank) ranks.exchange(rank).dispatchSend(batch);
    for (uint32_t copy = 0; copy < shape.maxDispatchTokensPerRank; ++copy) {
      change(
          ranks.buffer(0) + layout.sendOffset(1) + copy * format.strideBytes,
          ranks.buffer(1) + layout.receiveOffset(1) + dispatchSlotOffset(shape, layout, 0, 0, 0) + 4 * copy);
    }
    ResultMemory result(shape);
    std::string said;
    try {
      ranks.exchange(1).dispatchReceive(result.view);
    } catch (const Error& error) {
      said = std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    CHECK(said.find("E_WRONG_DATA: ") == 0 && said.find("rank 0") != std::string::npos &&
              said.find(words) != std::string::npos,
          "%s: %s", what, said.empty() ? "nothing was said" : said.c_str());
  };
  const auto setWord = [](std::byte* at, uint32_t value) { std::memcpy(at, &value, sizeof(value)); };
  refuses("an expert named twice", "names expert 2 twice",
          [&](std::byte* message, std::byte*) { setWord(message + format.idsOffset + 4, 2); });
  refuses("a token that cannot be", "claims token 4294967295",
          [&](std::byte* message, std::byte*) { setWord(message, UINT32_MAX); });
  refuses("a token without a message", "claims token 4294967295",
          [&](std::byte*, std::byte* listed) { setWord(listed, UINT32_MAX); });
  refuses("another epoch", "of epoch 77", [&](std::byte* message, std::byte*) { setWord(message + 4, 77); });
  std::printf("hostile messages: refused\n");
}

// zeroCopy: rows are read where a peer says that they lie, which must be among its rows and of the owner's own choices.
void checkHostileRows(Shape shape) {
  shape.worldSize = 2, shape.numExperts = 4, shape.numTopk = 2, shape.zeroCopy = true;
  const BufferLayout layout = bufferLayout(shape);
  const auto refuses = [&](const char* words, int32_t claimed, uint32_t choice) {
    Ranks ranks(shape, {});
    std::vector<uint16_t> x(shape.paddedHidden(), 0x3f80);
    const int32_t ids[] = {2, 1};  // the second choice is the owner's own where dedup is on
    const float weights[] = {0.5F, 0.5F};
    const TokenBatch batch{x.data(), ids, weights, 1};
    ResultMemory results[] = {ResultMemory(shape), ResultMemory(shape)};
    for (uint32_t rank = 0; rank < 2; ++rank) ranks.exchange(rank).dispatchSend(batch);
    for (uint32_t rank = 0; rank < 2; ++rank) ranks.exchange(rank).dispatchReceive(results[rank].view);
    for (uint32_t rank = 0; rank < 2; ++rank) {
      HostExchange& exchange = ranks.exchange(rank);
      exchange.combineSend(exchange.combineInput(), batch, results[rank].view);
    }
    const uint32_t origin = shape.dedup ? 1 : 2;
    std::memcpy(
        ranks.buffer(0) + layout.receiveOffset(0) + combineSlotOffset(shape, layout, origin, 0) + 4 * choice,
        &claimed, sizeof(claimed));
    std::string said;
    try {
      ranks.exchange(0).combineReceive(x.data());
    } catch (const Error& error) {
      said = std::string(errorCodeName(error.code())) + ": " + error.what();
    }
    CHECK(said.find("E_WRONG_DATA: ") == 0 && said.find("rank 1") != std::string::npos &&
              said.find(words) != std::string::npos,
          "%s: %s", words, said.empty() ? "nothing was said" : said.c_str());
  };
  refuses("points at row 1048576", 1 << 20, 0);
  if (shape.dedup) refuses("has a row for choice 1 of token 0", 0, 1);
  if (!shape.dedup) refuses("points at row -1", -1, 0);
  std::printf("hostile rows: refused\n");
}

// The rule that guards memory is asked in 64 bits: a product that wraps in 32 must not pass it.
void checkIllegalShapes() {
  const auto refuses = [](uint32_t worldSize, uint32_t numExperts, uint32_t maxDispatchTokensPerRank,
                          OutputLayout output) {
    Shape s;
    s.worldSize = worldSize, s.numExperts = numExperts, s.numTopk = 8, s.hidden = 128,
    s.maxDispatchTokensPerRank = maxDispatchTokensPerRank;
    s.outputLayout = output;
    std::string said;
    try {
      requireLegal(s);
    } catch (const Error& error) {
      said = error.what();
    }
    const uint64_t groups = output == OutputLayout::kExpertMajor ? numExperts / worldSize : 1;
    const std::string rows = std::to_string(groups * worldSize * maxDispatchTokensPerRank);
    CHECK(said.find("result rows, received " + rows) != std::string::npos, "%u x %u: %s", worldSize,
          maxDispatchTokensPerRank, said.c_str());
  };
  refuses(4096, 4096, 1 << 20, OutputLayout::kRankMajor);  // 2^32: 0 in 32 bits
  refuses(4096, 4096, 1 << 20, OutputLayout::kExpertMajor);
  refuses(4096, 65536, (1 << 20) - 1, OutputLayout::kExpertMajor);
  refuses(2048, 2048, 1 << 20, OutputLayout::kRankMajor);  // 2^31: negative as a row
  std::printf("illegal shapes: refused\n");
}

// One sample without a warmup is first and last at once: what it leaves must tell whether it wrote more than its
// rows.
void checkSingleSample(Shape shape) {
  shape.worldSize = 1;
  shape.numExperts = 4;
  shape.numTopk = 2;
  for (const OutputLayout output : {OutputLayout::kExpertMajor, OutputLayout::kRankMajor}) {
    if (output == OutputLayout::kRankMajor && !shape.dedup) continue;
    shape.outputLayout = output;
    AloneExchange alone;
    HostDevice device(0);
    RunControl control;
    BenchOptions options;
    options.shape = shape;
    options.overNetwork = {0};
    const auto bench = openBench(alone, device, control, options, {{0, 1, 0, 2}, {1, 1, 1, 1}, 2}, 0);
    SoloGate gate;
    bench->measure({0, 1, false}, GateRef(gate));
    const BenchResults results = bench->results();
    CHECK(!results.guard.empty(), "no row behind a group was looked at");
    for (const uint8_t byte : results.guard) {
      if (byte == 0x7f) continue;
      CHECK(false, "a byte behind the last row of a group: expected 127, found %u", byte);
      break;
    }
    for (size_t i = 2ULL * shape.paddedHidden(); i < results.combined.size(); ++i) {
      if (results.combined[i] == 0x7f7f) continue;
      CHECK(false, "combined row %zu of no token was written", i / shape.paddedHidden());
      break;
    }
    bench->close(&alone, 0);
  }
  std::printf("a single sample: on poisoned memory\n");
}

}  // namespace
// Rows per rank, and combine that reads rows where they were written.
void checkOutputsAndCopies(Shape s) {
  s.outputLayout = OutputLayout::kRankMajor;
  check("rank-major bf16", s, 20);
  s.zeroCopy = true;
  check("rank-major zero copy", s, 20);
  s.payload = DispatchDtype::kFp8E4m3;
  check("rank-major fp8 zero copy", s, 10);
  s.outputLayout = OutputLayout::kExpertMajor;
  s.payload = DispatchDtype::kBf16;
  s.dedup = false;
  check("expert zero copy", s, 20);
  s.dedup = true;
  check("dedup zero copy", s, 20);
  s.payload = DispatchDtype::kFp8E4m3;
  check("dedup fp8 zero copy", s, 20);
  s.payload = DispatchDtype::kBf16;
}

}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe;
  using namespace railrunner::moe::test;
  Shape s;
  s.worldSize = 4, s.numExperts = 16, s.numTopk = 4, s.hidden = 256, s.maxDispatchTokensPerRank = 24;
  for (const bool dedup : {false, true}) {
    s.dedup = dedup;
    s.payload = DispatchDtype::kBf16;
    check(dedup ? "dedup bf16" : "expert bf16", s, 20);
    s.payload = DispatchDtype::kFp8E4m3;
    check(dedup ? "dedup fp8" : "expert fp8", s, 20);
    s.roundScale = true;
    check(dedup ? "dedup fp8 power-of-two" : "expert fp8 power-of-two", s, 10);
    s.roundScale = false;
  }
  s.payload = DispatchDtype::kBf16;
  checkOutputsAndCopies(s);
  s.dedup = false;
  s.hidden = 300;  // padded to 384
  check("padded hidden", s, 10);
  s.dedup = true;
  s.numTopk = 16;
  check("every expert", s, 10);
  s.numExperts = 48, s.numTopk = 22;
  check("top 22", s, 10);
  s.numTopk = 32, s.dedup = false;
  check("top 32 without dedup", s, 10);
  s.dedup = true, s.payload = DispatchDtype::kFp8E4m3;
  check("top 32 fp8", s, 10);
  s.payload = DispatchDtype::kBf16;
  s.worldSize = 8, s.numExperts = 8, s.numTopk = 1, s.hidden = 128;
  check("top-1, one expert per rank", s, 20);
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
  checkSingleSample(s);
  s.dedup = true;
  checkSingleSample(s);
  checkHostileMessages(s);
  checkHostileRows(s);
  s.dedup = false;
  checkHostileRows(s);
  s.dedup = true;
  s.outputLayout = OutputLayout::kRankMajor;
  checkHostileMessages(s);
  checkIllegalShapes();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
