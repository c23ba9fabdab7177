#pragma once

#include <array>
#include <atomic>
#include <cstdint>

// What a test tells the library that stands in for NCCL, and what it asks of it: through
// standInControl(), found by dlsym. Ranks are threads of the test; buffers are plain memory.
namespace railrunner::test {

enum class StandInCall : uint32_t {
  kGetVersion,
  kGetUniqueId,
  kInit,
  kInitAsync,  // what ncclCommGetAsyncError says once the init is over
  kGroupStart,
  kGroupEnd,
  kBroadcast,
  kAllGather,
  kCollectiveAsync,  // what ncclCommGetAsyncError says once collectives have begun
  kFinalize,
  kDestroy,
  kCount
};

struct StandInControl {
  std::atomic<int> version{22809};
  // By call: the result it returns from now on, for rank `onlyRank` or (-1) every rank; 0 = it works.
  std::array<std::atomic<int>, static_cast<size_t>(StandInCall::kCount)> results{};
  std::atomic<int> onlyRank{-1};
  std::atomic<bool> saysNothing{false};  // has no last error
  // Seen: the configuration that came last, and calls by number.
  std::array<uint8_t, 120> config{};
  // Calls on a communicator that was not ready; each spoils it for good, as NCCL 2.28.9 does.
  std::atomic<int> earlyCalls{0};
  std::atomic<int> aborted{0};
  std::atomic<int> destroyed{0};
  std::atomic<int> broadcasts{0};
  std::atomic<int> allGathers{0};
  std::atomic<int> idsMade{0};

  void set(StandInCall call, int result, int rank = -1) {
    onlyRank = rank;
    results[static_cast<size_t>(call)] = result;
  }
  void reset() {
    for (auto& result : results) result = 0;
    onlyRank = -1;
    saysNothing = false;
    version = 22809;
    aborted = destroyed = broadcasts = allGathers = earlyCalls = 0;
  }
};

}  // namespace railrunner::test
