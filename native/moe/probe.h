#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "moe/bench.h"

// What the probe of every path shares: the ranks' agreement on its bytes, the order of peers, and whole runs.
namespace railrunner::moe {

constexpr uint32_t kProbeWarmup = 2;

// The limit of one path; 0 where this rank sends nothing by it.
struct PathRate {
  double GBps = 0;
  bool stopped = false;
};

// Of private memory to read from: as the request says, within what a probe may take.
uint64_t probeSourceBytes(const ProbeRequest& request);

// Collective. Runs this rank's `prepare` and tells all ranks what goes from whom to whom: [source][target] in
// bytes. Throws on every rank where one could not prepare, or where a request is not for all ranks.
std::vector<std::vector<uint64_t>> agreeOnProbe(Exchange& exchange, const ProbeRequest& request,
                                                const std::function<void()>& prepare, int64_t deadlineNs);

// The others, from the next one on, so that not all begin with the same.
std::vector<uint32_t> ranksAfter(uint32_t rank, uint32_t worldSize);

// GB/s of the bytes in the median time; 0 without times.
double medianRate(uint64_t bytes, std::vector<double> timesUs);

// Private memory read round and round, a peer's share written likewise, in the longest pieces that wrap in
// neither.
class WholeRuns {
 public:
  WholeRuns(std::span<const std::byte> source, uint64_t shareBytes)
      : source_(source), shareBytes_(shareBytes) {}

  void restart() { readAt_ = 0; }

  // Calls piece(offset in the share, data, bytes), from writeAt on, which it moves.
  template <class Piece>
  void forEach(uint64_t bytes, uint64_t& writeAt, Piece&& piece) {
    while (bytes > 0) {
      const uint64_t count = std::min({bytes, shareBytes_ - writeAt, source_.size() - readAt_});
      piece(writeAt, source_.data() + readAt_, count);
      bytes -= count;
      writeAt = (writeAt + count) % shareBytes_;
      readAt_ = (readAt_ + count) % source_.size();
    }
  }

 private:
  const std::span<const std::byte> source_;
  const uint64_t shareBytes_;
  uint64_t readAt_ = 0;
};

}  // namespace railrunner::moe
