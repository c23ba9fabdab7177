#pragma once

#include <cstdint>
#include <vector>

#include "kv/copy_plan.h"

namespace railrunner {

// Places of a pool's runs in a staging buffer, one behind the other at multiples of 16 bytes.
class StagingMap {
 public:
  // `runs` are places of one pool (targetOffset), none overlapping; the first is at `begin`.
  StagingMap(const std::vector<CopySpan>& runs, uint64_t begin);

  uint64_t bytes() const { return end_ - begin_; }
  // Runs between the pool (sourceOffset) and the buffer (targetOffset).
  const std::vector<CopySpan>& runs() const { return runs_; }
  // `spans` end at places of the pool; the same spans, ending in the buffer instead. Throws kState for a
  // place that has none.
  std::vector<CopySpan> redirect(const std::vector<CopySpan>& spans) const;

 private:
  uint64_t begin_;
  uint64_t end_;
  std::vector<CopySpan> runs_;  // by place in the pool
};

}  // namespace railrunner
