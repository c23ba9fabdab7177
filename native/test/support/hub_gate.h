#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/exchange.h"

namespace railrunner::test {

// A gate over the hub of the test's ranks; one that failed lets the others go.
struct HubGate {
  explicit HubGate(Exchange& of) : exchange(of) {}
  uint32_t arrive(uint32_t stopWord) {
    uint32_t most = stopWord;
    for (const auto& one : exchange.allgather(bytesOf(stopWord), 0)) {
      uint32_t word = 0;
      std::memcpy(&word, one.data(), sizeof(word));
      most = std::max(most, word);
    }
    return most;
  }
  static std::vector<uint8_t> bytesOf(uint32_t word) {
    std::vector<uint8_t> bytes(sizeof(word));
    std::memcpy(bytes.data(), &word, sizeof(word));
    return bytes;
  }
  double lastSkewUs() { return 0; }
  void fail() {}
  Exchange& exchange;
};

}  // namespace railrunner::test
