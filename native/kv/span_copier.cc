#include "kv/span_copier.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "kv/stream_copy.h"

namespace railrunner {

namespace {

// Spans that a thread takes at a time, and the length between two looks at the abort word.
constexpr uint32_t kSpansAtOnce = 4;
constexpr uint64_t kBytesAtOnce = uint64_t{4} << 20;

}  // namespace

uint64_t SpanCopier::copy(const std::vector<CopySpan>& spans, const std::byte* source, std::byte* target,
                          RunControl& control) {
  next_.store(0, std::memory_order_relaxed);
  auto body = [&](uint32_t worker) { work(worker, spans, source, target, control); };
  const auto wanted = static_cast<uint32_t>((spans.size() + kSpansAtOnce - 1) / kSpansAtOnce);
  const uint32_t active = std::clamp(wanted, 1U, team_.size());
  for (Count& count : issued_) count.bytes = 0;
  team_.run(body, active, control);
  uint64_t bytes = 0;
  for (const Count& count : issued_) bytes += count.bytes;
  if (control.abort.load(std::memory_order_relaxed) != 0) {
    throw Error(ErrorCode::kAborted, "stopped while copying blocks");
  }
  return bytes;
}

void SpanCopier::work(uint32_t worker, const std::vector<CopySpan>& spans, const std::byte* source,
                      std::byte* target, const RunControl& control) {
  const auto count = static_cast<uint32_t>(spans.size());
  uint64_t bytes = 0;
  for (;;) {
    const uint32_t first = next_.fetch_add(kSpansAtOnce, std::memory_order_relaxed);
    if (first >= count) break;
    for (uint32_t i = first; i < std::min(first + kSpansAtOnce, count); ++i) {
      const CopySpan& span = spans[i];
      for (uint64_t done = 0; done < span.bytes; done += kBytesAtOnce) {
        if (control.abort.load(std::memory_order_relaxed) != 0) return;
        const uint64_t part = std::min(kBytesAtOnce, span.bytes - done);
        if (streaming_) {
          streamCopy(target + span.targetOffset + done, source + span.sourceOffset + done, part);
        } else {
          std::memcpy(target + span.targetOffset + done, source + span.sourceOffset + done, part);
        }
        bytes += part;
      }
    }
  }
  issued_[worker].bytes = bytes;
}

}  // namespace railrunner
