#include <algorithm>

#include "moe/host/high_throughput/bench.h"

namespace railrunner::moe::host::high_throughput {

BenchResults HostBench::results() const {
  const ReceivedRows& rows = received_.view();
  const uint32_t local = shape_.numLocalExperts();
  BenchResults copy;
  copy.salt = salt_;
  copy.count.assign(rows.count, rows.count + local);
  copy.expertBegin.assign(rows.expertBegin, rows.expertBegin + local + 1);
  copy.sourceBegin.assign(rows.sourceBegin, rows.sourceBegin + shape_.worldSize + 1);
  // What a fault left is told as it is, but not followed out of the memory.
  const auto bounded = [](int32_t value, uint64_t most) {
    return static_cast<uint64_t>(std::clamp<int64_t>(value, 0, static_cast<int64_t>(most)));
  };
  const uint64_t expertRows = bounded(copy.expertBegin.back(), capacity_.rows);
  const uint64_t tokens = bounded(copy.sourceBegin.back(), capacity_.tokens);
  copy.rowToken.assign(rows.rowToken, rows.rowToken + expertRows);
  copy.sourceToken.assign(rows.sourceToken, rows.sourceToken + tokens);
  copy.tokenRow.assign(rows.tokenRow, rows.tokenRow + tokens * shape_.numTopk);
  copy.tokenExpert.assign(rows.tokenExpert, rows.tokenExpert + tokens * shape_.numTopk);
  copy.tokenWeight.assign(rows.tokenWeight, rows.tokenWeight + tokens * shape_.numTopk);
  const uint64_t used = rowsInUse();
  const uint64_t rowBytes = shape_.payloadRowBytes();
  copy.x.assign(rows.x, rows.x + used * rowBytes);
  copy.guard.assign(rows.x + used * rowBytes, rows.x + (used + 1) * rowBytes);
  if (shape_.payload == DispatchDtype::kFp8E4m3) {
    copy.scales.assign(rows.scales, rows.scales + used * shape_.numScales());
  }
  copy.combined.assign(combined_.data(), combined_.data() + combined_.count());
  return copy;
}

}  // namespace railrunner::moe::host::high_throughput
