#include "moe/host/high_throughput/received.h"

namespace railrunner::moe::host::high_throughput {

HostReceived::HostReceived(const Shape& s, const Capacity& capacity)
    : x_((rowsOfX(s, capacity) + 1) * s.payloadRowBytes(), "received rows"),
      scales_(s.payload == DispatchDtype::kFp8E4m3 ? rowsOfX(s, capacity) * s.numScales() : 0, "scales"),
      count_(s.numLocalExperts(), "row counts"),
      expertBegin_(s.numLocalExperts() + 1, "first rows of experts"),
      sourceBegin_(s.worldSize + 1, "first tokens of sources"),
      rowToken_(capacity.rows, "tokens of rows"),
      sourceToken_(capacity.tokens, "source tokens"),
      tokenRow_(capacity.tokens * s.numTopk, "rows of tokens"),
      tokenExpert_(capacity.tokens * s.numTopk, "experts of tokens"),
      tokenWeight_(capacity.tokens * s.numTopk, "weights of tokens") {
  view_.x = x_.data();
  view_.scales = scales_.data();
  view_.count = count_.data();
  view_.expertBegin = expertBegin_.data();
  view_.sourceBegin = sourceBegin_.data();
  view_.rowToken = rowToken_.data();
  view_.sourceToken = sourceToken_.data();
  view_.tokenRow = tokenRow_.data();
  view_.tokenExpert = tokenExpert_.data();
  view_.tokenWeight = tokenWeight_.data();
}

}  // namespace railrunner::moe::host::high_throughput
