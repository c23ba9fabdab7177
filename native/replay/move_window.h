#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kv/block_pool.h"

namespace railrunner {

// What a request does to the slots of the tiers, decided before (jobs/cache). A slot holds one prefix block, which is
// one or several blocks of the pools.
enum class MoveList : uint32_t {
  kHits = 0,  // in the device already: source is the slot
  kHostToDisk,
  kDeviceToHost,
  kDeviceToDisk,
  kHostToDevice,
  kDiskToDevice,
  kFills  // recomputed: target is the slot
};
constexpr uint32_t kNumMoveLists = 7;

struct Direction {
  MoveList list;
  Tier from;
  Tier to;
};
constexpr std::array<Direction, 5> kDirections{{{MoveList::kHostToDisk, Tier::kHost, Tier::kDisk},
                                                {MoveList::kDeviceToHost, Tier::kDevice, Tier::kHost},
                                                {MoveList::kDeviceToDisk, Tier::kDevice, Tier::kDisk},
                                                {MoveList::kHostToDevice, Tier::kHost, Tier::kDevice},
                                                {MoveList::kDiskToDevice, Tier::kDisk, Tier::kDevice}}};

constexpr size_t indexOf(const Direction& direction) { return static_cast<size_t>(direction.list) - 1; }

// `content` names what the block holds, wherever it lies: a digest of its id and all ids before it.
struct SlotMove {
  uint32_t source = 0;
  uint32_t target = 0;
  uint64_t content = 0;
};

struct RequestArrival {
  double dueUs = 0;       // by the clock of the replay
  int64_t previous = -1;  // the request of the session before, by number; -1: none
  double delayUs = -1;    // from its end; below 0: nobody says
};

// Requests that follow each other.
struct MoveWindow {
  int64_t firstRequest = 0;
  std::vector<RequestArrival> arrivals;
  // kNumMoveLists for each request: `moves` has their entries one list after the other.
  std::vector<uint32_t> counts;
  std::vector<SlotMove> moves;
};

// The lists of one request of a window.
class RequestMoves {
 public:
  // `next`: where its moves begin.
  RequestMoves(const MoveWindow& window, size_t request, size_t next) {
    for (uint32_t list = 0; list < kNumMoveLists; ++list) {
      const uint32_t count = window.counts[request * kNumMoveLists + list];
      lists_[list] = std::span(window.moves).subspan(next, count);
      next += count;
    }
    end_ = next;
  }

  std::span<const SlotMove> of(MoveList list) const { return lists_[static_cast<size_t>(list)]; }
  // Where the next request's begin.
  size_t end() const { return end_; }

 private:
  std::array<std::span<const SlotMove>, kNumMoveLists> lists_;
  size_t end_ = 0;
};

// Throws kArgument where lengths do not fit each other, kBlockIds where a slot is not one of its tier. `slots`: of
// device, host and disk.
void requireWhole(const MoveWindow& window, const std::array<uint32_t, 3>& slots);

}  // namespace railrunner
