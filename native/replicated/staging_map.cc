#include "replicated/staging_map.h"

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

// What the widest accesses of copy kernels need.
constexpr uint64_t kPlaceAlignment = 16;

}  // namespace

StagingMap::StagingMap(const std::vector<CopySpan>& runs, uint64_t begin) : begin_(begin), end_(begin) {
  runs_.reserve(runs.size());
  for (const CopySpan& run : runs) {
    const uint64_t place = alignUp(end_, kPlaceAlignment);
    runs_.push_back({run.targetOffset, place, run.bytes});
    end_ = place + run.bytes;
  }
  std::sort(runs_.begin(), runs_.end(),
            [](const CopySpan& a, const CopySpan& b) { return a.sourceOffset < b.sourceOffset; });
}

std::vector<CopySpan> StagingMap::redirect(const std::vector<CopySpan>& spans) const {
  std::vector<CopySpan> redirected;
  for (const CopySpan& span : spans) {
    for (uint64_t done = 0; done < span.bytes;) {
      const uint64_t place = span.targetOffset + done;
      auto run = std::upper_bound(runs_.begin(), runs_.end(), place, [](uint64_t offset, const CopySpan& at) {
        return offset < at.sourceOffset;
      });
      if (run == runs_.begin() || place >= (--run)->sourceOffset + run->bytes) {
        throw Error(ErrorCode::kState,
                    "staging: byte " + std::to_string(place) + " of the pool has no place");
      }
      const uint64_t inside = place - run->sourceOffset;
      const uint64_t bytes = std::min(span.bytes - done, run->bytes - inside);
      redirected.push_back({span.sourceOffset + done, run->targetOffset + inside, bytes});
      done += bytes;
    }
  }
  return redirected;
}

}  // namespace railrunner
