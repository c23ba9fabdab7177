#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "moe/host/low_latency/exchange.h"

// Ranks as threads over symmetric buffers of one process, and a reference that computes dispatch and combine
// in the plainest way, without the module's headers' help.
namespace railrunner::moe::test {

using namespace railrunner::moe::host;

inline int failures = 0;

#define CHECK(condition, ...)                                              \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      std::fprintf(stderr, __VA_ARGS__);                                   \
      std::fprintf(stderr, "\n");                                          \
      __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);                  \
    }                                                                      \
  } while (false)

inline uint64_t randomWord(uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  uint64_t x = state;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Memory that begins on a cache line and is zero.
struct Memory {
  explicit Memory(uint64_t bytes)
      : size((bytes + 127) / 64 * 64), data(static_cast<std::byte*>(std::aligned_alloc(64, size))) {
    std::memset(data, 0, size);
  }
  ~Memory() { std::free(data); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  uint64_t size;
  std::byte* data;
};

struct ResultMemory {
  explicit ResultMemory(const Shape& s)
      : x(s.resultRows() * s.payloadRowBytes()),
        scales(s.resultRows() * s.numScales()),
        count(std::max(s.numLocalExperts(), s.worldSize)),
        sourceToken(s.resultRows()),
        layoutRange(static_cast<size_t>(s.numLocalExperts()) * s.worldSize),
        messageCount(s.worldSize),
        messageToken(s.maxReceivedTokens()),
        messageRow(static_cast<size_t>(s.maxReceivedTokens()) * s.numTopk),
        messageWeight(messageRow.size()),
        ownRow(static_cast<size_t>(s.maxDispatchTokensPerRank) * s.numTopk),
        relayCount(s.worldSize),
        relayToken(messageToken.size()),
        relayIds(messageRow.size()) {
    view = {reinterpret_cast<uint8_t*>(x.data),
            scales.data(),
            count.data(),
            sourceToken.data(),
            layoutRange.data(),
            messageCount.data(),
            messageToken.data(),
            messageRow.data(),
            messageWeight.data(),
            ownRow.data(),
            nullptr,
            0,
            relayCount.data(),
            relayToken.data(),
            relayIds.data()};
  }
  Memory x;
  std::vector<float> scales;
  std::vector<int32_t> count, sourceToken;
  std::vector<uint64_t> layoutRange;
  std::vector<int32_t> messageCount, messageToken, messageRow;
  std::vector<float> messageWeight;
  std::vector<int32_t> ownRow, relayCount, relayToken, relayIds;
  DispatchResult view;
};

// Tokens of one rank in one call: a function of (seed, call, rank), so that every rank knows everybody's.
struct Tokens {
  std::vector<uint16_t> x;
  std::vector<int32_t> ids;
  std::vector<float> weights;
  uint32_t numTokens = 0;

  Tokens(const Shape& s, uint64_t seed, uint32_t call, uint32_t rank, bool skewed) {
    uint64_t state = seed ^ (static_cast<uint64_t>(call) << 32) ^ (static_cast<uint64_t>(rank) << 20);
    numTokens = static_cast<uint32_t>(randomWord(state) % (s.maxDispatchTokensPerRank + 1));
    if (call % 7 == 3 && rank % 2 == 1) numTokens = 0;
    x.resize(static_cast<size_t>(s.maxDispatchTokensPerRank) * s.paddedHidden());
    ids.assign(static_cast<size_t>(s.maxDispatchTokensPerRank) * s.numTopk, -1);
    weights.resize(ids.size());
    for (uint32_t token = 0; token < numTokens; ++token) {
      uint16_t* row = x.data() + static_cast<size_t>(token) * s.paddedHidden();
      for (uint32_t c = 0; c < s.hidden; ++c) {
        const uint64_t word = randomWord(state);
        row[c] = static_cast<uint16_t>(((word & 1) << 15) | ((120 + (word >> 8) % 10) << 7) |
                                       ((word >> 16) & 0x7f));
      }
      for (uint32_t k = 0; k < s.numTopk; ++k) choose(s, token, k, state, skewed);
    }
  }

  TokenBatch view() const { return {x.data(), ids.data(), weights.data(), numTokens}; }

 private:
  void choose(const Shape& s, uint32_t token, uint32_t k, uint64_t& state, bool skewed) {
    int32_t* of = ids.data() + static_cast<size_t>(token) * s.numTopk;
    weights[static_cast<size_t>(token) * s.numTopk + k] =
        static_cast<float>(randomWord(state) % 1000) / 1000.0F + 0.001F;
    if (randomWord(state) % 16 == 0) return;  // stays -1
    for (int attempt = 0; attempt < 64; ++attempt) {
      uint64_t word = randomWord(state);
      if (skewed) word = (word % s.numExperts) * (randomWord(state) % s.numExperts) / s.numExperts;
      const auto expert = static_cast<int32_t>(word % s.numExperts);
      bool taken = false;
      for (uint32_t j = 0; j < k; ++j) taken = taken || of[j] == expert;
      if (!taken) {
        of[k] = expert;
        return;
      }
    }
  }
};

inline float toFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

// What the simulated expert makes of a row: an own sign and power of two, so that swapped experts show.
inline float expertFactor(uint32_t expert) {
  const float factors[] = {1.0F, -2.0F, 0.5F, -1.0F, 4.0F};
  return factors[expert % 5];
}

class Ranks {
 public:
  // nodeOfRank: given, tokens are forwarded inside nodes; what would cross the network is written into
  // memory.
  Ranks(const Shape& shape, const std::vector<TestSeam>& seams, const std::vector<uint32_t>& nodeOfRank = {})
      : shape_(shape), layout_(bufferLayout(shape)), nodeOfRank_(nodeOfRank) {
    PeerBases peers;
    peers.nodeOfRank = nodeOfRank;
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      buffers_.push_back(std::make_unique<Memory>(layout_.totalBytes));
      peers.base.push_back(buffers_.back()->data);
    }
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      peers.rank = rank;
      controls_.push_back(std::make_unique<RunControl>());
      exchanges_.push_back(std::make_unique<HostExchange>(shape, peers, *controls_.back(), NetworkLink{},
                                                          seams.empty() ? TestSeam{} : seams[rank]));
    }
  }

  const Shape& shape() const { return shape_; }
  const std::vector<uint32_t>& nodeOfRank() const { return nodeOfRank_; }
  HostExchange& exchange(uint32_t rank) { return *exchanges_[rank]; }
  RunControl& control(uint32_t rank) { return *controls_[rank]; }
  std::byte* buffer(uint32_t rank) { return buffers_[rank]->data; }

  // Runs body(rank) on a thread per rank; returns each rank's failure text ('' = none).
  std::vector<std::string> run(const std::function<void(uint32_t)>& body) {
    std::vector<std::string> faults(shape_.worldSize);
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < shape_.worldSize; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          body(rank);
        } catch (const std::exception& error) {
          faults[rank] = error.what();
          // The others need not wait for one that failed.
          for (auto& control : controls_) control->abort.store(1, std::memory_order_relaxed);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return faults;
  }

 private:
  Shape shape_;
  BufferLayout layout_;
  std::vector<uint32_t> nodeOfRank_;
  std::vector<std::unique_ptr<Memory>> buffers_;
  std::vector<std::unique_ptr<RunControl>> controls_;
  std::vector<std::unique_ptr<HostExchange>> exchanges_;
};

}  // namespace railrunner::moe::test
