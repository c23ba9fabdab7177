#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/run_control.h"
#include "kv/copy_plan.h"
#include "kv/copy_team.h"

namespace railrunner {

// Copies lists of runs between memories that CPUs reach, by a fixed team of threads.
class SpanCopier {
 public:
  // `streaming`: past the caches, for payloads that fit none.
  SpanCopier(uint32_t threads, bool streaming) : team_(threads), streaming_(streaming), issued_(threads) {}

  // Returns the bytes copied; throws kAborted. Nothing is in flight afterwards.
  uint64_t copy(const std::vector<CopySpan>& spans, const std::byte* source, std::byte* target,
                RunControl& control);

 private:
  struct alignas(64) Count {
    uint64_t bytes = 0;
  };
  void work(uint32_t worker, const std::vector<CopySpan>& spans, const std::byte* source, std::byte* target,
            const RunControl& control);

  CopyTeam team_;
  bool streaming_;
  std::vector<Count> issued_;
  alignas(64) std::atomic<uint32_t> next_{0};
};

}  // namespace railrunner
